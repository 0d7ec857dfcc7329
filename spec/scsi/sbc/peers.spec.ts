/** The same CDBs as four other disks were asked: where most of them agree, we answer the same or say why not. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { bytesOf } from '../../support/direct-port.ts';
import { disk } from '../../support/target.ts';

/** Blocks of the medium the captures were taken from. */
const BLOCKS = 409_600;
const PEERS = ['IET-VIRTUAL-DISK', 'LIO-ORG-FILEIO', 'Linux-scsi_debug', 'QEMU-QEMUHARDDISK'];
const MAJORITY = 3;

interface Capture {
  readonly name: string;
  readonly cdb: string;
  readonly status: number;
  readonly sense?: string;
}

/** Where ours differs, by the name of the capture: our outcome and the clause that asks for it. */
const EXCEPTIONS: Readonly<Record<string, readonly [ours: string, clause: string]>> = {
  'READ DEFECT DATA(10)': ['00', 'SBC-3 5.17: supported, with empty lists'],
  'READ DEFECT DATA(12)': ['00', 'SBC-3 5.18: supported, with empty lists'],
};

function load(peer: string): Capture[] {
  const url = new URL(`../../../../spec/vectors/peer-captures/${peer}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as Capture[];
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

interface Question {
  readonly name: string;
  readonly cdb: string;
  /** What at least MAJORITY of the peers answered. */
  readonly agreed: string;
}

function questions(): Question[] {
  const captures = PEERS.map(load);
  const [first = []] = captures;
  return first.flatMap(({ name, cdb }) => {
    const answers = captures.map((list) => {
      const capture = list.find((other) => other.name === name);
      assert(capture, `every peer was asked ${name}`);
      return peerOutcome(capture);
    });
    const agreed = answers.find((a) => answers.filter((b) => b === a).length >= MAJORITY);
    return agreed === undefined ? [] : [{ name, cdb, agreed }];
  });
}

describe('what most other disks answer', () => {
  const asked = questions();

  it('covers most of the captures', () => {
    assert.ok(asked.length >= 85, `${asked.length} questions have a majority`);
  });
  it('has no exception that is none', () => {
    for (const [name, [ours]] of Object.entries(EXCEPTIONS)) {
      const question = asked.find((candidate) => candidate.name === name);
      assert.notEqual(question?.agreed, undefined, `${name} has a majority`);
      assert.notEqual(question?.agreed, ours, `${name} is answered differently`);
    }
  });
  for (const { name, cdb, agreed } of asked) {
    it(`${name}: ${EXCEPTIONS[name]?.join(', ') ?? agreed}`, () => {
      const bed = disk({ blocks: 2048 });
      bed.store.bytes = BLOCKS * 512;
      const a = bed.nexus('a').clear();
      // Lists of zeros of the length the CDB names, as the captures had.
      const bytes = bytesOf(cdb);
      const isSelect = bytes[0] === 0x15;
      const options = isSelect ? { out: new Uint8Array(bytes[4] ?? 0) } : { in: 4096 };
      const r = a.run(cdb, options);
      assert.equal(outcome(r.status, r.sense), EXCEPTIONS[name]?.[0] ?? agreed);
    });
  }
});
