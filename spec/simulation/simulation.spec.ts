/** A short run of the simulation; `npm run sim` is the long one. */
import { strict as assert } from 'node:assert';
import { describeFailure, runSeed } from './run.ts';
import { Simulation } from './simulation.ts';

const SEEDS = 80;

function traceOf(seed: number): readonly string[] {
  const simulation = new Simulation(seed);
  simulation.run();
  return simulation.trace;
}

describe('simulated disks against the reference model', function () {
  this.timeout(30_000);

  it(`${SEEDS} seeds show no violation`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const failure = runSeed(seed);
      assert.ok(failure === null, failure === null ? '' : describeFailure(failure));
    }
  });

  it('a seed replays exactly, and another seed is another simulation', () => {
    assert.deepEqual(traceOf(7), traceOf(7));
    assert.notDeepEqual(traceOf(7), traceOf(8));
  });

  it('meets everything it is about', () => {
    const lines: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed += 1) lines.push(...traceOf(seed));
    const all = lines.join('\n');
    for (const met of [
      /^#\d+ nexus \d ORDERED /m,
      /^#\d+ nexus \d HEAD OF QUEUE /m,
      /^#\d+ nexus \d ACA /m,
      /^ABORT TASK by/m,
      /^ABORT TASK SET by/m,
      /^CLEAR TASK SET by/m,
      /^LOGICAL UNIT RESET by/m,
      /^I_T NEXUS RESET by/m,
      /^CLEAR ACA by/m,
      /^QUERY TASK by/m,
      /is lost$/m,
      /returns$/m,
      /the medium grows/,
      /ends: silence/,
      /ends: 00/,
      /ends: 08/,
      /ends: 28/,
      /ends: 30/,
      /ends: 40/,
      /ends: 3\/11\/00/,
      /ends: 3\/0c\/00/,
      /ends: 7\/27\/07/,
      /ends: 7\/27\/02/,
      /ends: 2\/04\/02/,
      /ends: 2\/3a\/00/,
      /ends: 2\/3a\/01/,
      /ends: 2\/3a\/02/,
      /ends: 4\/53\/00/,
      /ends: 5\/53\/02/,
      /ends: 6\/28\/00/,
      /^the operator takes the medium$/m,
      /^the operator loads medium \d$/m,
      /^the operator loads medium \d by force/m,
      /^the operator locks the medium in/m,
      /^the operator loses patience/m,
      /medium: eject/,
      /medium: stay/,
      /ends: 4\/44\/00/,
      /ends: 5\/20\/00/,
      /ends: 5\/21\/00/,
      /ends: 5\/24\/00/,
      /ends: 5\/49\/00/,
      /ends: b\/4e\/00/,
      /ends: e\/1d\/00/,
      /ends: 6\/29\/01/,
      /ends: 6\/29\/03/,
      /ends: 6\/29\/07/,
      /ends: 6\/2a\/01/,
      /ends: 6\/2a\/09/,
      /ends: 6\/2f\/00/,
    ]) {
      assert.match(all, met);
    }
  });
});
