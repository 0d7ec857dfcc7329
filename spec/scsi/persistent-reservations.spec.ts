/** Persistent reservations (SPC-4 5.13, 6.15, 6.16), service action by service action. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { DONE, MEDIUM_WRITE, PENDING, type StoreReply } from '../../src/scsi/contracts.ts';
import { setControl } from '../support/control-page.ts';
import type { Outcome } from '../support/direct-port.ts';
import {
  CLEAR,
  moveOut,
  type OutOptions,
  PREEMPT,
  PREEMPT_AND_ABORT,
  REGISTER,
  REGISTER_AND_IGNORE,
  RELEASE,
  RESERVE,
  reserveOut,
  srpTransportId,
} from '../support/reservation-list.ts';
import { disk, type TestNexus } from '../support/target.ts';

const BLOCK = 512;
const GOOD = 0x00;
const CONFLICT = 0x18;
const TASK_ABORTED = 0x40;
const [WE, EA, WERO, EARO, WEAR, EAAR] = [1, 3, 5, 6, 7, 8];
const TYPES = [WE, EA, WERO, EARO, WEAR, EAAR];
const READY = '00 00 00 00 00 00';

function out(n: TestNexus, action: number, options: OutOptions = {}): Outcome {
  const { cdb, list } = reserveOut(action, options);
  return n.run(cdb, { out: list });
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
function reserveIn(n: TestNexus, action: number): Buffer {
  const r = n.run([0x5e, action, 0, 0, 0, 0, 0, 4, 0, 0], { in: 1024 });
  assert.equal(r.status, GOOD);
  return Buffer.from(r.dataIn);
}
const keys = (n: TestNexus): string => hex(reserveIn(n, 0).subarray(8)).replace(/^0+|0{12}/g, ' ');
const generation = (n: TestNexus): number => reserveIn(n, 0).readUInt32BE(0);
/** "key/type" of the reservation, empty when there is none. */
function reservation(n: TestNexus): string {
  const data = reserveIn(n, 1);
  assert.equal(data.readUInt32BE(4), data.length - 8);
  return data.length === 8 ? '' : `${data.readBigUInt64BE(8)}/${data[21]}`;
}

function bench(names = 'abc', options = {}) {
  const bed = disk({ blocks: 4096, ...options });
  const nexuses = [...names].map((name) => bed.nexus(name).clear());
  return { bed, store: bed.store, nexuses, ...threeOf(nexuses) };
}
function threeOf([a, b, c]: TestNexus[]): { a: TestNexus; b: TestNexus; c: TestNexus } {
  return { a: a as TestNexus, b: b as TestNexus, c: (c ?? b) as TestNexus };
}
/** a has key 1, b key 2, c key 3. */
function registered(options = {}) {
  const all = bench('abc', options);
  all.nexuses.forEach((n, i) => {
    assert.equal(out(n, REGISTER, { actionKey: i + 1 }).status, GOOD);
  });
  return all;
}

