/**
 * Bugs of targets that cost somebody a file system, and the tests that catch them here. A test says in its title which one
 * it catches ("K09 …"); those that had no other place are below.
 */
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandResult } from '../../src/initiator/request.ts';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { describeOnEveryPort, sense } from '../support/ports.ts';
import { disk, type TestNexus } from '../support/target.ts';

/** What each one is about. */
const KILLERS: Readonly<Record<string, string>> = {
  K01: 'GOOD for SYNCHRONIZE CACHE or FUA with the data still in a volatile cache',
  K02: 'a task management function answered while a write is in flight',
  K03: 'LOGICAL UNIT RESET drops acknowledged data',
  K04: 'the unit attention of a reset is missing on a path',
  K05: 'one nexus eats the unit attention of another',
  K06: 'a unit attention that never goes away, or that INQUIRY clears',
  K07: 'MODE SELECT is reported to its causer',
  K08: 'ORDERED is no barrier',
  K09: 'overlapping SIMPLE writes change places',
  K10: 'a read overtakes an older write of its blocks',
  K11: 'a reservation keeps out READ and WRITE (10) and lets others through',
  K12: 'registrations gone at a logout or reset, or there after a restart without APTPL',
  K13: 'writes of a preempted node land after PREEMPT AND ABORT',
  K14: 'another nexus waits forever for commands that were cleared',
  K15: 'no space reported as a medium error or as GOOD',
  K16: 'a read error swallowed, a short read filled with zeros',
  K17: 'a failed flush told once and then forgotten',
  K18: 'LBA arithmetic in 32 or 53 bits',
  K19: 'INFORMATION cut to 32 bits',
  K20: 'a short data-out buffer writes garbage behind its data',
  K21: 'writes for the old medium reach the new one',
  K22: 'COMPARE AND WRITE is not atomic',
  K23: 'UNMAP wipes a later write',
  K24: 'WCE = 0 with data in a cache, or turned off without a flush',
  K25: 'one CHECK CONDITION ends the whole queue',
  K26: 'no TASK SET FULL: memory grows, or the connection ends',
  K27: 'a lost write told by a command that is executed as well',
  K28: 'reservations torn by a crash while they are saved',
  K29: 'a command executed although it reported a unit attention',
  K30: 'a tag that is used twice executes twice',
  K31: 'stop or eject without a flush',
  K32: 'status twice, or none',
};

/** dist/spec/conformance → the sources of the specs. */
const SPECS = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'spec');

