/** What tools of Debian, its kernel and udev sent to a burner, sent again, command by command: the answers are those they lived with. */
import { strict as assert } from 'node:assert';
import { faultOf } from '../../../src/scsi/mmc/burn/state-fault.ts';
import { numberOf } from '../../support/mmc-answer-parts.ts';
import { type Difference, type Replay, Replayer, readTraces } from '../../support/mmc-traces.ts';
import { jsonVector } from '../../support/vectors.ts';

/** A difference that is expected: regular expressions for the whole of what they are about. */
interface Listed {
  readonly opcode: string;
  readonly cdb?: string;
  /** Field of the answers; absent: one of them is sense. */
  readonly part?: string;
  readonly recorded?: string;
  readonly ours?: string;
  /** Ours is larger by so many blocks, from the first to the second. */
  readonly between?: readonly [number, number];
  /** Found in the opcodes that were sent since an event was told last. */
  readonly since?: string;
  /** Found in the names of the traces it is about; absent: any. */
  readonly traces?: string;
  readonly why: string;
}

const { completions, differences } = jsonVector<{
  readonly completions: Readonly<Record<string, string>>;
  readonly differences: readonly Listed[];
}>('mmc-trace-differences.json');

const ANY = '.*';
const compiled = new Map<string, RegExp>();

function found(pattern: string, text: string): boolean {
  const known = compiled.get(pattern) ?? new RegExp(pattern);
  compiled.set(pattern, known);
  return known.test(text);
}
const whole = (pattern: string, text: string): boolean => found(`^(${pattern})$`, text);

function isListed(listed: Listed, difference: Difference): boolean {
  const { cdb, part, recorded, ours } = difference;
  const matches =
    whole(listed.opcode, cdb.slice(0, 2)) &&
    whole(listed.cdb ?? ANY, cdb) &&
    whole(listed.part ?? '', part) &&
    whole(listed.recorded ?? ANY, recorded) &&
    whole(listed.ours ?? ANY, ours) &&
    found(listed.since ?? '', difference.since) &&
    found(listed.traces ?? '', difference.trace);
  if (!matches || listed.between === undefined) return matches;
  const [least, most] = listed.between;
  const more = numberOf(part, ours) - numberOf(part, recorded);
  return more >= least && more <= most;
}

describe('traces of tools', () => {
  const used = new Set<Listed>();
  const skipped = new Set<number>();
  let compared = 0;

  function check({ differences: all, ...replay }: Replay): void {
    for (const difference of all) {
      const listed = differences.find((each) => isListed(each, difference));
      assert(listed, `a difference that is not listed: ${JSON.stringify(difference)}`);
      used.add(listed);
    }
    for (const opcode of replay.skipped.keys()) skipped.add(opcode);
    compared += replay.compared;
    assert.equal(faultOf(replay.disc.state), null);
  }

  const traces = readTraces();

  it('are the 115 that were recorded', () => {
    assert.equal(new Set(traces.map(({ name }) => name)).size, 115);
    assert.deepEqual(
      traces.filter(({ records }) => records.every(({ cdb }) => cdb.length === 0)),
      [],
    );
  });

  for (const trace of traces) {
    it(`${trace.name} (${trace.kind ?? 'an empty drive'})`, () => {
      check(new Replayer(trace, completions).run());
    });
  }

  it('were compared command by command; every listed difference was met, and no command was passed over', () => {
    assert.ok(compared >= 20_000, `${compared} commands`);
    assert.deepEqual(
      differences.filter((each) => !used.has(each)),
      [],
    );
    assert.deepEqual([...skipped], []);
  });
});
