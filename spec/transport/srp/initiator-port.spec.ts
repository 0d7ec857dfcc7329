/** The initiator's callback core against a target whose every byte is scripted (SRP r16a clauses 5, 6; LoPAR virtual SCSI). */
import { strict as assert } from 'node:assert';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ABORTED,
  ANSWERED,
  GARBLED,
  IDLE,
  IN_FLIGHT,
  LOST,
  SrpCommand,
  SrpManagement,
} from '../../../src/transport/srp/initiator-command.ts';
import {
  type InitiatorPortOptions,
  initiatorPortBytes,
} from '../../../src/transport/srp/initiator-port.ts';
import {
  address,
  command,
  DATA,
  IU_OFFSET,
  NO_LUN_BITS,
  ScriptedTarget,
  tagOf,
  vector,
} from '../../support/scripted-target.ts';

describe('SRP initiator port', () => {
  const rigs: ScriptedTarget[] = [];
  const rig = (options: Partial<InitiatorPortOptions> = {}): ScriptedTarget => {
    const made = new ScriptedTarget(options);
    rigs.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of rigs.splice(0)) made.loopback.close();
  });

  describe('information units', () => {
    it('V20: INQUIRY, direct data-in', () => {
      const r = rig();
      r.logIn(10);
      const inquiry = new SrpCommand();
      const cdb = Buffer.from(vector('V20').slice(64, 96), 'hex');
      inquiry.cdb.set(cdb);
      inquiry.cdbBytes = 16;
      const length = Number.parseInt(vector('V20').slice(120, 128), 16);
      inquiry.dataIn.add(0, DATA, length);
      assert.equal(r.port.submit(inquiry), true);
      const iu = r.take();
      assert.equal(iu, vector('V20', { 8: tagOf(iu), 20: NO_LUN_BITS, 48: address(DATA) }));
    });

    it('V22: WRITE(10), direct data-out, ORDERED, on LUN 81 00', () => {
      const r = rig();
      r.logIn(10);
      const bytes = Number.parseInt(vector('V22').slice(120, 128), 16);
      const write = command(vector('V22').slice(64, 96));
      write.dataOut.add(0xcafe0001, DATA, bytes);
      write.attribute = 2;
      write.lun.set([0x81, 0]);
      assert.equal(r.port.submit(write), true);
      const iu = r.take();
      assert.equal(iu, vector('V22', { 1: '00', 8: tagOf(iu), 48: address(DATA) }));
    });

    it('V23: READ(10), indirect, the whole table inside the IU', () => {
      const r = rig();
      r.logIn(10);
      const source = vector('V23');
      const read = command(source.slice(64, 96));
      const lengths = [0, 1].map((i) =>
        Number.parseInt(source.slice((68 + i * 16 + 12) * 2, (68 + i * 16 + 16) * 2), 16),
      );
      read.dataIn.add(0, DATA, lengths[0] as number);
      read.dataIn.add(0, DATA + 0x10000, lengths[1] as number);
      assert.equal(r.port.submit(read), true);
      const iu = r.take();
      const list = address(r.element.low + 68);
      const changes = {
        8: tagOf(iu),
        20: NO_LUN_BITS,
        48: list,
        68: address(DATA),
        84: address(DATA + 0x10000),
      };
      assert.equal(iu, vector('V23', changes));
    });

    it('V26: bidirectional, data-out descriptor first', () => {
      const r = rig();
      r.logIn(10);
      const source = vector('V26');
      const both = command(source.slice(64, 96));
      both.dataOut.add(0, DATA, Number.parseInt(source.slice(120, 128), 16));
      both.dataIn.add(0, DATA + 0x10000, Number.parseInt(source.slice(152, 160), 16));
      r.port.submit(both);
      const iu = r.take();
      const changes = { 20: NO_LUN_BITS, 48: address(DATA), 64: address(DATA + 0x10000) };
      assert.equal(iu, vector('V26', { 8: tagOf(iu), ...changes }));
    });

    it('V27: READ(32), additional CDB', () => {
      const r = rig();
      r.logIn(10);
      const source = vector('V27');
      const bytes = Number.parseInt(source.slice(152, 160), 16);
      const read = command(source.slice(64, 128), 'in', bytes);
      r.port.submit(read);
      const iu = r.take();
      assert.equal(iu, vector('V27', { 8: tagOf(iu), 20: NO_LUN_BITS, 64: address(DATA) }));
    });

    it('V28: MODE SELECT(6), SRP-2 immediate data at offset 68', () => {
      const r = rig({ immediateData: true });
      r.logIn(10, 0x80);
      const source = Buffer.from(vector('V28'), 'hex');
      const data = source.subarray(68);
      r.view.set(data, DATA);
      const select = command(vector('V28').slice(64, 96), 'out', data.length);
      r.port.submit(select);
      const iu = r.take();
      assert.equal(iu, vector('V28', { 8: tagOf(iu), 20: NO_LUN_BITS }));
    });

    it('immediate data only when the target granted it and it fits', () => {
      const asked = rig({ immediateData: true });
      asked.logIn(10, 0);
      asked.port.submit(command('2a 00 00000000 00 0001 00', 'out', 24));
      assert.equal(asked.take().slice(10, 12), '10');
      const granted = rig({ immediateData: true });
      granted.logIn(10, 0x80);
      granted.port.submit(command('2a 00 00000000 00 0001 00', 'out', 512));
      assert.equal(granted.take().slice(10, 12), '10');
    });

    it('V14: ABORT TASK names the tag of its task', () => {
      const r = rig();
      r.logIn(10);
      const read = command('28 00 00000000 00 0001 00', 'in', 512);
      r.port.submit(read);
      const managedTag = tagOf(r.take());
      const abort = new SrpManagement();
      abort.managementFunction = 1;
      abort.managed = read;
      assert.equal(r.port.manage(abort), true);
      const iu = r.take();
      assert.equal(iu, vector('V14', { 8: tagOf(iu), 20: NO_LUN_BITS, 32: managedTag }));
      assert.notEqual(tagOf(iu), managedTag);
    });
  });

  describe('responses', () => {
    it('V38: GOOD', () => {
      const r = rig();
      r.logIn(10);
      let ended = 0;
      const ready = command('00 00 00 00 00 00');
      ready.done = () => {
        ended += 1;
      };
      r.port.submit(ready);
      assert.equal(ready.outcome, IN_FLIGHT);
      r.take();
      r.answer(vector('V38'));
      assert.equal(ended, 1);
      assert.deepEqual([ready.outcome, ready.status, ready.senseBytes], [ANSWERED, 0, 0]);
      assert.equal(r.port.requestLimit, 10);
      assert.equal(r.port.outstanding, 0);
    });

    it('V39, V41: sense data and residual', () => {
      const r = rig();
      r.logIn(10);
      const write = command('2a 00 00000000 00 0008 00', 'out', 4096);
      r.port.submit(write);
      r.take();
      r.answer(vector('V41'));
      assert.deepEqual([write.status, write.residualOut, write.residualIn], [2, 4096, 0]);
      const sense = Buffer.from(write.sense.subarray(0, write.senseBytes)).toString('hex');
      assert.equal(sense, '700007000000000a00000000270000000000');
    });

    it('V40, V42, V43: residuals of both signs and both directions', () => {
      const r = rig();
      r.logIn(10);
      const residuals = ['V40', 'V42', 'V43'].map((id) => {
        const both = command('12 00 00 00 24 00', 'in', 252);
        r.port.submit(both);
        r.take();
        r.answer(vector(id));
        return [both.residualIn, both.residualOut];
      });
      assert.deepEqual(residuals, [
        [216, 0],
        [-512, 0],
        [100, 12],
      ]);
    });

    it('sense data behind response data', () => {
      const r = rig();
      r.logIn(10);
      const ready = command('00 00 00 00 00 00');
      r.port.submit(ready);
      r.take();
      const plain = vector('V39', { 18: '03', 32: '00000004' });
      r.answer(`${plain.slice(0, 72)}00000000${plain.slice(72)}`);
      assert.equal(ready.outcome, ANSWERED);
      assert.equal(ready.sense[2], 5);
    });

    it('lengths that point outside the response, and other IUs, are no answer', () => {
      const garbage = [
        vector('V39', { 28: '000000ff' }),
        vector('V39', { 28: 'fffffff0' }),
        vector('V39', { 32: 'ffffffff', 18: '03' }),
        vector('V06'),
        vector('V38').slice(0, 60),
      ];
      for (const hex of garbage) {
        const r = rig();
        r.logIn(10);
        const ready = command('00 00 00 00 00 00');
        r.port.submit(ready);
        r.take();
        r.answer(hex);
        assert.equal(ready.outcome, GARBLED, hex);
      }
    });

    it('a response that comes late or twice, or for nobody, touches no command', () => {
      const r = rig();
      r.logIn(10);
      const first = command('00 00 00 00 00 00');
      r.port.submit(first);
      const tag = tagOf(r.take());
      const high = Number.parseInt(tag.slice(0, 8), 16);
      const low = Number.parseInt(tag.slice(8), 16);
      r.answer(vector('V38'));
      const second = command('00 00 00 00 00 00');
      r.port.submit(second);
      r.take();
      assert.equal(r.element.low, IU_OFFSET, 'the slot is used again');
      r.send(1, 36, high, low);
      r.send(1, 36, high, 0xffff);
      r.send(1, 36, 0xffffffff, 0xffffffff);
      r.send(7, 36, high, low);
      assert.equal(second.outcome, IN_FLIGHT);
      assert.equal(r.port.strays, 4);
      r.answer(vector('V38'));
      assert.equal(second.outcome, ANSWERED);
    });
  });

  describe('credits', () => {
    it('commands leave the last requests to task management, and nothing goes beyond the limit', () => {
      const r = rig();
      r.logIn(5);
      const sent = Array.from({ length: 4 }, () => command('00 00 00 00 00 00'));
      assert.deepEqual(
        sent.map((one) => r.port.submit(one)),
        [true, true, true, false],
      );
      assert.equal(sent[3]?.outcome, IDLE);
      const functions = Array.from({ length: 3 }, () => new SrpManagement());
      for (const one of functions) one.managementFunction = 2;
      assert.deepEqual(
        functions.map((one) => r.port.manage(one)),
        [true, true, false],
      );
      assert.equal(r.port.requestLimit, 0);
    });

    it('V49: a delta may be negative', () => {
      const r = rig();
      r.logIn(10);
      r.port.submit(command('00 00 00 00 00 00'));
      r.take();
      r.answer(vector('V49'));
      assert.equal(r.port.requestLimit, 6);
    });

    it('V50, V51: CRED_REQ is added, answered with its tag, and its buffer parked again', () => {
      const r = rig();
      const [parked] = r.logIn(10);
      assert(parked);
      r.request(vector('V50'), parked);
      assert.equal(r.port.requestLimit, 18);
      const tag = parked.slice(0, 2).map((half) => half.toString(16).padStart(8, '0'));
      assert.equal(r.take(), vector('V51', { 8: tag.join('') }));
      const again = r.take();
      assert.equal(again.slice(0, 8), '00000001');
      assert.equal(Number.parseInt(again.slice(40, 48), 16), parked[2]);
      assert.notEqual(tagOf(again), tag.join(''));
      assert.equal(r.quiet(), true);
    });

    it('V52, V53: AER_REQ is told and answered', () => {
      const r = rig();
      const [parked] = r.logIn(10);
      assert(parked);
      r.request(vector('V52'), parked);
      assert.equal(r.port.requestLimit, 11);
      assert.deepEqual(r.happened, ['event 0000000000000000 700006000000000a000000003f0e00000000']);
      const tag = parked.slice(0, 2).map((half) => half.toString(16).padStart(8, '0'));
      assert.equal(r.take(), vector('V53', { 8: tag.join('') }));
    });
  });

  describe('task management', () => {
    const setUp = (count: number): { r: ScriptedTarget; commands: SrpCommand[] } => {
      const r = rig();
      r.logIn(20);
      const commands = Array.from({ length: count }, () => command('00 00 00 00 00 00'));
      for (const one of commands) {
        r.port.submit(one);
        r.take();
      }
      return { r, commands };
    };

    it('V47: a command killed by ABORT TASK ends, its credit comes with the answer', () => {
      const { r, commands } = setUp(2);
      const abort = new SrpManagement();
      abort.managementFunction = 1;
      abort.managed = commands[0] as SrpCommand;
      r.port.manage(abort);
      r.take();
      r.answer(vector('V47'));
      assert.deepEqual([abort.outcome, abort.responseCode], [ANSWERED, 0]);
      assert.deepEqual(
        commands.map((one) => one.outcome),
        [ABORTED, IN_FLIGHT],
      );
      assert.equal(r.port.requestLimit, 19);
    });

    it('a query kills nothing, whatever its answer, and brings what it found', () => {
      const { r, commands } = setUp(1);
      const query = new SrpManagement();
      query.managementFunction = 0x83;
      for (const [response, code, information] of [
        ['16290008', 8, 0x162900],
        ['00000000', 0, 0],
      ] as const) {
        r.port.manage(query);
        assert.equal(r.take().slice(60, 62), '83');
        r.answer(vector('V46', { 36: response }));
        assert.deepEqual([query.responseCode, query.information], [code, information]);
        assert.equal(commands[0]?.outcome, IN_FLIGHT);
      }
    });

    it('I_T NEXUS RESET ends the commands of every logical unit', () => {
      const r = rig();
      r.logIn(20);
      const other = command('00 00 00 00 00 00');
      other.lun.set([0, 5]);
      r.port.submit(other);
      r.take();
      const reset = new SrpManagement();
      reset.managementFunction = 0x80;
      r.port.manage(reset);
      r.take();
      r.answer(vector('V46'));
      assert.equal(other.outcome, ABORTED);
    });

    it('V48: a function that was refused kills nothing', () => {
      const { r, commands } = setUp(1);
      const abort = new SrpManagement();
      abort.managementFunction = 1;
      abort.managed = commands[0] as SrpCommand;
      r.port.manage(abort);
      r.take();
      r.answer(vector('V48'));
      assert.equal(abort.responseCode, 4);
      assert.equal(commands[0]?.outcome, IN_FLIGHT);
    });

    it('a successful answer without response data is none', () => {
      const { r } = setUp(0);
      const reset = new SrpManagement();
      reset.managementFunction = 8;
      r.port.manage(reset);
      r.take();
      r.answer(vector('V38'));
      assert.equal(reset.outcome, GARBLED);
    });

    it('LOGICAL UNIT RESET ends the older commands of its LUN only', () => {
      const { r, commands } = setUp(2);
      const elsewhere = command('00 00 00 00 00 00');
      elsewhere.lun[1] = 5;
      r.port.submit(elsewhere);
      r.take();
      const reset = new SrpManagement();
      reset.managementFunction = 8;
      r.port.manage(reset);
      r.take();
      const at = r.element.low;
      const younger = command('00 00 00 00 00 00');
      r.port.submit(younger);
      r.take();
      r.element.low = at;
      r.answer(vector('V46'));
      assert.deepEqual(
        [...commands, elsewhere, younger].map((one) => one.outcome),
        [ABORTED, ABORTED, IN_FLIGHT, IN_FLIGHT],
      );
    });

    it('a command that ended before the abort was answered is not ended again, nor its successor', () => {
      const { r, commands } = setUp(1);
      const [first] = commands;
      assert(first);
      const commandAt = r.element.low;
      const abort = new SrpManagement();
      abort.managementFunction = 1;
      abort.managed = first;
      r.port.manage(abort);
      r.take();
      const abortAt = r.element.low;
      r.element.low = commandAt;
      r.answer(vector('V38'));
      assert.equal(first.outcome, ANSWERED);
      r.port.submit(first);
      r.take();
      r.element.low = abortAt;
      r.answer(vector('V46'));
      assert.equal(first.outcome, IN_FLIGHT);
    });
  });

  describe('the end', () => {
    const lost = (end: (r: ScriptedTarget, parked: [number, number, number]) => void): string[] => {
      const r = rig();
      const [parked] = r.logIn(10);
      assert(parked);
      const ready = command('00 00 00 00 00 00');
      const reset = new SrpManagement();
      reset.managementFunction = 8;
      r.port.submit(ready);
      r.port.manage(reset);
      end(r, parked);
      assert.deepEqual([ready.outcome, reset.outcome], [LOST, LOST]);
      assert.equal(r.port.submit(command('00 00 00 00 00 00')), false);
      assert.equal(r.port.outstanding, 0);
      return r.happened;
    };

    it('V13: T_LOGOUT', () => {
      const said = lost((r, parked) => r.request(vector('V13'), parked));
      assert.deepEqual(said, ['lost: the target logged this initiator out (reason 4)']);
    });

    it('C09, C10, C11: transport events', () => {
      for (const [format, words] of [
        [1, 'lost: the target failed'],
        [2, 'lost: the target closed the channel'],
        [6, 'lost: transport event 06h'],
      ] as const) {
        const said = lost((r) => {
          r.loopback.target.send(0xff, format, 0, 0, 0, 0, 0);
          r.port.poll(8);
          r.loopback.target.send(0xff, 2, 0, 0, 0, 0, 0);
          r.port.poll(8);
        });
        assert.deepEqual(said, [words]);
      }
    });

    it('an initialization on a channel that is up', () => {
      const said = lost((r) => {
        r.loopback.target.send(0xc0, 1, 0, 0, 0, 0, 0);
        r.port.poll(8);
      });
      assert.deepEqual(said, ['lost: the target initialized the channel again']);
    });

    it('V11: logout', () => {
      const r = rig();
      r.logIn(10);
      r.port.logout();
      const iu = r.take();
      assert.equal(iu, vector('V11', { 8: tagOf(iu) }));
      assert.equal(r.port.submit(command('00 00 00 00 00 00')), false);
    });
  });

  it('C07, C08: PING is answered, with the code in either byte', () => {
    const r = rig();
    r.logIn(10);
    for (const [reserved, status] of [
      [0, 0xf5],
      [0xf5, 0],
    ] as const) {
      const ping = {
        valid: 0x80,
        format: 6,
        reserved,
        status,
        timeout: 0,
        length: 0,
        high: 0,
        low: 0,
      };
      r.loopback.target.inject(ping);
      r.port.poll(8);
      r.take();
      const { valid, format, status: answered, high, low } = r.element;
      assert.deepEqual([valid, format, answered, high, low], [0x80, 6, 0xf6, 0, 0]);
    }
  });

  it('half a million commands with preallocated objects cause no garbage collection', async function () {
    this.timeout(20_000);
    const r = rig();
    r.logIn(10);
    const { port, element, loopback } = r;
    const data = loopback.memory.regions[0]?.data as DataView;
    const read = command('28 00 00000000 00 0008 00', 'in', 4096);
    let ended = 0;
    read.done = () => {
      ended += 1;
    };
    const run = (count: number): void => {
      for (let i = 0; i < count; i += 1) {
        port.submit(read);
        loopback.target.take(element);
        const at = element.low;
        const high = data.getUint32(at + 8);
        const low = data.getUint32(at + 12);
        data.setUint32(at, 0xc1000000);
        data.setUint32(at + 4, 1);
        data.setUint32(at + 16, 0);
        loopback.target.send(0x80, 1, 0, 0, 36, high, low);
        port.poll(8);
        port.flush();
      }
    };
    run(20_000);
    globalThis.gc?.();
    await sleep(50);
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length;
    });
    observer.observe({ entryTypes: ['gc'] });
    run(500_000);
    await sleep(20);
    observer.disconnect();
    assert.equal(ended, 520_000);
    assert.equal(collections, 0);
  });

  it('needs as many bytes as it says', () => {
    assert.equal(initiatorPortBytes(64), (64 + 6) * 512);
    const bytes = 0x200000 - initiatorPortBytes(8);
    assert.doesNotThrow(() => rig({ iuOffset: bytes }));
    assert.throws(() => rig({ iuOffset: bytes + 1 }), { code: 'ERR_INVARIANT' });
  });
});