describe('PERSISTENT RESERVE OUT - REGISTER', () => {
  it('registers, changes and ends a key; PRGENERATION counts each', () => {
    const { a } = bench();
    assert.equal(generation(a), 0);
    assert.equal(out(a, REGISTER, { actionKey: 1 }).status, GOOD);
    assert.equal(hex(reserveIn(a, 0)), '00000001000000080000000000000001');
    assert.equal(out(a, REGISTER, { key: 1, actionKey: 0x22 }).status, GOOD);
    assert.equal(hex(reserveIn(a, 0)), '00000002000000080000000000000022');
    assert.equal(out(a, REGISTER, { key: 0x22 }).status, GOOD);
    assert.equal(hex(reserveIn(a, 0)), '0000000300000000');
  });

  it('with a wrong key is RESERVATION CONFLICT and changes nothing', () => {
    const { a } = bench();
    assert.equal(out(a, REGISTER, { key: 9, actionKey: 1 }).status, CONFLICT);
    out(a, REGISTER, { actionKey: 1 });
    assert.equal(out(a, REGISTER, { actionKey: 2 }).status, CONFLICT);
    assert.equal(out(a, REGISTER, { key: 2, actionKey: 2 }).status, CONFLICT);
    assert.equal(hex(reserveIn(a, 0)), '00000001000000080000000000000001');
  });

  it('of nothing by nobody is GOOD and counts nothing', () => {
    const { a } = bench();
    for (const action of [REGISTER, REGISTER_AND_IGNORE]) {
      assert.equal(out(a, action).status, GOOD);
      assert.equal(generation(a), 0);
    }
  });

  it('AND IGNORE EXISTING KEY does not ask for the old one', () => {
    const { a } = bench();
    out(a, REGISTER, { actionKey: 1 });
    assert.equal(out(a, REGISTER_AND_IGNORE, { key: 77, actionKey: 2 }).status, GOOD);
    assert.equal(reserveIn(a, 0).readBigUInt64BE(8), 2n);
  });

  it('survives nexus loss and logical unit reset', () => {
    const { bed, a } = registered();
    assert.equal(out(a, RESERVE, { key: 1, type: EA }).status, GOOD);
    a.manage(0x08);
    bed.target.nexusLost(a.nexus);
    const again = bed.nexus('a').clear();
    assert.equal(reservation(again), '1/3');
    assert.equal(out(again, RELEASE, { key: 1, type: EA }).status, GOOD);
  });

  it('is the initiator port’s: it outlives the record of its nexus', () => {
    const { bed, a } = registered();
    out(a, RESERVE, { key: 1, type: EA });
    bed.target.nexusLost(a.nexus);
    bed.target.nexuses.remove(a.nexus);
    assert.equal(reservation(bed.nexus('a').clear()), '1/3');
  });

  it('with SPEC_I_PT registers ports that have not logged in, all or none', () => {
    const { bed, a, b } = bench('ab');
    const absent = srpTransportId('0102030405060708090a0b0c0d0e0f10');
    const other = srpTransportId(b.nexus.port);
    const options = { actionKey: 5, flags: 0x08, transportIds: [absent, other, other] };
    assert.equal(out(a, REGISTER, options).status, GOOD);
    assert.equal(reserveIn(a, 0).length, 8 + 3 * 8);
    assert.equal(out(b, RESERVE, { key: 5, type: WE }).status, GOOD);
    const late = bed.target.login('late', 'late', false, '0102030405060708090a0b0c0d0e0f10');
    assert.equal(bed.unit.reservations.registration(late?.port ?? '')?.key, 5n);
    assert.equal(out(a, REGISTER, { ...options, key: 5 }).sense, '5/24/00', 'a is registered');
    const { a: d } = threeOf([bed.nexus('d').clear(), b, b]);
    assert.equal(out(d, REGISTER, options).status, CONFLICT, 'others are registered');
    assert.equal(reserveIn(a, 0).length, 8 + 3 * 8);
  });

  it('refuses TransportIDs that are cut short, unknown or of wrong length', () => {
    const { a } = bench();
    const id = srpTransportId('0102030405060708090a0b0c0d0e0f10');
    for (const [transportIds, pointer] of [
      [[id.subarray(0, 20)], 'list 28'],
      [[Buffer.alloc(24, 0x0f)], 'list 28'],
      [[id, Buffer.alloc(4, 0xff)], 'list 52'],
    ] as const) {
      const r = out(a, REGISTER, { actionKey: 1, flags: 0x08, transportIds });
      assert.deepEqual([r.sense, r.pointer], ['5/26/00', pointer]);
    }
    const r = out(a, REGISTER, { actionKey: 1, flags: 0x08, transportIds: [id], length: 51 });
    assert.equal(r.sense, '5/1a/00');
    assert.equal(reserveIn(a, 0).length, 8);
  });

  it('refuses SPEC_I_PT elsewhere, and APTPL when nothing can be kept', () => {
    const { a } = registered();
    const ids = [srpTransportId('0102030405060708090a0b0c0d0e0f10')];
    for (const action of [RESERVE, CLEAR, REGISTER_AND_IGNORE]) {
      const r = out(a, action, { key: 1, type: WE, flags: 0x08, transportIds: ids });
      assert.deepEqual([r.sense, r.pointer], ['5/26/00', 'list 20.3']);
    }
    const r = out(a, REGISTER, { key: 1, actionKey: 1, flags: 0x01 });
    assert.deepEqual([r.sense, r.pointer], ['5/26/00', 'list 20.0']);
  });

  it('refuses every other list length', () => {
    const { a } = bench();
    for (const length of [0, 1, 23, 25, 0xffffffff]) {
      assert.equal(out(a, REGISTER, { actionKey: 1, length }).sense, '5/1a/00', `${length}`);
    }
    assert.equal(a.run('5f 00 00 00 00 00 00 00 18 00').sense, '5/1a/00', 'no data at all');
  });

  it('unknown service actions are 5/24/00', () => {
    const { a } = bench();
    for (let action = 8; action < 32; action += 1) {
      assert.equal(out(a, action).sense, '5/24/00');
      assert.equal(a.run([0x5e, action, 0, 0, 0, 0, 0, 1, 0, 0], { in: 256 }).sense, '5/24/00');
    }
  });
});

