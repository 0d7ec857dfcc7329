/**
 * The same 127 CDBs as four other disks were asked. Where most of them agree, on the outcome or on the length of the data, we
 * answer the same, or `differences.json` beside the captures says what we answer and which clause asks for it.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { bytesOf } from '../../support/direct-port.ts';
import { disk } from '../../support/target.ts';

/** Blocks of the medium the captures were taken from. */
const BLOCKS = 409_600;
const PEERS = ['IET-VIRTUAL-DISK', 'LIO-ORG-FILEIO', 'Linux-scsi_debug', 'QEMU-QEMUHARDDISK'];
const QUESTIONS = 127;
const DATA_IN_BYTES = 4096;

interface Capture {
  readonly name: string;
  readonly cdb: string;
  readonly status: number;
  readonly sense?: string;
  readonly dataIn?: string;
}

interface Difference {
  readonly name: string;
  /** What most peers answered, and what we do. */
  readonly most: string;
  readonly ours: string;
  readonly clause: string;
}

interface Differences {
  readonly outcomes: readonly Difference[];
  readonly lengths: readonly Difference[];
}

function json(name: string): unknown {
  const url = new URL(`../../../../spec/vectors/peer-captures/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8'));
}

/** `00`, `18`, or `5/24/00`. */
function outcome(status: number, sense: string): string {
  return status === 0x02 ? sense : status.toString(16).padStart(2, '0');
}

function peerOutcome(capture: Capture): string {
  const sense = bytesOf(capture.sense ?? '');
  const digits = (at: number): string => (sense[at] ?? 0).toString(16).padStart(2, '0');
  const key = ((sense[2] ?? 0) & 0xf).toString(16);
  return outcome(capture.status, `${key}/${digits(12)}/${digits(13)}`);
}

/** The answers given most often: one when there is a majority, several when it is a tie. */
function mostOf(answers: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const highest = Math.max(...counts.values());
  return [...counts].filter(([, count]) => count === highest).map(([answer]) => answer);
}

interface Question {
  readonly name: string;
  readonly cdb: string;
  readonly outcomes: readonly string[];
  /** Bytes of data of those that were GOOD, when more than half of all peers gave the same number; else null. */
  readonly length: string | null;
}

function questions(): Question[] {
  const captures = PEERS.map((peer) => json(peer) as Capture[]);
  const [first = []] = captures;
  return first.map(({ name, cdb }) => {
    const asked = captures.map((list) => {
      const capture = list.find((other) => other.name === name && other.cdb === cdb);
      assert(capture, `every peer was asked ${name}`);
      return capture;
    });
    const lengths = asked
      .filter(({ status }) => status === 0)
      .map(({ dataIn }) => String(bytesOf(dataIn ?? '').length));
    const [length = ''] = mostOf(lengths);
    const common = lengths.filter((one) => one === length).length > PEERS.length / 2;
    return {
      name,
      cdb,
      outcomes: mostOf(asked.map(peerOutcome)),
      length: common ? length : null,
    };
  });
}

/** Parameter lists are zeros of the length the CDB names, as those of the captures were. */
function parameterListBytes(cdb: Uint8Array): number {
  const view = new DataView(cdb.buffer, cdb.byteOffset);
  if (cdb[0] === 0x15) return view.getUint8(4);
  if (cdb[0] === 0x42) return view.getUint16(7);
  return cdb[0] === 0x5f ? view.getUint32(5) : -1;
}

/** What ours answers: the outcome and, when it is GOOD, the bytes of data. */
function replay(cdb: string): { outcome: string; length: string | null } {
  const bed = disk({ blocks: 2048, thin: true });
  bed.store.bytes = BLOCKS * 512;
  const list = parameterListBytes(bytesOf(cdb));
  const options = list < 0 ? { in: DATA_IN_BYTES } : { out: new Uint8Array(list) };
  const result = bed.nexus('a').clear().run(cdb, options);
  const length = result.status === 0 ? String(result.dataIn.length) : null;
  return { outcome: outcome(result.status, result.sense), length };
}

describe('what most other disks answer', () => {
  const asked = questions();
  const differences = json('differences') as Differences;
  const answers = new Map(asked.map(({ name, cdb }) => [name, replay(cdb)]));

  it('all 127 CDBs are replayed', () => {
    assert.equal(asked.length, QUESTIONS);
    assert.equal(answers.size, QUESTIONS, 'each has its own name');
  });

  it('every difference in outcome is listed with its clause, and every listed one is there', () => {
    const found = asked.flatMap(({ name, outcomes }) => {
      const ours = answers.get(name)?.outcome ?? '';
      return outcomes.includes(ours) ? [] : [{ name, most: outcomes.join(' or '), ours }];
    });
    assert.deepEqual(found, differences.outcomes.map(withoutClause));
  });

  it('every difference in the length of the data is listed with its clause, and every listed one is there', () => {
    const found = asked.flatMap(({ name, length: most }) => {
      const ours = answers.get(name)?.length ?? null;
      return most === null || ours === null || ours === most ? [] : [{ name, most, ours }];
    });
    assert.deepEqual(found, differences.lengths.map(withoutClause));
  });

  it('each clause names a standard', () => {
    for (const { name, clause } of [...differences.outcomes, ...differences.lengths]) {
      assert.match(clause, /^(SAM-5|SPC-4|SBC-3) (\d|table)/, name);
    }
  });
});

function withoutClause({ name, most, ours }: Difference): Omit<Difference, 'clause'> {
  return { name, most, ours };
}
