/** Reactions of the target to the login, logout, credit and event vectors (V01 to V13, V49 to V53). */
import { strict as assert } from 'node:assert';
import { decodeIu, encodeIu } from '../../../src/transport/srp/iu-codec.ts';
import { disk, type Testbed } from '../../support/target.ts';
import {
  command,
  hex,
  manage,
  outcome,
  patched,
  type RawChannel,
  RawGuest,
  type RawGuestOptions,
  vector,
} from './raw-guest.ts';

export interface Reaction {
  /** What is observed. */
  readonly says: string;
  readonly run: () => void;
}
export type Reactions = Readonly<Record<string, Reaction>>;

/** Runs `use` with a guest of a target with units 0 and 1, and detaches it. */
export function withGuest(options: RawGuestOptions, use: (guest: RawGuest) => void): void {
  const bed = disk({ blocks: 8192 });
  bed.add({ lun: 1, blocks: 8192 });
  const guest = new RawGuest(bed, { presentation: 'vscsi', name: 'guest', ...options });
  try {
    use(guest);
    assert.deepEqual(guest.breaks, []);
    assert.deepEqual(bed.internalErrors, []);
  } finally {
    guest.close();
  }
}

const CLOSED = 'ff020000000000000000000000000000';

/** The first login of a guest. */
function loginAnswer(login: Uint8Array, options: RawGuestOptions = {}): Buffer {
  let answer = Buffer.alloc(0);
  withGuest(options, (guest) => {
    guest.channel.initialize();
    answer = guest.channel.ask(login) as Buffer<ArrayBuffer>;
  });
  return answer;
}

/** V01 with other contents. */
const login = (...changes: (number | string)[]): Buffer => patched(vector('V01'), ...changes);

function heldReads(channel: RawChannel, count: number): void {
  channel.guest.bed.store.hold = true;
  for (let i = 0; i < count; i += 1) {
    const tag = `00000000 00000e${i.toString(16).padStart(2, '0')}`;
    const direct = '00000000 00200000 00000000 00000200';
    channel.send(
      command({ tag, cdb: '28000000 00000000 0100', formats: '01', descriptors: direct }),
    );
  }
}

/** A second guest that clears the task set of unit 0 while the first one's reads are held; TAS = 0. */
function clearedByAnother(bed: Testbed, use: () => void): void {
  bed.unit.taskAbortedStatus = false;
  const other = new RawGuest(bed, { presentation: 'vscsi', name: 'other' });
  other.channel.open();
  other.channel.send(manage('04'));
  bed.store.hold = false;
  bed.store.releaseAll();
  use();
  const [answer] = other.channel.received();
  assert.equal(answer?.iu[39], 0);
  other.close();
}

