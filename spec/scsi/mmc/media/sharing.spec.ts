/** One optical drive, several guests: the traces of the seed (seeds 5.1, 5.2) on a disc, with events beside the unit attentions. */
import { strict as assert } from 'node:assert';
import type { MediaChangeStyle } from '../../../../src/scsi/medium.ts';
import { TRACE_CDBS, TRACES, type Trace } from '../../../support/media-traces.ts';
import { dataDisc, type OpticalBed, optical } from '../../../support/optical.ts';
import type { TestNexus } from '../../../support/target.ts';

const BLOCKS = 16;
const MEDIA_EVENT = '4a 01 00 00 10 00 00 00 08 00';
/** Nothing is written to a pressed disc, its capacity is its own, and faults are the sector reader's. */
const OF_DISKS = /write|capacity|loses/;

function drive(options: Parameters<typeof optical>[2] = {}): OpticalBed {
  return optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048).fill(0x11), options);
}

/** The operator opens the drive and puts in what `fill` says, or the same disc. */
function operate({ unit, store }: OpticalBed, what: string): void {
  const { medium } = unit;
  assert(medium);
  if (what !== 'put') {
    medium.leave(unit);
    medium.take();
  }
  if (what === 'swap') store.memory.fill(0x22);
  if (what !== 'take') medium.insert(unit, medium.generation + 1, null);
}

function play(trace: Trace, mediaChangeStyle: MediaChangeStyle): void {
  const bench = drive({ mediaChangeStyle });
  const { bed } = bench;
  const guests = new Map<string, TestNexus>();
  for (const who of ['A', 'B']) guests.set(who, bed.nexus(who).clear());
  for (const step of trace[mediaChangeStyle] ?? trace.t10) {
    const [who = '', what = '', outcome = ''] = step.split(' ');
    if (who === 'operator') {
      operate(bench, what);
      continue;
    }
    const guest = guests.get(who) ?? bed.nexus(who);
    guests.set(who, guest);
    if (what === 'dies') {
      bed.target.nexusLost(guest.nexus);
      continue;
    }
    const { status, sense, dataIn } = guest.run(TRACE_CDBS[what] as string, { in: 2048 });
    const data = `=${dataIn[0]?.toString(16)}`;
    const found = status === 0 && outcome.startsWith('=') ? data : sense;
    assert.equal(found, outcome, step);
  }
}

/** Event codes until there is none. */
function told(n: TestNexus): number[] {
  const codes: number[] = [];
  for (let i = 0; i < 16; i += 1) {
    const code = n.run(MEDIA_EVENT, { in: 8 }).dataIn[4] as number;
    if (code === 0) break;
    codes.push(code);
  }
  return codes;
}

describe('shared optical drive', () => {
  for (const trace of TRACES) {
    if (trace.t10.some((step) => OF_DISKS.test(step))) continue;
    for (const style of ['t10', 'maxfield'] as const) {
      it(`${trace.name} (${style})`, () => play(trace, style));
    }
  }

  it('X5 a swap between two polls: both events, and 28/00 before anything of the other disc', () => {
    const bench = drive();
    const a = bench.bed.nexus('a').clear();
    assert.deepEqual(told(a), []);
    operate(bench, 'swap');
    assert.deepEqual(told(a), [3, 2]);
    assert.equal(a.run(TRACE_CDBS['read'] as string, { in: 2048 }).sense, '6/28/00');
    assert.equal(a.run(TRACE_CDBS['read'] as string, { in: 2048 }).dataIn[0], 0x22);
  });

  it('who slept over several changes has one unit attention and the last events', () => {
    const bench = drive();
    const a = bench.bed.nexus('a').clear();
    for (let i = 0; i < 20; i += 1) operate(bench, 'swap');
    assert.deepEqual(a.attentions(), ['6/28/00']);
    assert.deepEqual(told(a), [3, 2]);
  });

  it('X11 the generation goes on behind 2^32', () => {
    const medium = { place: 'drive', generation: 0xffffffff, locked: false } as const;
    const bench = drive({ medium });
    const a = bench.bed.nexus('a').clear();
    operate(bench, 'swap');
    assert.deepEqual([bench.unit.medium?.generation, a.attentions()], [2 ** 32, ['6/28/00']]);
  });

  it('X14 a thousand idle polls look at no store and move nothing', () => {
    const { bed, unit, store } = drive();
    const a = bed.nexus('a').clear();
    const requests = store.requests.length;
    for (let i = 0; i < 1000; i += 1) {
      assert.equal(a.run(TRACE_CDBS['ready'] as string).status, 0);
      assert.equal(a.run(MEDIA_EVENT, { in: 8 }).dataIn[4], 0);
    }
    assert.equal(store.requests.length, requests);
    assert.deepEqual([unit.medium?.place, unit.medium?.generation], ['drive', 1]);
  });
});
