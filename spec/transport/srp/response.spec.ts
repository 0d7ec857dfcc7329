import { strict as assert } from 'node:assert';
import { encodeResponse, residual } from '../../../src/transport/srp/response.ts';
import { disk } from '../../support/target.ts';
import {
  command,
  hex,
  manage,
  outcome,
  patched,
  type RawChannel,
  RawGuest,
  vector,
} from './raw-guest.ts';

/** Described, wanted, moved, then flags and count for one direction (fact sheet 1.11). */
const RESIDUALS: readonly (readonly [number, number, number, 'under' | 'over' | 'none', number])[] =
  [
    [0, 0, 0, 'none', 0],
    [512, 512, 512, 'none', 0],
    [512, 512, 0, 'under', 512],
    [512, 36, 36, 'under', 476],
    [512, 0, 0, 'under', 512],
    [512, 1024, 512, 'over', 512],
    [0, 512, 0, 'over', 512],
    [512, 1024, 100, 'under', 412],
    [2 ** 31, 0, 0, 'under', 2 ** 31],
  ];

function open(use: (channel: RawChannel, guest: RawGuest) => void, login = vector('V01')): void {
  const guest = new RawGuest(disk({ blocks: 64 }), { name: 'guest' });
  guest.channel.open(login);
  guest.channel.clear('0000');
  use(guest.channel, guest);
  guest.close();
}

const READ = { cdb: '28000000 00000000 0100', formats: '01' } as const;
const AT_2M = '00000000 00200000 00000000';

describe('SRP_RSP residuals', () => {
  for (const [described, wanted, moved, kind, count] of RESIDUALS) {
    it(`described ${described}, wanted ${wanted}, moved ${moved}: ${kind} ${count}`, () => {
      const got = residual(described, wanted, moved);
      assert.equal(Math.abs(got), count);
      assert.equal(got > 0 ? 'under' : got < 0 ? 'over' : 'none', kind);
    });
  }

  it('follow from the descriptors, not the CDB, with GOOD too', () => {
    open((channel) => {
      const answer = channel.ask(command({ ...READ, descriptors: `${AT_2M} 00001000` }));
      assert.equal(
        hex(answer.subarray(16, 36)),
        '0000200000000000' + '00000e0000000000' + '00000000',
      );
    });
  });

  it('a write that has less than a block is GOOD and has an overflow: what the buffer lacked', () => {
    open((channel) => {
      const write = { cdb: '2a000000 00000000 0100', formats: '10' };
      const answer = channel.ask(command({ ...write, descriptors: `${AT_2M} 000000c8` }));
      assert.equal(hex(answer.subarray(18, 28)), '04000000013800000000');
    });
  });

  it('a failed read leaves what was not read under', () => {
    open((channel, guest) => {
      guest.bed.store.fail('read', 2, 0);
      const answer = channel.ask(command({ ...READ, descriptors: `${AT_2M} 00000200` }));
      assert.equal(outcome(answer), '02 3/11/00');
      assert.equal(hex(answer.subarray(18, 28)), '22020000000000000200');
    });
  });
});

describe('SRP_RSP', () => {
  it('T16 every byte of it is written: nothing of the request shines through', () => {
    open((channel) => {
      const iu = patched(
        command({ lun: '0007', tag: 'a5a5a5a5 a5a5a5a5' }),
        2,
        'a5a5a5',
        16,
        'a5a5a5a5',
      );
      const answer = channel.ask(iu, 0x8000);
      assert.equal(
        hex(answer),
        `c100000000000001a5a5a5a5a5a5a5a5${'0000020200000000000000000000001200000000'}` +
          '700005000000000a00000000250000000000',
      );
    });
  });

  it('sense data in descriptor format when the unit says so, at most 96 bytes', () => {
    open((channel, guest) => {
      guest.bed.unit.descriptorSense = true;
      const past = { ...READ, cdb: '28000000 10000000 0100' };
      const answer = channel.ask(command({ ...past, descriptors: `${AT_2M} 00000200` }));
      const length = answer.readUInt32BE(28);
      assert(length <= 96);
      assert.equal(answer.length, 36 + length);
      assert.equal(hex(answer.subarray(36, 40)), '72052100');
    });
  });

  it('sense of a malformed IU is in the format of the unit it was for', () => {
    open((channel, guest) => {
      guest.bed.unit.descriptorSense = true;
      assert.equal(hex(channel.ask(command({ formats: '04' })).subarray(36, 40)), '720b0e03');
      assert.equal(
        hex(channel.ask(command({ formats: '04', lun: '0009' })).subarray(36, 37)),
        '70',
      );
    });
  });

  it('SOLNT follows UCSOLNT on failure and SCSOLNT on success', () => {
    open((channel) => {
      const solnt = (iu: Buffer): number => channel.ask(iu)[1] as number;
      assert.deepEqual(
        ['00', '02', '04', '06'].map((solicited) => solnt(command({ solicited }))),
        [0, 1, 0, 1],
      );
      assert.deepEqual(
        ['00', '02', '04', '06'].map((solicited) => solnt(command({ solicited, lun: '0009' }))),
        [0, 0, 1, 1],
      );
      assert.deepEqual(
        ['00', '02', '04', '06'].map((solicited) => solnt(manage('08', { solicited }))),
        [0, 1, 0, 1],
      );
      assert.deepEqual(
        ['00', '02', '04', '06'].map((solicited) => solnt(manage('20', { solicited }))),
        [0, 0, 1, 1],
      );
    });
  });

  it('RSPVALID and SNSVALID are never together; functions always carry 4 bytes', () => {
    open((channel) => {
      for (const code of ['01', '02', '04', '08', '20', '40', '00', 'ff']) {
        const answer = channel.ask(manage(code));
        assert.equal(answer[18], 0x01);
        assert.equal(answer.readUInt32BE(28), 0);
        assert.equal(answer.readUInt32BE(32), 4);
        assert.equal(answer.length, 40);
      }
      assert.equal(hex(channel.ask(manage('08', { lun: '0009' })).subarray(36)), '00000002');
    });
  });

  it('the Linux client quirk turns UNDER into OVER and changes nothing else', () => {
    const view = (quirk: boolean): string => {
      const bytes = new DataView(new ArrayBuffer(64));
      const task = {
        tagHigh: 0,
        tagLow: 0x0c20,
        status: 0,
        sense: 0,
        senseInformation: -1,
        fieldPointer: -1,
        dataOut: { bytes: 0 },
        dataIn: { bytes: 252 },
        dataOutWanted: 0,
        dataOutMoved: 0,
        dataInWanted: 36,
        dataInMoved: 36,
      };
      const length = encodeResponse(bytes, 0, task as never, 1, 0, quirk, false);
      return hex(new Uint8Array(bytes.buffer, 0, length));
    };
    assert.equal(view(false), hex(vector('V40')));
    assert.equal(view(true), hex(patched(vector('V40'), 18, '10')));
  });
});
