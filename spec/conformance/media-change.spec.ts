/**
 * One drive, several guests: the reference traces X1 to X14 and the rows of the seed's state machine (seeds 5.1, 5.2), in T10's order and in
 * the seed's, on every transport. X10 is `spec/daemon/media-requests.spec.ts`, X11 `spec/daemon/media-generation.slow.spec.ts`. Two real guests
 * have all of them: `spec/guest/optical/shared-drive.ts`, `shared-burner.ts` and, from the same list as here, `shared-traces.ts`.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MediaChangeStyle } from '../../src/scsi/medium.ts';
import { TRACE_CDBS, TRACES, type Trace } from '../support/media-traces.ts';
import {
  type Bench,
  describeOnEveryPort,
  describeOnSrpPorts,
  sense,
  type TestInitiator,
} from '../support/ports.ts';

const STYLES: readonly MediaChangeStyle[] = ['t10', 'maxfield'];
const DISK_BYTES = 2 ** 20;
const IN_FLIGHT = 20;
/** Initiators come and go here, and move little. */
const SMALL = { regionBytes: 2 ** 20, commandsPerQueue: 8 };

class Play {
  readonly #bench: Bench;
  readonly #lun: number;
  readonly #image: string;
  readonly #guests = new Map<string, TestInitiator>();

  constructor(bench: Bench, lun: number, image: string) {
    this.#bench = bench;
    this.#lun = lun;
    this.#image = image;
  }

  async begin(): Promise<void> {
    for (const who of ['A', 'B']) {
      this.#guests.set(who, await this.#bench.initiator(this.#lun, SMALL));
    }
    assert.equal((await this.#guests.get('A')?.write(0, 0x11))?.status, 0);
  }

  async step(step: string): Promise<void> {
    const [who = '', what = '', outcome = ''] = step.split(' ');
    if (who === 'operator') await this.#operate(what);
    else if (what === 'dies') await this.#die(await this.#guest(who));
    else assert.equal(await this.#command(await this.#guest(who), what, outcome), outcome, step);
  }

  async #guest(who: string): Promise<TestInitiator> {
    const known = this.#guests.get(who);
    if (known !== undefined) return known;
    const fresh = await this.#bench.fresh(this.#lun, SMALL);
    this.#guests.set(who, fresh);
    return fresh;
  }

  /** Whoever dies holds nothing, as soon as its transport has noticed. */
  async #die({ initiator }: TestInitiator): Promise<void> {
    await initiator.close();
    await this.#bench.free(this.#lun);
  }

  async #operate(what: string): Promise<void> {
    if (what === 'take') await this.#bench.takeMedium(this.#lun);
    else if (what === 'put') await this.#bench.putMedium(this.#lun, null);
    else if (what === 'swap') await this.#bench.putMedium(this.#lun, this.#image);
    else await this.#bench.inject(this.#lun, { operation: 'read', fault: 'gone', count: 1 });
  }

  async #command(guest: TestInitiator, what: string, expected: string): Promise<string> {
    const data =
      what === 'read' || what === 'capacity' ? { dataInBytes: what === 'read' ? 512 : 8 } : {};
    const out = what === 'write' ? { dataOut: new Uint8Array(512).fill(0x77) } : {};
    const result = await guest.run(TRACE_CDBS[what] as string, { ...data, ...out });
    if (expected.startsWith('!')) return `!${result.status}`;
    if (result.status !== 0) return sense(result);
    const shown = Buffer.from(result.dataIn).toString('hex', 0, (expected.length - 1) / 2);
    return expected.startsWith('=') ? `=${shown}` : '';
  }
}

/** A test for each trace and style. */
function play(bench: () => Bench, traces: readonly Trace[]): void {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-spec-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const trace of traces) {
    for (const mediaChangeStyle of STYLES) {
      const steps = trace[mediaChangeStyle];
      if (steps === undefined) continue;
      it(`${trace.name} (${trace.maxfield === undefined ? 'both' : mediaChangeStyle})`, async () => {
        const image = join(directory, 'other.img');
        writeFileSync(image, Buffer.alloc(2 ** 20, 0x22));
        const style = trace.maxfield === undefined ? 'maxfield' : mediaChangeStyle;
        const traits = { removable: true, mediaChangeStyle: style } as const;
        const guests = new Play(bench(), await bench().disk(DISK_BYTES, undefined, traits), image);
        await guests.begin();
        for (const step of steps) await guests.step(step);
      });
    }
  }
}

const isRow = ({ name }: Trace): boolean => name.startsWith('row');

describeOnEveryPort('media change', (bench) => {
  play(
    bench,
    TRACES.filter((trace) => !isRow(trace)),
  );

  it('X14 a thousand idle TEST UNIT READY look at no store', async () => {
    const lun = await bench().disk(DISK_BYTES, undefined, { removable: true });
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'any', fault: 'medium' });
    for (let i = 0; i < 1000; i += IN_FLIGHT) {
      const answers = await Promise.all(Array.from({ length: IN_FLIGHT }, () => a.ready()));
      assert.deepEqual(new Set(answers), new Set(['']));
    }
    assert.equal(sense(await a.read(0)), '3/11/00', 'the rule was there');
  });
});

describeOnSrpPorts('media change, the seed’s state machine', (bench) =>
  play(bench, TRACES.filter(isRow)),
);
