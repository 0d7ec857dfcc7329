/** docs/srp-ring.md against the implementation: its tables, its messages, its session. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  close,
  drainEventFd,
  mapShared,
  receiveMessage,
  signalEventFd,
  unmap,
} from '../../../src/libc.ts';
import type { RecordLayout } from '../../../src/record.ts';
import * as message from '../../../src/transport/ring/attach-message.ts';
import type { RingAttachment } from '../../../src/transport/ring/attachment.ts';
import type { QueuePair } from '../../../src/transport/ring/queue-pair.ts';
import { emptyElement, Goods, goodAttach, RawInitiator, Rig } from './rig.ts';

const DOCUMENT = readFileSync(
  fileURLToPath(new URL('../../../../docs/srp-ring.md', import.meta.url)),
  'utf8',
);

/** Lines of the fenced block that opens with `opening`. */
function block(opening: string): readonly string[] {
  const start = DOCUMENT.indexOf(`\`\`\`${opening}\n`);
  assert.ok(start >= 0, `the document has a block ${opening}`);
  const end = DOCUMENT.indexOf('\n```', start);
  return DOCUMENT.slice(start, end).split('\n').slice(1);
}

function hex(name: string): Buffer {
  const lines = block(`hex ${name}`);
  return Buffer.from(lines.map((line) => line.slice(5).replaceAll(' ', '')).join(''), 'hex');
}

