/** Reactions of the target to the command and task management vectors (V14 to V48), with units 0 and 1 as virtual SCSI targets. */
import { strict as assert } from 'node:assert';
import { GONE } from '../../../src/scsi/contracts.ts';
import { decodeIu, encodeIu } from '../../../src/transport/srp/iu-codec.ts';
import {
  bytes,
  command,
  hex,
  outcome,
  patched,
  type RawChannel,
  type RawGuest,
  VECTOR_REGIONS,
  vector,
} from './raw-guest.ts';
import { type Reactions, withGuest } from './reactions-login.ts';

const DATA = 0x10000000;
const BLOCK = 512;

/** Runs `use` with an initiator that is logged in with V01, has every address of the vectors, and no unit attention left. */
function loggedIn(
  use: (channel: RawChannel, guest: RawGuest) => void,
  login = vector('V01'),
): void {
  withGuest({ regions: VECTOR_REGIONS }, (guest) => {
    guest.channel.open(login);
    guest.channel.clear('0000', '8100');
    use(guest.channel, guest);
  });
}

/** A byte pattern that knows its place. */
function pattern(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + seed) & 0xff));
}

function store(guest: RawGuest): Uint8Array {
  const found = guest.bed.stores.get(1);
  assert(found);
  return found.memory;
}

/** The vector is answered with this outcome. */
function ends(id: string, expected: string): () => void {
  return () => loggedIn((channel) => assert.equal(outcome(channel.ask(vector(id))), expected));
}

function inquiry(id: string): () => void {
  return () =>
    loggedIn((channel, guest) => {
      guest.at(DATA, 64).fill(0xa5);
      const answer = channel.ask(vector(id));
      assert.equal(hex(answer.subarray(16)), '0'.repeat(40));
      assert.equal(Buffer.from(guest.at(DATA + 8, 8)).toString(), 'RINGSCSI');
      assert(guest.at(DATA + 36, 28).every((byte) => byte === 0xa5));
    });
}

/** Response data of a task management vector. */
function managed(id: string, expected: string, solicited = '00'): () => void {
  return () =>
    loggedIn((channel) => {
      const answer = channel.ask(vector(id));
      assert.equal(answer.length, 40);
      assert.equal(hex(answer.subarray(0, 2)), `c1${solicited}`);
      assert.equal(hex(answer.subarray(18, 20)), '0100');
      assert.equal(hex(answer.subarray(28)), `0000000000000004${expected}`);
    });
}

/** An SRP_RSP nobody here can provoke: the bytes from its fields. */
function encoded(id: string, status: number, tagLow: number): () => void {
  return () => {
    const good = decodeIu(vector('V38'));
    assert(good?.type === 0xc1);
    assert.equal(hex(encodeIu({ ...good, status, tagLow })), hex(vector(id)));
  };
}

function emitted(id: string, request: Uint8Array): () => void {
  return () => loggedIn((channel) => assert.equal(hex(channel.ask(request)), hex(vector(id))));
}

function heldRead(channel: RawChannel): void {
  const held = channel.guest.bed.stores.get(1);
  assert(held);
  held.hold = true;
  const descriptors = '00000000 10000000 00000000 00000200';
  const cdb = '28000000 00000000 0100';
  const tag = '00000000 00000c01';
  channel.send(command({ tag, lun: '8100', cdb, formats: '01', descriptors }));
}

const READ_TAG = { lun: '8100', formats: '01' } as const;