/** Every number that the title of a test or suite names. */
function named(): Set<string> {
  const found = new Set<string>();
  for (const name of readdirSync(SPECS, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.spec.ts')) continue;
    const text = readFileSync(join(SPECS, name), 'utf8');
    for (const [title] of text.matchAll(/\b(?:it|describe)\(\s*(?:'[^'\n]*'|`[^`\n]*`)/g)) {
      for (const [number] of title.matchAll(/\bK\d\d\b/g)) found.add(number);
    }
  }
  return found;
}

describe('journal killers', () => {
  it('all 32 have a test that names them', () => {
    const numbers = Array.from({ length: 32 }, (_, i) => `K${String(i + 1).padStart(2, '0')}`);
    assert.deepEqual(Object.keys(KILLERS), numbers);
    assert.deepEqual([...named()].sort(), Object.keys(KILLERS).sort());
  });

  it('K26 of 10 000 commands those that find no room are told TASK SET FULL, and the others end', function () {
    this.timeout(30_000);
    const bed = disk({ blocks: 2048 });
    const a = bed.nexus('a').clear();
    bed.store.hold = true;
    const commands = Array.from({ length: 10_000 }, (_, i) =>
      a.start(`28 00 00 00 ${(i % 2048).toString(16).padStart(4, '0')} 00 00 01 00`, { in: 512 }),
    );
    const refused = commands.filter((command) => command.done);
    assert.ok(refused.every((command) => command.result.status === 0x28));
    assert.equal(refused.length, 10_000 - bed.unit.taskSet.count);
    assert.ok(bed.unit.taskSet.count >= 1024, 'there is room for many');
    bed.store.releaseAll();
    bed.store.hold = false;
    const good = commands.filter((command) => command.result.status === 0);
    assert.equal(good.length, 10_000 - refused.length);
    assert.equal(a.run('00 00 00 00 00 00').status, 0, 'and later ones run');
  });
});

describe('journal killers, a flush that failed', () => {
  it('is told by what flushes, as a current error; a command that flushes nothing carries no news and does its work', () => {
    const bed = disk();
    const a = bed.nexus('a').clear();
    bed.store.fail('flush', MEDIUM_WRITE);
    for (let i = 0; i < 2; i += 1) {
      const sync = a.run('35 00 00 00 00 00 00 00 00 00');
      assert.equal(sync.sense, '3/0c/00');
      assert.equal(sync.senseBytes[0], 0x70, 'current, not deferred');
      const write = a.run('2a 00 00 00 00 05 00 00 01 00', { out: block(i + 1) });
      assert.equal(write.status, 0);
      assert.equal(a.run('28 00 00 00 00 05 00 00 01 00', { in: 512 }).dataIn[0], i + 1);
    }
  });
});

describe('deferred errors (SPC-4 4.5.7)', () => {
  const SYNC = '35 00 00 00 00 00 00 00 00 00';
  const write = (lba: number, fua = false): number[] => [
    0x2a,
    fua ? 8 : 0,
    0,
    0,
    0,
    lba,
    0,
    0,
    1,
    0,
  ];
  const setUp = () => {
    const bed = disk();
    const nexuses = ['a', 'b', 'c'].map((name) => bed.nexus(name).clear());
    return { bed, nexuses };
  };

  it('K27 a flush of another that failed is told once, by a command that is not executed', () => {
    const { bed, nexuses } = setUp();
    const [a, b, c] = nexuses as [TestNexus, TestNexus, TestNexus];
    assert.equal(a.run(write(5), { out: block(1) }).status, 0);
    bed.store.fail('flush', MEDIUM_WRITE);
    assert.equal(b.run(SYNC).senseBytes[0], 0x70, 'who asked has a current error');
    const told = a.run(write(6), { out: block(2) });
    assert.equal(told.sense, '3/0c/00');
    assert.equal(told.senseBytes[0], 0x71, 'deferred');
    assert.equal(bed.store.memory[6 * 512], 0, 'the command that carries it is not executed');
    assert.equal(a.run(write(6), { out: block(2) }).status, 0, 'once');
    assert.equal(c.run('00 00 00 00 00 00').status, 0, 'who wrote nothing hears nothing');
  });

  it('do not concern who flushed since, or wrote with FUA alone', () => {
    const { bed, nexuses } = setUp();
    const [a, b, c] = nexuses as [TestNexus, TestNexus, TestNexus];
    a.run(write(5), { out: block(1) });
    assert.equal(c.run(SYNC).status, 0, 'whoever asks, all is flushed');
    b.run(write(6, true), { out: block(1) });
    bed.store.fail('flush', MEDIUM_WRITE);
    assert.equal(c.run(SYNC).sense, '3/0c/00');
    for (const n of [a, b]) assert.equal(n.run('00 00 00 00 00 00').status, 0);
  });

  it('come after unit attentions, outlive resets, and REQUEST SENSE takes them as data (71h, 73h)', () => {
    const { bed, nexuses } = setUp();
    const [a, b] = nexuses as [TestNexus, TestNexus, TestNexus];
    for (const n of [a, b]) n.run(write(5), { out: block(1) });
    bed.store.fail('flush', MEDIUM_WRITE);
    nexuses[2]?.run(SYNC);
    nexuses[2]?.manage(0x08);
    assert.equal(a.run('00 00 00 00 00 00').sense, '6/29/03');
    assert.equal(a.run('12 00 00 00 24 00', { in: 36 }).status, 0, 'INQUIRY carries none');
    assert.equal(a.run('03 00 00 00 12 00', { in: 18 }).dataIn[0], 0x71);
    assert.equal(a.run('03 00 00 00 12 00', { in: 18 }).dataIn[0], 0x70);
    b.run('00 00 00 00 00 00');
    const descriptors = b.run('03 01 00 00 20 00', { in: 32 }).dataIn;
    assert.deepEqual([...descriptors.subarray(0, 4)], [0x73, 3, 0x0c, 0]);
  });

  it('with WCE = 0 do not exist', () => {
    const { bed, nexuses } = setUp();
    const [a, b] = nexuses as [TestNexus, TestNexus, TestNexus];
    const page = [0x08, 0x12, ...new Array<number>(18).fill(0)];
    const out = Uint8Array.from([0, 0, 0, 0, ...page]);
    assert.equal(a.run([0x15, 0x10, 0, 0, out.length, 0], { out }).status, 0);
    b.run('00 00 00 00 00 00');
    assert.equal(a.run(write(5), { out: block(1) }).status, 0);
    bed.store.fail('flush', MEDIUM_WRITE);
    assert.equal(b.run(SYNC).sense, '3/0c/00');
    assert.equal(a.run('00 00 00 00 00 00').status, 0);
  });
});

const COUNTER_LBA = 40;
const INCREMENTS = 60;
const MISCOMPARE = 'e/1d/00';

function block(value: number): Uint8Array {
  return new Uint8Array(512).fill(value);
}

describeOnEveryPort('journal killers', (bench) => {
  it('K22 two initiators that count by COMPARE AND WRITE lose no count, whoever reads meanwhile', async function () {
    this.timeout(30_000);
    const lun = await bench().disk();
    const both = [await bench().initiator(lun), await bench().initiator(lun)];
    let last = 0;
    const count = async (who: (typeof both)[number]): Promise<void> => {
      for (let done = 0; done < INCREMENTS; ) {
        const seen: CommandResult = await who.read(COUNTER_LBA);
        const value = seen.dataIn[0] as number;
        assert.deepEqual(seen.dataIn, block(value), 'no read sees half of a write');
        const dataOut = new Uint8Array([...block(value), ...block(value + 1)]);
        const cdb = `89 00 00 00 00 00 00 00 00 ${COUNTER_LBA.toString(16)} 00 00 00 01 00 00`;
        const swapped = await who.run(cdb, { dataOut });
        if (swapped.status === 0) {
          done += 1;
          last = Math.max(last, value + 1);
        } else {
          assert.equal(sense(swapped), MISCOMPARE);
        }
      }
    };
    await Promise.all(both.map(count));
    assert.equal(last, INCREMENTS * 2);
    assert.equal(await (both[0] as (typeof both)[number]).byteAt(COUNTER_LBA), INCREMENTS * 2);
  });
});