/** Rows of the first table after `heading`, cells trimmed. */
function table(heading: string): readonly (readonly string[])[] {
  const start = DOCUMENT.indexOf(heading);
  assert.ok(start >= 0, heading);
  const lines = DOCUMENT.slice(start).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows: string[][] = [];
  for (const line of lines.slice(first + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

describe('docs/srp-ring.md', () => {
  const layouts: readonly (readonly [string, RecordLayout<never>])[] = [
    ['### Header', message.HEADER_RECORD],
    ['### HELLO', message.HELLO_RECORD],
    ['### ATTACH\n', message.ATTACH_RECORD],
    ['Region record', message.REGION_RECORD],
    ['Queue pair record', message.QUEUE_PAIR_RECORD],
    ['### ATTACHED', message.ATTACHED_RECORD],
    ['### REFUSED', message.REFUSED_RECORD],
  ] as unknown as readonly (readonly [string, RecordLayout<never>])[];
  for (const [heading, layout] of layouts) {
    it(`the table of ${heading.replaceAll('#', '').trim()} is the record`, () => {
      const at = layout.at as Readonly<Record<string, number>>;
      let offset = 0;
      const named = new Set<number>();
      for (const [from, bytes, field = ''] of table(heading)) {
        assert.equal(Number(from), offset, field);
        offset += Number(bytes);
        if (field === 'header') continue;
        const coded = at[field] ?? at[`${field}High`];
        assert.equal(coded, Number(from), field);
        named.add(coded);
        if (at[`${field}Low`] !== undefined) {
          assert.equal(at[`${field}Low`], Number(from) + 4);
          named.add(Number(from) + 4);
        }
      }
      assert.equal(offset, layout.size);
      const coded = Object.entries(at).filter(
        ([name, place]) => !['magic', 'major', 'minor', 'type'].includes(name) && !named.has(place),
      );
      assert.deepEqual(coded, [], 'the record has nothing that the table lacks');
    });
  }

  it('the refusal codes are those of the code', () => {
    const rows = table('| code | name |');
    const coded = message as unknown as Readonly<Record<string, number>>;
    assert.equal(rows.length, 9);
    for (const [code, name] of rows) assert.equal(coded[`REFUSED_${name}`], Number(code), name);
  });

  it('HELLO is what a listener of that name sends', () => {
    const rig = new Rig();
    const raw = new RawInitiator(rig.path);
    const attachment = rig.accept();
    assert.deepEqual(raw.receive()?.body, hex('hello'));
    raw.close();
    attachment.close();
    rig.close();
    const hello = message.decodeHello(hex('hello'));
    assert.ok(!(hello instanceof message.Refusal));
    assert.deepEqual(hello, {
      maxRegions: 8,
      maxQueuePairs: 16,
      maxRegionBytes: 2147483648,
      maxEntries: 4096,
      maxRequestBytes: 1024,
      maxResponseBytes: 512,
      name: 'target',
    });
    assert.deepEqual(message.encodeHello(hello), hex('hello'));
  });

  it('ATTACH decodes to what the document says and encodes back', () => {
    assert.deepEqual(hex('attach'), goodAttach());
    const hello = message.decodeHello(hex('hello'));
    assert.ok(!(hello instanceof message.Refusal));
    const request = message.decodeAttach(hex('attach'), hello);
    assert.deepEqual(request, {
      name: 'guest',
      lunPresentation: false,
      regions: [{ handle: 0, bytes: 65536 }],
      queuePairs: [
        {
          controlOffset: 0,
          commandOffset: 128,
          commandEntries: 16,
          responseOffset: 384,
          responseEntries: 32,
        },
      ],
    });
    assert.ok(!(request instanceof message.Refusal));
    assert.deepEqual(message.encodeAttach(request), hex('attach'));
  });

  it('ATTACHED and REFUSED', () => {
    assert.deepEqual(message.decodeReply(hex('attached')), { id: 1, queuePairCount: 1 });
    assert.deepEqual(message.encodeAttached(1, 1), hex('attached'));
    const refused = message.decodeReply(hex('refused'));
    assert.ok(refused instanceof message.Refusal);
    assert.equal(refused.code, 7);
    assert.deepEqual(message.encodeRefused(refused), hex('refused'));
    const body = goodAttach();
    body.writeUInt32BE(5, 136);
    const hello = message.decodeHello(hex('hello'));
    assert.ok(!(hello instanceof message.Refusal));
    assert.deepEqual(message.decodeAttach(body, hello), refused, 'the target says just that');
  });

  it('the session is played as written', () => {
    const play = new Play();
    try {
      const lines = block('session');
      assert.ok(lines.length > 25);
      for (const line of lines) play.line(line);
      assert.ok(play.over);
    } finally {
      play.close();
    }
  });
});

/** Plays the initiator's lines as raw bytes and checks the target's lines against a real target. */
class Play {
  over = false;
  readonly #rig = new Rig();
  readonly #goods = new Goods();
  readonly #mapping = mapShared(this.#goods.memory, 65536);
  readonly #view = new Uint8Array(this.#mapping.buffer);
  readonly #raw = new RawInitiator(this.#rig.path);
  #attachment: RingAttachment | null = null;
  #kickFd = -1;
  #targetActed = false;

  line(line: string): void {
    const [end = '', what = '', first = '', ...rest] = line.trim().split(/\s+/);
    // The target acts once for each run of its lines, like a target that was rung or answers a message.
    if (end === 'T' && !this.#targetActed) this.#act();
    this.#targetActed = end === 'T';
    switch (`${end} ${what}`) {
      case 'T socket':
        this.#heard(hex(first));
        return;
      case 'I socket':
        assert.equal(this.#raw.send(hex(first), [this.#goods.memory, this.#goods.call]), 0);
        return;
      case 'T sleeps':
        assert.ok(
          this.#bytes(first, 4).some((byte) => byte !== 0),
          line,
        );
        return;
      case 'I sleeps':
        this.#view[Number.parseInt(first, 16)] = 1;
        return;
      case 'T memory':
        assert.deepEqual(this.#bytes(first, words(rest).length), words(rest), line);
        return;
      case 'I memory':
        this.#view.set(words(rest), Number.parseInt(first, 16));
        return;
      case 'I rings':
        assert.equal(signalEventFd(this.#kickFd), 0);
        assert.equal(drainEventFd(this.#attachment?.kickFds[0] ?? -1), true, 'the same eventfd');
        return;
      case 'T rings':
        assert.equal(drainEventFd(this.#goods.call), true, 'the doorbell was rung');
        return;
      case 'I closes':
        this.#closes();
        return;
      default:
        assert.fail(`the session has a line of an unknown kind: ${line}`);
    }
  }

  close(): void {
    this.#attachment?.close();
    this.#raw.close();
    unmap(this.#mapping);
    this.#goods.close();
    if (this.#kickFd >= 0) close(this.#kickFd);
    this.#rig.close();
  }

  #bytes(offset: string, bytes: number): Buffer {
    const at = Number.parseInt(offset, 16);
    return Buffer.from(this.#view.slice(at, at + bytes));
  }

  #heard(expected: Buffer): void {
    const got = receiveMessage(this.#raw.fd, 1024);
    assert.ok(got !== null && typeof got !== 'number');
    assert.deepEqual(got.body, expected);
    if (got.descriptors.length > 0) this.#kickFd = got.descriptors[0] as number;
  }

  #act(): void {
    if (this.#attachment === null) {
      this.#attachment = this.#rig.accept();
      return;
    }
    const attachment = this.#attachment;
    if (attachment.state === 'greeting') attachment.receive();
    const pair = attachment.queuePairs[0];
    assert.ok(pair !== undefined, attachment.reason);
    do {
      serve(pair);
      pair.flush();
    } while (!pair.arm());
  }

  #closes(): void {
    this.#raw.close();
    this.#attachment?.receive();
    assert.equal(this.#attachment?.state, 'gone');
    this.over = true;
  }
}

/** The hexadecimal words at the start of a line's rest; the remark after them is no word of eight digits. */
function words(rest: readonly string[]): Buffer {
  const end = rest.findIndex((word) => !/^[0-9a-f]{8}$/.test(word));
  return Buffer.from(rest.slice(0, end < 0 ? rest.length : end).join(''), 'hex');
}

/** A target that knows three things, and says goodbye after an SRP response. */
function serve(pair: QueuePair): void {
  const element = emptyElement();
  while (pair.take(element)) {
    const { valid, format, status, length, high, low } = element;
    if (valid === 0xc0 && format === 1) pair.send(0xc0, 2, 0, 0, 0, 0, 0);
    else if (format === 6 && status === 0xf5) pair.send(0x80, 6, 0xf6, 0, 0, 0, 0);
    else {
      assert.deepEqual([valid, format, length, high, low], [0x80, 1, 64, 0, 0x1000]);
      pair.send(0x80, 1, 0, 0, 36, 0, 0xa01);
      pair.send(0xff, 2, 0, 0, 0, 0, 0);
    }
  }
}
