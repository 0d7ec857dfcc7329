/** The responder of the unplug protocol plays every transcript T1 to T16 of spec/vectors/unplug.json. */
import assert from 'node:assert/strict';
import { NO_DEVICE } from '../../src/unplug/ports.ts';
import { UnplugResponder } from '../../src/unplug/responder.ts';
import { takes } from '../../src/unplug/selection.ts';
import {
  type Access,
  DEVICES,
  isAccess,
  type LineStep,
  TRANSCRIPTS,
  type Transcript,
} from './transcripts.ts';

/** A domain with one emulated device of every kind. */
class Domain {
  readonly #transcript: Transcript;
  readonly lines: string[] = [];
  readonly notes: string[] = [];
  left = [...DEVICES];
  nowMs = 0;
  responder: UnplugResponder;

  constructor(transcript: Transcript) {
    this.#transcript = transcript;
    this.responder = this.#begin();
  }

  #begin(): UnplugResponder {
    const { dialect = 'document', version = 1, throttled = true, blacklist } = this.#transcript;
    this.left = [...DEVICES];
    return new UnplugResponder({
      dialect,
      version,
      throttled,
      host: {
        blacklisted: (product, build) => blacklist?.includes(`${product}/${build}`) === true,
        refused: () => undefined,
        unplug: (mask) => {
          this.left = this.left.filter((place) => !takes(mask, place, dialect));
        },
        guestLine: (line) => void this.lines.push(line),
        note: (text) => void this.notes.push(text),
        nowMs: () => this.nowMs,
      },
    });
  }

  reboot(): void {
    this.responder = this.#begin();
  }

  access(step: Access): void {
    const { dir, width, times = 1, window = 'fixed' } = step;
    const [port, value] = [Number.parseInt(step.port, 16), Number.parseInt(step.value, 16)];
    const device = this.#transcript.device === false ? null : this.responder;
    for (let i = 0; i < times; i += 1) {
      if (dir === 'W') device?.write(window, port, width, value);
      else {
        const got = device?.read(window, port, width) ?? NO_DEVICE.read(port, width);
        assert.equal(got.toString(16), value.toString(16), `read ${width} ${step.port}`);
      }
    }
  }

  say({ t, line, times, holdMs }: LineStep): void {
    this.nowMs = t;
    for (let i = 0; i < times; i += 1) {
      for (let at = 0; at < line; at += 1) this.responder.write('fixed', 0x12, 'b', 0x78);
      const outcome = this.responder.write('fixed', 0x12, 'b', 0x0a);
      assert.equal(outcome.holdMs, holdMs ?? 0, `a line of ${line} at ${t} ms`);
    }
  }
}

function play(transcript: Transcript): Domain {
  const domain = new Domain(transcript);
  for (const step of transcript.steps) {
    if (isAccess(step)) domain.access(step);
    else if ('line' in step) domain.say(step);
    else if (step.reset === 'line') domain.responder.reset();
    else domain.reboot();
  }
  return domain;
}

/** Compares what a transcript says is to be there afterwards; it does not say everything. */
function compare(transcript: Transcript, domain: Domain): void {
  const { left, product, build, blacklisted, lines, notes } = transcript;
  const { responder } = domain;
  const expected = { left, product, build, blacklisted, notes };
  const got = {
    left: left && domain.left,
    product: product === undefined ? undefined : responder.product,
    build: build === undefined ? undefined : responder.build,
    blacklisted: blacklisted === undefined ? undefined : responder.blacklisted,
    notes: notes === undefined ? undefined : domain.notes.length,
  };
  assert.deepEqual(got, expected, domain.notes.join('; '));
  if (lines === undefined) return;
  const texts = lines.map((one) => (typeof one === 'string' ? one : one.text.repeat(one.times)));
  assert.deepEqual(domain.lines, texts);
}

describe('unplug responder', () => {
  for (const transcript of TRANSCRIPTS) {
    it(`${transcript.id}: ${transcript.title}`, () => compare(transcript, play(transcript)));
  }

  it('has all of T1 to T16', () => {
    const ids = new Set(TRANSCRIPTS.map(({ id }) => id));
    assert.deepEqual(
      [...ids],
      Array.from({ length: 16 }, (_, i) => `T${i + 1}`),
    );
  });

  it('product 0 is none again', () => {
    const domain = new Domain({ id: '', title: '', steps: [], blacklist: ['linux/1'] });
    domain.responder.write('fixed', 0x12, 'w', 3);
    domain.responder.write('fixed', 0x12, 'w', 0);
    domain.responder.write('fixed', 0x10, 'l', 1);
    assert.equal(domain.responder.blacklisted, false);
    assert.equal(domain.notes.length, 2);
  });

  it('a blacklist entry by the unsigned number counts as well', () => {
    const blacklist = ['linux/4294967295'];
    const domain = new Domain({ id: '', title: '', steps: [], blacklist });
    domain.responder.write('fixed', 0x12, 'w', 3);
    domain.responder.write('fixed', 0x10, 'l', 0xffffffff);
    assert.equal(domain.responder.blacklisted, true);
  });

  it('the mask of a blacklisted driver is honoured: not to load is its part', () => {
    const domain = new Domain({ id: '', title: '', steps: [], blacklist: ['linux/1'] });
    for (const [port, width, value] of [
      [0x12, 'w', 3],
      [0x10, 'l', 1],
      [0x10, 'w', 2],
    ] as const) {
      domain.responder.write('fixed', port, width, value);
    }
    assert.equal(domain.left.includes('nic'), false);
  });

  it('what a guest logs cannot carry control characters', () => {
    const domain = new Domain({ id: '', title: '', steps: [] });
    for (const byte of Buffer.from('a\x1b[2J\0\xffb\n', 'latin1')) {
      domain.responder.write('fixed', 0x12, 'b', byte);
    }
    assert.deepEqual(domain.lines, ['a.[2J..b']);
  });
});