export const COMMAND_REACTIONS: Reactions = {
  V14: { says: 'RSP_CODE 00 although the task is not there', run: managed('V14', '00000000') },
  V15: { says: 'RSP_CODE 00 with SOLNT', run: managed('V15', '00000000', '01') },
  V16: { says: 'RSP_CODE 00: there is no ACA to clear', run: managed('V16', '00000000') },
  V17: { says: 'RSP_CODE 00', run: managed('V17', '00000000') },
  V18: { says: 'RSP_CODE 04', run: managed('V18', '00000004') },
  V19: {
    says: 'GOOD in 36 bytes',
    run: () => loggedIn((channel) => assert.equal(channel.ask(vector('V19')).length, 36)),
  },
  V20: { says: 'GOOD, 36 bytes of INQUIRY data and not one more', run: inquiry('V20') },
  V21: { says: 'exactly as V20', run: inquiry('V21') },
  V22: {
    says: 'GOOD, the blocks come out of region CAFE0001h',
    run: () =>
      loggedIn((channel, guest) => {
        const data = pattern(4096, 7);
        guest.put(DATA, data, 0xcafe0001);
        assert.equal(outcome(channel.ask(vector('V22'))), '00');
        assert.equal(hex(store(guest).slice(0x1000 * BLOCK, 0x1000 * BLOCK + 4096)), hex(data));
      }),
  },
  V23: {
    says: 'GOOD, both segments of the table in the IU filled',
    run: () =>
      loggedIn((channel, guest) => {
        const data = pattern(8192, 1);
        store(guest).set(data);
        assert.equal(outcome(channel.ask(vector('V23'), 0x20000000)), '00');
        assert.equal(hex(guest.at(DATA, 4096)), hex(data.subarray(0, 4096)));
        assert.equal(hex(guest.at(0x10008000, 4096)), hex(data.subarray(4096)));
      }),
  },
  V24: {
    says: 'GOOD, the table of 4 fetched from region ABCD0001h',
    run: () =>
      loggedIn((channel, guest) => {
        const data = pattern(16384, 2);
        store(guest).set(data, 0x1000 * BLOCK);
        const places = ['10000000', '10002000', '10004000', '10006000'];
        const table = places.map((at) => `00000000 ${at} 00000000 00001000`).join('');
        guest.put(0x30000000, bytes(table), 0xabcd0001);
        assert.equal(outcome(channel.ask(vector('V24'))), '00');
        const got = places.map((at) => hex(guest.at(Number.parseInt(at, 16), 4096)));
        assert.equal(got.join(''), hex(data));
      }),
  },
  V25: {
    says: 'GOOD, the unannounced table behind the IU fetched by its address',
    run: () =>
      loggedIn((channel, guest) => {
        const data = pattern(8192, 3);
        store(guest).set(data);
        const table = '00000000 10000000 00000000 00001000 00000000 10008000 00000000 00001000';
        guest.put(0x20000044, bytes(table));
        assert.equal(outcome(channel.ask(vector('V25'), 0x20000000, 68)), '00');
        assert.equal(hex(guest.at(0x10008000, 4096)), hex(data.subarray(4096)));
      }),
  },
  V26: {
    says: 'GOOD: data of the first descriptor written, old XOR new at the second',
    run: () =>
      loggedIn((channel, guest) => {
        const old = pattern(BLOCK, 4);
        const young = pattern(BLOCK, 90);
        store(guest).set(old, 256 * BLOCK);
        guest.put(DATA, young);
        const answer = channel.ask(vector('V26'));
        assert.equal(outcome(answer), '00');
        assert.equal(hex(answer.subarray(18, 28)), '0'.repeat(20));
        assert.equal(hex(store(guest).slice(256 * BLOCK, 257 * BLOCK)), hex(young));
        const changes = young.map((byte, at) => byte ^ (old[at] as number));
        assert.equal(hex(guest.at(0x10004000, BLOCK)), hex(changes));
        assert.equal(hex(guest.at(DATA, BLOCK)), hex(young));
      }),
  },
  V27: {
    says: 'all 32 CDB bytes reach the core; READ(32) is not a command of this target: CHECK 5/20/00',
    run: () =>
      loggedIn((channel) => {
        let cdb = '';
        channel.port.trace = (task) => {
          cdb = hex(task.cdb.subarray(0, task.cdbBytes));
        };
        assert.equal(outcome(channel.ask(vector('V27'))), '02 5/20/00');
        assert.equal(cdb, hex(vector('V27').subarray(32, 64)));
      }),
  },
  V28: {
    says: 'with immediate data negotiated the 16 bytes reach MODE SELECT; without: CHECK B/0E/03',
    run: () => {
      loggedIn((channel) => {
        assert.equal(outcome(channel.ask(vector('V28'))), '02 b/0e/03');
      });
      loggedIn(
        (channel) => {
          let parameters = '';
          channel.port.trace = (task) => {
            const list = new Uint8Array(16);
            task.dataOut.get(0, list, 0, 16);
            parameters = hex(list);
          };
          assert.doesNotMatch(outcome(channel.ask(vector('V28'))), /b\/0e/);
          assert.equal(parameters, '00000000080a0400ffff0000ffffffff');
        },
        patched(vector('V01'), 26, '80', 28, '0044'),
      );
    },
  },
  V29: {
    says: 'GOOD, 18 bytes of sense data, 234 of 252 under',
    run: () =>
      loggedIn((channel, guest) => {
        const answer = channel.ask(vector('V29'));
        assert.equal(hex(answer.subarray(18, 28)), '200000000000000000ea');
        assert.equal(guest.at(DATA, 1)[0], 0x70);
      }),
  },
  V30: { says: 'CHECK 5/49/00: there is no ACA to run in', run: ends('V30', '02 5/49/00') },
  V31: { says: 'CHECK B/0E/03', run: ends('V31', '02 b/0e/03') },
  V32: { says: 'the reserved bits are ignored: GOOD', run: ends('V32', '00') },
  V33: { says: 'CHECK B/0E/01', run: ends('V33', '02 b/0e/01') },
  V34: { says: 'CHECK B/0E/03', run: ends('V34', '02 b/0e/03') },
  V35: { says: 'CHECK B/0E/03', run: ends('V35', '02 b/0e/03') },
  V36: { says: 'CHECK B/0E/03', run: ends('V36', '02 b/0e/03') },
  V37: {
    says: 'T_LOGOUT reason 8, then the channel closes',
    run: () =>
      loggedIn((channel) => {
        channel.park('00000000 00000b01', 0x4000);
        channel.send(vector('V37'));
        const [logout, event] = channel.received();
        assert.equal(hex(logout?.iu ?? Buffer.alloc(0)), '80000000000000080000000000000b01');
        assert.equal(event?.element.slice(0, 4), 'ff02');
        assert.equal(channel.port.loggedIn, false);
      }),
  },
  V38: { says: 'emitted byte for byte to V19', run: emitted('V38', vector('V19')) },
  V39: {
    says: 'emitted byte for byte to a command for a missing logical unit',
    run: emitted('V39', command({ tag: '00000000 00000c02', lun: '8500' })),
  },
  V40: {
    says: 'emitted byte for byte to an INQUIRY for 36 bytes into 252',
    run: emitted(
      'V40',
      command({
        ...READ_TAG,
        tag: '00000000 00000c20',
        cdb: '12000000 2400',
        descriptors: '00000000 10000000 00000000 000000fc',
      }),
    ),
  },
  V41: {
    says: 'emitted byte for byte to a WRITE of a read-only unit',
    run: () =>
      loggedIn((channel, guest) => {
        const held = guest.bed.stores.get(1);
        assert(held);
        held.readOnly = true;
        const write = patched(vector('V22'), 1, '00', 29, '00');
        assert.equal(hex(channel.ask(write)), hex(vector('V41')));
      }),
  },
  V42: {
    says: 'emitted byte for byte to a READ of two blocks into one',
    run: emitted(
      'V42',
      command({
        ...READ_TAG,
        tag: '00000000 00000c22',
        cdb: '28000000 00000000 0200',
        descriptors: '00000000 10000000 00000000 00000200',
      }),
    ),
  },
  V43: {
    says: 'emitted byte for byte to a command that uses neither of its two buffers',
    run: emitted(
      'V43',
      command({
        lun: '8100',
        tag: '00000000 00000c08',
        formats: '11',
        descriptors: '00000000 10000000 00000000 0000000c 00000000 10000000 00000000 00000064',
      }),
    ),
  },
  V44: {
    says: 'emitted byte for byte by a task set with room for one',
    run: () =>
      loggedIn((channel, guest) => {
        const [, unit] = guest.bed.target.units();
        assert(unit);
        unit.taskSet.capacity = 1;
        heldRead(channel);
        const second = command({ lun: '8100', tag: '00000000 00000c24', solicited: '04' });
        assert.equal(hex(channel.ask(second)), hex(vector('V44')));
      }),
  },
  V45: {
    says: 'never sent: this target has no ACA; encoder output compared',
    run: encoded('V45', 0x30, 0x0c25),
  },
  V46: { says: 'emitted byte for byte to V14', run: emitted('V46', vector('V14')) },
  V47: {
    says: 'emitted byte for byte to the abort of a command in flight, once that has stopped',
    run: () =>
      loggedIn((channel, guest) => {
        heldRead(channel);
        channel.send(vector('V14'));
        assert.deepEqual(channel.received(), []);
        guest.bed.stores.get(1)?.releaseAll();
        const all = channel.received();
        assert.deepEqual(
          all.map((r) => hex(r.iu)),
          [hex(vector('V47'))],
        );
      }),
  },
  V48: { says: 'emitted byte for byte to V18', run: emitted('V48', vector('V18')) },
  C03: {
    says: 'a 256-byte IU at 20000000h with a timeout is served',
    run: () =>
      loggedIn((channel, guest) => {
        guest.put(0x20000000, vector('V19'));
        channel.element(vector('C03'));
        const [answer] = channel.received();
        assert.equal(answer?.element, '80010000000000240000000000000c01');
        assert.equal(hex(guest.at(0x20000000, 36)), hex(vector('V38')));
      }),
  },
  C04: {
    says: 'emitted byte for byte to a command with tag 0A01h',
    run: () =>
      loggedIn((channel) => {
        channel.send(command({ tag: '00000000 00000a01' }));
        assert.equal(channel.received()[0]?.element, hex(vector('C04')));
      }),
  },
  C05: {
    says: 'emitted byte for byte for a vanished disk once fast fail is on; status 0 without',
    run: () => {
      const fail = (fast: boolean): string => {
        let element = '';
        withGuest({ regions: VECTOR_REGIONS }, (guest) => {
          const { channel } = guest;
          channel.initialize();
          if (fast) channel.mad(vector('M07'));
          channel.received();
          channel.ask(vector('V01'));
          channel.clear('8100');
          guest.bed.stores.get(1)?.fail('read', GONE);
          const read = { ...READ_TAG, tag: '00000000 00000c02', cdb: '28000000 00000000 0100' };
          channel.send(command({ ...read, descriptors: '00000000 10000000 00000000 00000200' }));
          element = channel.received()[0]?.element ?? '';
        });
        return element;
      };
      assert.equal(fail(true), hex(vector('C05')));
      assert.equal(fail(false), hex(patched(vector('C05'), 3, '00')));
    },
  },
};