describe('PERSISTENT RESERVE OUT - RESERVE and RELEASE', () => {
  it('every type can be had and is read back', () => {
    for (const type of TYPES) {
      const { a } = registered();
      assert.equal(out(a, RESERVE, { key: 1, type }).status, GOOD);
      assert.equal(reservation(a), `${type >= WEAR ? 0 : 1}/${type}`);
      assert.equal(out(a, RESERVE, { key: 1, type }).status, GOOD, 'again');
      assert.equal(generation(a), 3, 'RESERVE and RELEASE do not count');
    }
  });

  it('scopes and types that do not exist are 5/24/00', () => {
    const { a } = registered();
    for (const type of [0, 2, 4, 9, 15]) {
      const r = out(a, RESERVE, { key: 1, type });
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2.3']);
    }
    const r = out(a, RESERVE, { key: 1, type: WE, scope: 1 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2.7']);
  });

  it('are for registrants with the right key', () => {
    const { bed, a } = registered();
    const stranger = bed.nexus('x').clear();
    for (const action of [RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT]) {
      assert.equal(out(stranger, action, { key: 1, actionKey: 2, type: WE }).status, CONFLICT);
      assert.equal(out(a, action, { key: 2, actionKey: 2, type: WE }).status, CONFLICT);
    }
  });

  it('a second reservation, and another type by the holder, are conflicts', () => {
    const { a, b } = registered();
    out(a, RESERVE, { key: 1, type: WERO });
    assert.equal(out(b, RESERVE, { key: 2, type: WERO }).status, CONFLICT);
    assert.equal(out(a, RESERVE, { key: 1, type: WE }).status, CONFLICT);
  });

  it('every registrant holds a reservation of all registrants', () => {
    const { a, b } = registered();
    out(a, RESERVE, { key: 1, type: WEAR });
    assert.equal(out(b, RESERVE, { key: 2, type: WEAR }).status, GOOD);
    assert.equal(out(b, RELEASE, { key: 2, type: WEAR }).status, GOOD);
    assert.equal(reservation(b), '');
  });

  it('RELEASE of another type is 5/26/04; by who holds nothing it is GOOD', () => {
    const { a, b } = registered();
    out(a, RESERVE, { key: 1, type: WE });
    assert.equal(out(a, RELEASE, { key: 1, type: EA }).sense, '5/26/04');
    assert.equal(out(b, RELEASE, { key: 2, type: WE }).status, GOOD);
    assert.equal(reservation(a), '1/1');
    assert.equal(out(a, RELEASE, { key: 1, type: WE }).status, GOOD);
    assert.equal(reservation(a), '');
  });

  it('registrants hear of a release where the type concerns them (2A/04), the one who did it does not', () => {
    for (const type of TYPES) {
      const { bed, a, b, c } = registered();
      const stranger = bed.nexus('x').clear();
      out(a, RESERVE, { key: 1, type });
      out(a, RELEASE, { key: 1, type });
      const heard = type >= WERO ? ['6/2a/04'] : [];
      assert.deepEqual(
        [a, b, c, stranger].map((n) => n.attentions()),
        [[], heard, heard, []],
      );
    }
  });

  it('NUAR keeps it quiet', () => {
    const { a, b, c } = registered();
    setControl(a, 3, 0x08, 0x08);
    b.clear();
    c.clear();
    out(a, RESERVE, { key: 1, type: WERO });
    out(a, RELEASE, { key: 1, type: WERO });
    assert.deepEqual(b.attentions(), []);
  });

  it('a holder that unregisters releases; all registrants release with the last of them', () => {
    const one = registered();
    out(one.a, RESERVE, { key: 1, type: WERO });
    out(one.a, REGISTER, { key: 1 });
    assert.deepEqual(one.b.attentions(), ['6/2a/04']);
    assert.equal(reservation(one.b), '');
    const all = registered();
    out(all.a, RESERVE, { key: 1, type: EAAR });
    out(all.a, REGISTER, { key: 1 });
    assert.equal(reservation(all.b), '0/8');
    out(all.b, REGISTER, { key: 2 });
    assert.equal(reservation(all.c), '0/8');
    out(all.c, REGISTER, { key: 3 });
    assert.equal(reservation(all.c), '');
  });
});

describe('PERSISTENT RESERVE OUT - CLEAR and PREEMPT', () => {
  it('CLEAR ends everything and tells the other registrants 2A/03', () => {
    const { a, b, c } = registered();
    out(b, RESERVE, { key: 2, type: EA });
    assert.equal(out(a, CLEAR, { key: 1 }).status, GOOD);
    assert.equal(keys(a), '');
    assert.equal(reservation(a), '');
    assert.deepEqual(
      [a, b, c].map((n) => n.attentions()),
      [[], ['6/2a/03'], ['6/2a/03']],
    );
  });

  it('PREEMPT of the holder takes the reservation, with a new type', () => {
    const { a, b, c } = registered();
    out(a, RESERVE, { key: 1, type: WE });
    assert.equal(out(b, PREEMPT, { key: 2, actionKey: 1, type: EARO }).status, GOOD);
    assert.equal(reservation(b), '2/6');
    assert.equal(reserveIn(b, 0).readUInt32BE(4), 16);
    assert.equal(generation(b), 4);
    assert.deepEqual(
      [a, b, c].map((n) => n.attentions()),
      [['6/2a/05'], [], ['6/2a/04']],
    );
  });

  it('PREEMPT of another registrant only removes it', () => {
    const { a, b, c } = registered();
    out(a, RESERVE, { key: 1, type: WERO });
    assert.equal(out(b, PREEMPT, { key: 2, actionKey: 3, type: WERO }).status, GOOD);
    assert.equal(reservation(b), '1/5');
    assert.deepEqual(c.attentions(), ['6/2a/05']);
    assert.equal(out(b, PREEMPT, { key: 2, actionKey: 3, type: WERO }).status, CONFLICT, 'gone');
    assert.deepEqual(a.attentions(), []);
  });

  it('PREEMPT of oneself changes the type in one step', () => {
    const { a, b } = registered();
    out(a, RESERVE, { key: 1, type: WE });
    assert.equal(out(a, PREEMPT, { key: 1, actionKey: 1, type: EA }).status, GOOD);
    assert.equal(reservation(a), '1/3');
    assert.deepEqual(b.attentions(), ['6/2a/04']);
  });

  it('without a reservation PREEMPT removes registrations, its own too', () => {
    const { a, b } = registered();
    assert.equal(out(a, PREEMPT, { key: 1, actionKey: 2, type: WE }).status, GOOD);
    assert.equal(reservation(a), '');
    assert.deepEqual(b.attentions(), ['6/2a/05']);
    assert.equal(out(a, PREEMPT, { key: 1, actionKey: 1, type: WE }).status, GOOD);
    assert.equal(reserveIn(a, 0).readUInt32BE(4), 8, 'c is left');
  });

  it('key zero preempts all others of a reservation of all registrants, and is 5/26/00 otherwise', () => {
    const { a, b, c } = registered();
    assert.equal(out(a, PREEMPT, { key: 1, type: WE }).sense, '5/26/00');
    out(b, RESERVE, { key: 2, type: WEAR });
    assert.equal(out(a, PREEMPT, { key: 1, actionKey: 3, type: WEAR }).status, GOOD);
    assert.equal(reservation(a), '0/7', 'c is gone, the reservation stays');
    assert.equal(out(a, PREEMPT, { key: 1, type: EA }).status, GOOD);
    assert.equal(reservation(a), '1/3');
    assert.deepEqual(b.attentions(), ['6/2a/05']);
    assert.deepEqual(c.attentions(), ['6/2a/05']);
  });

  it('PREEMPT leaves commands alone', () => {
    const { a, b, store } = registered();
    out(a, RESERVE, { key: 1, type: WE });
    store.hold = true;
    const slow = a.start('2a 00 00 00 00 01 00 00 01 00', { out: new Uint8Array(BLOCK).fill(1) });
    assert.equal(out(b, PREEMPT, { key: 2, actionKey: 1, type: WE }).status, GOOD);
    store.releaseAll();
    assert.equal(slow.result.status, GOOD);
  });

  it('K13 fencing: PREEMPT AND ABORT is answered when the slow write of the other has stopped; what comes then wins', () => {
    const { bed, a, b, store } = registered();
    out(a, RESERVE, { key: 1, type: WE });
    store.hold = true;
    const write = (n: TestNexus, fill: number) =>
      n.start('2a 00 00 00 00 01 00 00 01 00', { out: new Uint8Array(BLOCK).fill(fill) });
    const slow = write(a, 0xaa);
    const { cdb, list } = reserveOut(PREEMPT_AND_ABORT, { key: 2, actionKey: 1, type: WE });
    const fence = b.start(cdb, { out: list });
    assert.equal(fence.done, false);
    assert.equal(a.run(READY).sense, '6/2a/05', 'the reservation is in force already');
    assert.equal(a.run('15 10 00 00 00 00').status, CONFLICT);
    store.releaseAll();
    assert.equal(fence.result.status, GOOD);
    assert.equal(slow.result.status, TASK_ABORTED);
    store.hold = false;
    assert.equal(write(b, 0xbb).result.status, GOOD);
    assert.equal(write(a, 0xcc).result.status, CONFLICT);
    assert.equal(bed.store.memory[BLOCK], 0xbb);
  });

  it('PREEMPT AND ABORT with TAS = 0: silence, then 2A/05 and 2F/00', () => {
    const { a, b, store } = registered();
    setControl(b, 5, 0x40, 0);
    a.clear();
    out(a, RESERVE, { key: 1, type: WE });
    store.hold = true;
    const slow = a.start('2a 00 00 00 00 01 00 00 01 00', { out: new Uint8Array(BLOCK) });
    const { cdb, list } = reserveOut(PREEMPT_AND_ABORT, { key: 2, actionKey: 1, type: WE });
    const fence = b.start(cdb, { out: list });
    store.releaseAll();
    assert.equal(fence.result.status, GOOD);
    assert.equal(slow.result.dropped, true);
    assert.deepEqual(a.attentions(), ['6/2a/05', '6/2f/00']);
  });

  it('PREEMPT AND ABORT passes the ACA of the nexus it preempts, and clears it', () => {
    const { a, b } = registered();
    assert.equal(a.run('1a 00 2a 00 ff 04', { in: 255 }).sense, '5/24/00');
    assert.equal(b.run(READY).status, 0x08);
    assert.equal(out(b, PREEMPT_AND_ABORT, { key: 2, actionKey: 1, type: WE }).status, GOOD);
    assert.equal(b.run(READY).status, GOOD);
    assert.deepEqual(a.attentions(), ['6/2a/05']);
    assert.equal(a.run(READY).status, GOOD);
  });
});

describe('PERSISTENT RESERVE OUT - REGISTER AND MOVE', () => {
  it('hands the reservation to a port, with or without leaving', () => {
    for (const flags of [0, 0x02]) {
      const { a, b } = bench('ab');
      out(a, REGISTER, { actionKey: 1 });
      out(a, RESERVE, { key: 1, type: EA });
      const transportId = srpTransportId(b.nexus.port);
      const move = moveOut({ key: 1, actionKey: 9, flags, transportId });
      assert.equal(a.run(move.cdb, { out: move.list }).status, GOOD);
      assert.equal(reservation(b), '9/3');
      assert.equal(reserveIn(b, 0).readUInt32BE(4), flags === 0 ? 16 : 8);
      assert.equal(generation(b), 2);
      assert.equal(a.run('28 00 00 00 00 00 00 00 01 00', { in: BLOCK }).status, CONFLICT);
      assert.equal(b.run('28 00 00 00 00 00 00 00 01 00', { in: BLOCK }).status, GOOD);
    }
  });

  it('is refused to who holds nothing, for all registrants, to oneself, to other ports of ours, without a key', () => {
    const { a, b, c } = registered();
    const send = (n: TestNexus, key: number, heir: TestNexus, rest = {}) => {
      const transportId = srpTransportId(heir.nexus.port);
      const { cdb, list } = moveOut({ key, actionKey: 9, transportId, ...rest });
      return n.run(cdb, { out: list });
    };
    assert.equal(send(a, 1, b).status, CONFLICT);
    out(a, RESERVE, { key: 1, type: WE });
    assert.equal(send(b, 2, c).status, CONFLICT);
    assert.deepEqual([send(a, 1, a).sense, send(a, 1, a).pointer], ['5/26/00', 'list 24']);
    assert.equal(send(a, 1, b, { actionKey: 0 }).pointer, 'list 8');
    assert.equal(send(a, 1, b, { port: 2 }).pointer, 'list 18');
    out(a, RELEASE, { key: 1, type: WE });
    out(a, RESERVE, { key: 1, type: WEAR });
    assert.equal(send(a, 1, b).status, CONFLICT);
  });
});

describe('PERSISTENT RESERVE IN', () => {
  it('REPORT CAPABILITIES: SPEC_I_PT and ALL_TG_PT, every type; PTPL where something can be kept', () => {
    const { a } = bench();
    assert.equal(hex(reserveIn(a, 2)), '00080c80ea010000');
    const { a: kept } = bench('ab', { reservationStore: { save: () => DONE } });
    assert.equal(hex(reserveIn(kept, 2)), '00080d80ea010000');
    out(kept, REGISTER, { actionKey: 1, flags: 0x01 });
    assert.equal(hex(reserveIn(kept, 2)), '00080d81ea010000');
    out(kept, REGISTER, { key: 1, actionKey: 1 });
    assert.equal(hex(reserveIn(kept, 2)), '00080d80ea010000');
  });

  it('READ FULL STATUS names every registrant by its TransportID and says who holds', () => {
    const { a, b } = bench('ab');
    out(a, REGISTER, { actionKey: 1 });
    out(b, REGISTER, { actionKey: 2, flags: 0x04 });
    out(a, RESERVE, { key: 1, type: WERO });
    const data = reserveIn(a, 3);
    assert.equal(data.readUInt32BE(0), 2);
    assert.equal(data.readUInt32BE(4), 2 * (24 + 24));
    const one = data.subarray(8, 56);
    assert.equal(hex(one.subarray(0, 24)), '0000000000000001000000000105000000000001' + '00000018');
    assert.equal(hex(one.subarray(24)), `0400000000000000${a.nexus.port}`);
    const two = data.subarray(56);
    assert.equal(hex(two.subarray(0, 24)), '0000000000000002000000000200000000000000' + '00000018');
    assert.equal(hex(two.subarray(24)), `0400000000000000${b.nexus.port}`);
  });

  it('names a port by what its transport calls it', () => {
    const { bed, a } = bench();
    const id = Buffer.from('4500001469716e2e612c692c307834303030303133370000', 'hex');
    bed.target.transportIds.name(a.nexus.port, id);
    out(a, REGISTER, { actionKey: 1 });
    assert.equal(hex(reserveIn(a, 3).subarray(32)), hex(id));
  });
});

describe('APTPL', () => {
  const kept = () => {
    const saved: Uint8Array[] = [];
    const store = {
      reply: DONE as StoreReply,
      save(_task: unknown, _lun: number, state: Uint8Array): StoreReply {
        if (store.reply === DONE) saved.push(state);
        return store.reply;
      },
    };
    return { saved, keeper: store, ...bench('ab', { reservationStore: store }) };
  };

  it('saves every change until a registration without it', () => {
    const { a, b, saved } = kept();
    out(a, REGISTER, { actionKey: 1 });
    assert.equal(saved.length, 0);
    out(a, REGISTER, { key: 1, actionKey: 1, flags: 0x01 });
    out(a, RESERVE, { key: 1, type: EA });
    assert.equal(saved.length, 2);
    out(b, REGISTER, { actionKey: 2 });
    assert.equal(saved.length, 3);
    assert.equal(saved[2]?.length, 0, 'nothing is to be kept any more');
    out(a, RELEASE, { key: 1, type: EA });
    assert.equal(saved.length, 3);
  });

  it('one change at a time: a RESERVE waits for a REGISTER that is being saved, and then meets it', () => {
    const { bed, a, b, keeper } = kept();
    keeper.reply = PENDING;
    const { cdb, list } = reserveOut(REGISTER, { actionKey: 1, flags: 0x01 });
    const register = a.start(cdb, { out: list });
    const reserve = b.start('16 00 00 00 00 00');
    const others = Array.from({ length: 3000 }, () => b.start('17 00 00 00 00 00'));
    assert.equal(reserve.done, false);
    bed.unit.taskSet.verify();
    register.task.stored(DONE);
    assert.equal(register.result.status, GOOD);
    assert.equal(reserve.result.status, CONFLICT);
    assert.equal(others.at(-1)?.result.status, CONFLICT);
    assert.equal(bed.unit.reservations.reservedBy, null);
  });

  it('a save that fails is 4/44/00, and nothing has changed', () => {
    const { a, keeper } = kept();
    keeper.reply = MEDIUM_WRITE;
    assert.equal(out(a, REGISTER, { actionKey: 1, flags: 0x01 }).sense, '4/44/00');
    assert.equal(hex(reserveIn(a, 0)), '0000000000000000');
    keeper.reply = DONE;
    assert.equal(out(a, REGISTER, { actionKey: 1, flags: 0x01 }).status, GOOD, 'and it goes on');
  });
});

describe('registrations', () => {
  it('are 1024 at most: one initiator cannot fill memory by naming others', () => {
    const { a } = bench('ab');
    const name = (i: number): Buffer => srpTransportId(i.toString(16).padStart(32, '0'));
    const naming = (from: number, count: number): Outcome =>
      out(a, REGISTER, {
        actionKey: 7,
        flags: 0x08,
        transportIds: Array.from({ length: count }, (_, i) => name(from + i)),
      });
    assert.equal(naming(1, 1022).status, GOOD);
    assert.equal(out(a, REGISTER, { key: 7 }).status, GOOD, 'only the asking one leaves');
    assert.equal(naming(5000, 2).sense, '5/55/04');
    const held = (): number =>
      Buffer.from(a.run('5e 00 00 00 00 00 00 00 08 00', { in: 8 }).dataIn).readUInt32BE(4) / 8;
    assert.equal(held(), 1022, 'refused as a whole');
    assert.equal(naming(5000, 1).status, GOOD);
    assert.equal(held(), 1024);
  });

  it("of an anonymous initiator are nobody else's in another life of the target, those of a known one are its own", () => {
    const lives = [disk(), disk()];
    const ports = (identity: string, anonymous: boolean) =>
      lives.map(({ target }) => target.login(identity, '', anonymous)?.port);
    const [first, second] = ports('anonymous:1', true);
    assert.match(first ?? '', /^[0-9a-f]{32}$/);
    assert.notEqual(first, second);
    const [known, again] = ports('name:guest', false);
    assert.equal(known, again);
  });
});
