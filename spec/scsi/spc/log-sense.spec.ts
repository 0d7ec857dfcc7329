/** LOG SENSE (SPC-4 6.8) and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 6.36). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { DONE, MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk, type TestNexus } from '../../support/target.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const log = (n: TestNexus, page: number, subpage = 0, pointer = 0) =>
  n.run([0x4d, 0, page, subpage, 0, pointer >> 8, pointer & 0xff, 1, 0, 0], { in: 256 });

describe('LOG SENSE', () => {
  it('lists its pages, with subpages too', () => {
    const a = disk().nexus('a').clear();
    assert.equal(hex(log(a, 0x40).dataIn), '00000009' + '0002030d0e10191a2f');
    assert.equal(
      hex(log(a, 0x40, 0xff).dataIn),
      '40ff0014' + '000000ff020003000d000e00100019001a002f00',
    );
  });

  it('counts bytes and errors of reads and writes', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    a.run('2a 00 00 00 00 00 00 00 03 00', { out: new Uint8Array(1536) });
    a.run('28 00 00 00 00 00 00 00 02 00', { in: 1024 });
    t.store.fail('write', MEDIUM_WRITE);
    a.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(512) });
    t.store.fail('read', MEDIUM_READ, 0, 2);
    for (let i = 0; i < 2; i += 1) a.run('28 00 00 00 00 00 00 00 01 00', { in: 512 });
    assert.equal(
      hex(log(a, 0x42).dataIn),
      '82000018' + '00052008' + '0000000000000600' + '00062008' + '0000000000000001',
    );
    assert.equal(
      hex(log(a, 0x43).dataIn),
      '83000018' + '00052008' + '0000000000000400' + '00062008' + '0000000000000002',
    );
  });

  it('begins where PARAMETER POINTER says, which may not be behind the last', () => {
    const a = disk().nexus('a').clear();
    assert.equal(hex(log(a, 0x42, 0, 6).dataIn), '8200000c' + '00062008' + '0000000000000000');
    const behind = log(a, 0x42, 0, 7);
    assert.deepEqual([behind.sense, behind.pointer], ['5/24/00', 'cdb 5']);
  });

  it('says that there is no informational exception, and no thermometer', () => {
    const a = disk().nexus('a').clear();
    assert.equal(hex(log(a, 0x6f).dataIn), 'af000008' + '00002304' + '0000ff00');
    assert.equal(hex(log(a, 0x4d).dataIn), '8d000006' + '00002302' + '00ff');
  });

  it('counts commands and blocks of reads and writes', () => {
    const a = disk().nexus('a').clear();
    for (let i = 0; i < 3; i += 1) {
      a.run('2a 00 00 00 00 00 00 00 03 00', { out: new Uint8Array(1536) });
    }
    a.run('28 00 00 00 00 00 00 00 02 00', { in: 1024 });
    const counts = ['01', '03', '09', '02'].map((count) => count.padStart(16, '0'));
    const rest = `00022208${'00'.repeat(8)}000323080000000600000001`;
    const expected = `9900005c${'00012240'}${counts.join('')}${'00'.repeat(32)}${rest}`;
    assert.equal(hex(log(a, 0x59).dataIn), expected);
    assert.equal(a.run('4c 02 59 00 00 00 00 00 00 00').status, 0);
    assert.equal(hex(log(a, 0x59).dataIn), `9900005c${'00012240'}${'00'.repeat(64)}${rest}`);
    assert.match(hex(log(a, 0x42).dataIn), /^82000018000520080{12}1200/);
  });

  describe('times of page 19h, in microseconds', () => {
    const READ = '28 00 00 00 00 00 00 00 01 00';
    const WRITE = '2a 00 00 00 00 00 00 00 01 00';

    /** A disk whose time passes when it is told. */
    function bench() {
      const t = disk();
      const a = t.nexus('a').clear();
      const pass = (milliseconds: number): void => {
        (t.time[0] as number) += milliseconds;
        t.target.clock.pass();
      };
      const times = (): { read: number; write: number; weighted: string; idle: number } => {
        const data = Buffer.from(log(a, 0x59).dataIn);
        return {
          read: Number(data.readBigUInt64BE(40)),
          write: Number(data.readBigUInt64BE(48)),
          weighted: data.subarray(56, 72).toString('hex'),
          idle: Number(data.readBigUInt64BE(76)),
        };
      };
      pass(0);
      return { store: t.store, a, pass, times };
    }

    it('a read counts from the turn that takes it to the turn that answers it', () => {
      const { a, pass, times, store } = bench();
      store.hold = true;
      const read = a.start(READ, { in: 512 });
      pass(3);
      pass(0.5);
      store.releaseAll();
      assert.equal(read.done, true);
      pass(0.25);
      pass(100);
      assert.deepEqual([times().read, times().write], [3750, 0]);
    });

    it('one that is answered in the turn that takes it counts that turn', () => {
      const { a, pass, times } = bench();
      a.run(READ, { in: 512 });
      pass(0.002);
      pass(1);
      assert.equal(times().read, 2);
    });

    it('reads beside each other add up, writes are apart', () => {
      const { a, pass, times, store } = bench();
      store.hold = true;
      for (const _ of [1, 2, 3]) a.start(READ, { in: 512 });
      a.start('2a 00 00 00 00 09 00 00 01 00', { out: new Uint8Array(512) });
      pass(2);
      assert.deepEqual([times().read, times().write], [6000, 2000]);
      store.releaseAll();
    });

    it('idle is the time without any command in the task set', () => {
      const { a, pass, times, store } = bench();
      const before = times().idle;
      pass(0);
      pass(10);
      store.hold = true;
      a.start(WRITE, { out: new Uint8Array(512) });
      pass(5);
      store.releaseAll();
      pass(0);
      pass(7);
      assert.equal(times().idle - before, 17_000);
    });

    it('weighted times are zero: there is no command priority', () => {
      const { a, pass, times } = bench();
      a.run(READ, { in: 512 });
      pass(1);
      assert.equal(times().weighted, '00'.repeat(16));
    });

    it('are set back by LOG SELECT with PCR = 1', () => {
      const { a, pass, times } = bench();
      a.run(READ, { in: 512 });
      pass(4);
      pass(6);
      assert.equal(a.run('4c 02 59 00 00 00 00 00 00 00').status, 0);
      assert.deepEqual([times().read, times().idle], [0, 0]);
    });
  });

  it('counts start-stop cycles, of removable disks loads as well', () => {
    const a = disk({ removable: true }).nexus('a').clear();
    for (const action of [2, 3, 2, 3]) a.run([0x1b, 0, 0, 0, action, 0]);
    assert.equal(
      hex(log(a, 0x4e).dataIn),
      '8e00001a' + '00022106' + '202020202020' + '00042304' + '00000000' + '00062304' + '00000002',
    );
    const fixed = disk().nexus('a').clear();
    for (const action of [0, 0, 1, 1, 0]) fixed.run([0x1b, 0, 0, 0, action, 0]);
    assert.equal(hex(log(fixed, 0x4e, 0, 4).dataIn), '8e000008' + '00042304' + '00000001');
  });

  it('where logs can be saved: DS = 0, TSD = 0; SP = 1 saves', () => {
    const saved: Uint8Array[] = [];
    const logStore = {
      save: (_: unknown, __: number, state: Uint8Array) => saved.push(state) && DONE,
    };
    const a = disk({ logStore }).nexus('a').clear();
    a.run('2a 00 00 00 00 00 00 00 03 00', { out: new Uint8Array(1536) });
    const r = a.run('4d 01 42 00 00 00 00 01 00 00', { in: 256 });
    assert.equal(
      hex(r.dataIn),
      '02000018' + '00050008' + '0000000000000600' + '00060008' + '0000000000000000',
    );
    assert.equal(saved.length, 1);
    assert.equal(hex(log(a, 0x6f).dataIn), 'af000008' + '00002304' + '0000ff00');
  });

  it('that cannot save is 4/44/00', () => {
    const a = disk({ logStore: { save: () => MEDIUM_WRITE } })
      .nexus('a')
      .clear();
    assert.equal(a.run('4d 01 42 00 00 00 00 01 00 00', { in: 256 }).sense, '4/44/00');
  });

  it('refuses pages and subpages it has not, saving, and values it does not keep', () => {
    const a = disk().nexus('a').clear();
    for (const [r, pointer] of [
      [log(a, 0x4c), 'cdb 2.5'],
      [log(a, 0x42, 1), 'cdb 3'],
      [log(a, 0x02), 'cdb 2.7'],
      [log(a, 0xc2), 'cdb 2.7'],
      [a.run('4d 01 42 00 00 00 00 01 00 00', { in: 256 }), 'cdb 1.0'],
    ] as const) {
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', pointer]);
    }
  });
});

describe('REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS', () => {
  it('lists what there is: each is carried out', () => {
    const a = disk().nexus('a').clear();
    assert.equal(hex(a.run('a3 0d 00 00 00 00 00 00 00 10 00 00', { in: 16 }).dataIn), 'fc070000');
    const extended = hex(a.run('a3 0d 80 00 00 00 00 00 00 10 00 00', { in: 16 }).dataIn);
    assert.equal(extended, `fc07000c${'00'.repeat(12)}`);
    for (const known of [0x01, 0x02, 0x40, 0x04, 0x08, 0x81, 0x82]) {
      assert.equal(a.manage(known).result.managementOutcome, 0, known.toString(16));
    }
    assert.equal(a.manage(0x80).result.managementOutcome, 0);
    // It finds the nexus loss of the one before.
    assert.equal(a.manage(0x83).result.managementOutcome, 3);
  });
});