export const LOGIN_REACTIONS: Reactions = {
  V01: {
    says: 'LOGIN_RSP with 128 credits',
    run: () => {
      const answer = loginAnswer(vector('V01'));
      assert.equal(answer.length, 52);
      assert.equal(
        hex(answer.subarray(0, 28)),
        'c0000000000000800000000000000a01' + '000001000000010000061000',
      );
    },
  },
  V02: {
    says: 'LOGIN_RSP result 0 alone, result 2 on a second channel, immediate data granted to whoever asks',
    run: () =>
      withGuest({ presentation: 'native', queuePairs: 2 }, (guest) => {
        const [first, second] = guest.channels as [RawChannel, RawChannel];
        assert.equal(first.open(vector('V02'))[26], 0x90);
        assert.equal(second.open(vector('V02'))[26], 0x92);
        assert(first.port.loggedIn && second.port.loggedIn);
        assert.equal(loginAnswer(patched(vector('V02'), 26, '01'))[26], 0x10);
      }),
  },
  V03: {
    says: 'LOGIN_RSP for 580-byte IUs, the nexus known by its port identifier',
    run: () =>
      withGuest({}, (guest) => {
        assert.equal(guest.channel.open(vector('V03')).readUInt32BE(16), 580);
        assert.deepEqual(guest.session.initiatorPorts(), ['d949560e4ff0030100237dffff95169d']);
      }),
  },
  V04: {
    says: 'strict: LOGIN_REJ 00010000h',
    run: () => assert.equal(hex(loginAnswer(vector('V04')).subarray(0, 8)), 'c200000000010000'),
  },
  V05: {
    says: 'LOGIN_REJ 00010000h',
    run: () => assert.equal(hex(loginAnswer(vector('V05')).subarray(0, 8)), 'c200000000010000'),
  },
  V06: {
    says: 'emitted to V01 by a target with 22 credits, byte for byte but for SOLNTSUP (byte 26), which this target has',
    run: () => {
      const answer = loginAnswer(vector('V01'), { requestLimit: 22, slots: 24 });
      assert.equal(answer[26], 0x10);
      assert.equal(hex(patched(answer, 26, '00')), hex(vector('V06')));
    },
  },
  V07: {
    says: 'emitted when a login replaces a channel, byte for byte but for MAXIMUM TARGET-TO-INITIATOR IU LENGTH (256 here)',
    run: () =>
      withGuest({ queuePairs: 2, requestLimit: 64 }, (guest) => {
        const [old, next] = guest.channels as [RawChannel, RawChannel];
        old.open();
        next.initialize();
        const answer = next.ask(login(12, '00000a07', 16, '00000400'));
        assert.equal(hex(patched(answer, 20, '00000400')), hex(vector('V07')));
        assert.deepEqual(
          old.received().map((r) => r.element),
          [CLOSED],
        );
        assert.equal(old.port.loggedIn, false);
      }),
  },
  V08: {
    says: 'emitted byte for byte when IUs longer than 8448 bytes are asked for',
    run: () => {
      assert.equal(hex(loginAnswer(login(12, '00000a08', 16, '00002101'))), hex(vector('V08')));
      assert.equal(loginAnswer(login(16, '00002100'))[0], 0xc0);
    },
  },
  V09: {
    says: 'emitted byte for byte when a format other than direct and indirect is required',
    run: () => {
      assert.equal(hex(loginAnswer(login(12, '00000a09', 24, '000e'))), hex(vector('V09')));
    },
  },
  V10: {
    says: 'emitted byte for byte by a session of one channel when several are asked for',
    run: () => {
      const answer = loginAnswer(login(12, '00000a0a', 26, '01'), { channelLimit: 1 });
      assert.equal(hex(answer), hex(vector('V10')));
    },
  },
  V11: {
    says: 'no answer; the nexus is lost, what it had in flight is answered no more, and it may log in again',
    run: () =>
      withGuest({}, (guest) => {
        const { channel } = guest;
        channel.open();
        channel.clear('0000');
        heldReads(channel, 2);
        channel.send(vector('V11'));
        guest.bed.store.hold = false;
        guest.bed.store.releaseAll();
        assert.deepEqual(channel.received(), []);
        assert.equal(channel.port.loggedIn, false);
        assert(channel.port.idle());
        assert.equal(channel.ask(vector('V01'))[0], 0xc0);
        assert.equal(outcome(channel.ask(command())), '02 6/29/07');
      }),
  },
  V12: {
    says: 'emitted byte for byte into a parked buffer on an unknown IU type, then the channel closes',
    run: () =>
      withGuest({}, (guest) => {
        const { channel } = guest;
        channel.open();
        channel.park('00000000 00000b01', 0x4000);
        assert.deepEqual(channel.received(), []);
        channel.send(patched(command(), 0, '55'));
        const [logout, event] = channel.received();
        assert.equal(logout?.element, '80010000000000100000000000000b01');
        assert.equal(hex(logout?.iu ?? Buffer.alloc(0)), hex(vector('V12')));
        assert.equal(event?.element, CLOSED);
      }),
  },
  V13: {
    says: 'emitted byte for byte on the old channel, SOLNT because LOSOLNT was set at login',
    run: () =>
      withGuest({ queuePairs: 2 }, (guest) => {
        const [old, next] = guest.channels as [RawChannel, RawChannel];
        old.open(login(26, '10'));
        old.park('00000000 00000b02', 0x4000);
        next.open();
        const [logout, event] = old.received();
        assert.equal(hex(logout?.iu ?? Buffer.alloc(0)), hex(vector('V13')));
        assert.equal(event?.element, CLOSED);
      }),
  },
  V49: {
    says: 'never sent by this target (the limit never shrinks): encoder output compared',
    run: () => {
      const good = decodeIu(vector('V38'));
      assert(good?.type === 0xc1);
      assert.equal(
        hex(encodeIu({ ...good, delta: 0xfffffffd, tagLow: 0x0c29 })),
        hex(vector('V49')),
      );
    },
  },
  V50: {
    says: 'emitted after 8 commands vanished without an answer, SOLNT set because CRSOLNT was asked for',
    run: () =>
      withGuest({}, (guest) => {
        const { channel, bed } = guest;
        channel.open(login(26, '20'));
        channel.clear('0000');
        channel.park('00000000 00000b03', 0x4000);
        channel.park('00000000 00000b0f', 0x5000);
        heldReads(channel, 8);
        clearedByAnother(bed, () => {
          const all = channel.received();
          assert.equal(all.length, 1);
          assert.equal(hex(patched(all[0]?.iu ?? Buffer.alloc(16), 1, '00')), hex(vector('V50')));
          assert.equal(all[0]?.iu[1], 1);
          assert.equal(all[0]?.element, '80010000000000100000000000000b03');
        });
      }),
  },
  V51: {
    says: 'taken as the answer to V50 at no credit; a second one ends the channel with reason 3',
    run: () =>
      withGuest({}, (guest) => {
        const { channel, bed } = guest;
        channel.open(login(26, '20'));
        channel.clear('0000');
        channel.park('00000000 00000b03', 0x4000);
        channel.park('00000000 00000b0f', 0x5000);
        heldReads(channel, 1);
        clearedByAnother(bed, () => assert.equal(channel.received()[0]?.iu[0], 0x81));
        channel.send(vector('V51'));
        assert.deepEqual(channel.received(), []);
        channel.send(vector('V51'));
        const [logout, event] = channel.received();
        assert.equal(hex(logout?.iu ?? Buffer.alloc(0)), '80000000000000030000000000000b0f');
        assert.equal(event?.element, CLOSED);
      }),
  },
  V52: {
    says: 'emitted with the credit of a vanished command, SOLNT set because AESOLNT was asked for',
    run: () =>
      withGuest({}, (guest) => {
        const { channel, bed } = guest;
        channel.open(login(26, '60'));
        channel.clear('0000', '8100');
        channel.park('00000000 00000b04', 0x4000);
        channel.park('00000000 00000b0f', 0x5000);
        const slow = bed.stores.get(1);
        assert(slow);
        slow.hold = true;
        const read = { cdb: '28000000 00000000 0100', formats: '01' };
        const direct = '00000000 00200000 00000000 00000200';
        channel.send(
          command({ ...read, lun: '8100', descriptors: direct, tag: '00000000 00000e99' }),
        );
        heldReads(channel, 1);
        clearedByAnother(bed, () => assert.deepEqual(channel.received(), []));
        assert(channel.port.sendAsynchronousEvent(0, 0x063f0e));
        const [event] = channel.received();
        assert.equal(event?.iu[1], 1);
        assert.equal(hex(patched(event?.iu ?? Buffer.alloc(54), 1, '00')), hex(vector('V52')));
      }),
  },
  V53: {
    says: 'taken as the answer to V52; until then no second event is sent',
    run: () =>
      withGuest({}, (guest) => {
        const { channel } = guest;
        channel.open(login(26, '40'));
        assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), false);
        channel.park('00000000 00000b04', 0x4000);
        assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), false);
        channel.park('00000000 00000b05', 0x5000);
        channel.park('00000000 00000b06', 0x6000);
        assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), true);
        assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), false);
        channel.received();
        channel.send(vector('V53'));
        assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), true);
        assert.deepEqual(
          channel.received().map((r) => r.element.slice(24)),
          ['00000b05'],
        );
      }),
  },
};
