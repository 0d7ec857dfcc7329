import { strict as assert } from 'node:assert';
import { disk } from '../../support/target.ts';
import {
  bytes,
  command,
  hex,
  outcome,
  patched,
  type RawChannel,
  RawGuest,
  vector,
} from './raw-guest.ts';

const TOO_SHORT = '02 b/0e/01';
const INVALID = '02 b/0e/03';
const MIB = 0x100000;
/** The first region of these guests ends here. */
const END = 4 * MIB;

function open(use: (channel: RawChannel, guest: RawGuest) => void, login = vector('V01')): void {
  const guest = new RawGuest(disk({ blocks: 8192 }), {
    name: 'guest',
    regions: [
      { handle: 0, bytes: END },
      { handle: 7, bytes: 16 * MIB },
    ],
  });
  guest.channel.open(login);
  guest.channel.clear('0000');
  use(guest.channel, guest);
  assert(guest.channel.port.loggedIn, 'the channel is kept');
  assert.deepEqual(guest.breaks, []);
  assert.equal(outcome(guest.channel.ask(command())), '00', 'the credit came back');
  guest.close();
}

function word(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Memory descriptor: address as 16 hex digits, handle, length. */
function descriptor(address: string, length: number, handle = 0): string {
  return `${address} ${word(handle)} ${word(length)}`;
}

/** READ(10) of one block through these descriptors. */
function read(formats: string, descriptors: string, counts = '0000', blocks = '0001'): Buffer {
  return command({ cdb: `28000000 000000 ${blocks} 00`, formats, counts, descriptors });
}

function indirect(table: string, total: number, list = ''): string {
  return `${table} ${word(total)} ${list}`;
}

describe('SRP data buffer descriptors', () => {
  it('direct: the last byte of a region is in, one more is out', () => {
    open((channel) => {
      const at = (offset: number): Buffer =>
        read('01', descriptor(`00000000 ${word(offset)}`, 512));
      assert.equal(outcome(channel.ask(at(END - 512))), '00');
      assert.equal(outcome(channel.ask(at(END - 511))), INVALID);
      assert.equal(outcome(channel.ask(at(END))), INVALID);
    });
  });

  it('direct: another region by its handle, nobody by an unknown one', () => {
    open((channel, guest) => {
      guest.bed.store.memory.fill(0x5a, 0, 512);
      assert.equal(
        outcome(channel.ask(read('01', descriptor(`00000000 ${word(64)}`, 512, 7)))),
        '00',
      );
      assert(guest.at(64, 512, 7).every((byte) => byte === 0x5a));
      assert.equal(
        outcome(channel.ask(read('01', descriptor('00000000 00000000', 512, 8)))),
        INVALID,
      );
    });
  });

  it('T7 addresses that wrap: offset + length past 2^32, 2^53 and 2^64', () => {
    open((channel) => {
      for (const [address, length] of [
        ['00000000 fffffe00', 512],
        ['00000000 ffffffff', 1],
        ['00000001 00000000', 512],
        ['001fffff ffffffff', 512],
        ['00200000 00000000', 512],
        ['ffffffff fffffe00', 512],
        ['ffffffff ffffffff', 0xffffffff],
        ['80000000 00000000', 512],
      ] as const) {
        const answer = channel.ask(read('01', descriptor(address, length)));
        assert.equal(outcome(answer), INVALID, address);
        assert.equal(hex(answer.subarray(18, 19)), '02', 'no residual of a refused buffer');
      }
    });
  });

  it('T7 a length of 2^32 - 1 in a region that is shorter', () => {
    open((channel) => {
      assert.equal(
        outcome(channel.ask(read('01', descriptor('00000000 00000000', 0xffffffff)))),
        INVALID,
      );
    });
  });

  it('a descriptor of no bytes is as good as none, wherever it points', () => {
    open((channel) => {
      const nowhere = descriptor('ffffffff ffffffff', 0, 0xdeadbeef);
      assert.equal(outcome(channel.ask(command({ formats: '01', descriptors: nowhere }))), '00');
      assert.equal(outcome(channel.ask(command({ formats: '10', descriptors: nowhere }))), '00');
    });
  });

  it('T7 a descriptor cut at every byte is too short', () => {
    open((channel) => {
      const whole = read('01', descriptor('00000000 00200000', 512));
      for (let length = 48; length < 64; length += 1) {
        assert.equal(outcome(channel.ask(whole, undefined, length)), TOO_SHORT, `${length}`);
      }
    });
  });

  it('T7 an indirect descriptor cut at every byte is too short', () => {
    open((channel) => {
      const list = descriptor('00000000 00200000', 256) + descriptor('00000000 00200100', 256);
      const table = descriptor('00000000 00300000', 32);
      const whole = read('02', indirect(table, 512, list), '0002');
      for (let length = 48; length < whole.length; length += 1) {
        assert.equal(outcome(channel.ask(whole, undefined, length)), TOO_SHORT, `${length}`);
      }
      assert.equal(outcome(channel.ask(whole)), '00');
    });
  });

  it('T7 an additional CDB cut at every byte is too short', () => {
    open((channel) => {
      const long = patched(command(), 31, '08');
      for (let extra = 0; extra < 8; extra += 1) {
        const iu = Buffer.concat([long, Buffer.alloc(extra)]);
        assert.equal(outcome(channel.ask(iu)), TOO_SHORT);
      }
      assert.equal(outcome(channel.ask(Buffer.concat([long, Buffer.alloc(8)]))), '00');
    });
  });

  it('T7 an IU is read the same at every alignment', () => {
    open((channel, guest) => {
      guest.bed.store.memory.fill(0x77, 0, 512);
      for (let at = 0x8000; at < 0x8010; at += 1) {
        guest.at(0x200000, 512).fill(0);
        assert.equal(
          outcome(channel.ask(read('01', descriptor('00000000 00200000', 512)), at)),
          '00',
        );
        assert(guest.at(0x200000, 512).every((byte) => byte === 0x77));
      }
    });
  });

  it('indirect: 256 entries are taken, 257 are not, whatever the table says', () => {
    open((channel, guest) => {
      const entries = Array.from({ length: 257 }, (_, i) =>
        descriptor(`00000000 ${word(0x200000 + 4 * i)}`, 2),
      );
      guest.put(0x300000, bytes(entries.join('')));
      const of = (n: number): Buffer =>
        read('02', indirect(descriptor('00000000 00300000', n * 16), n * 2));
      assert.equal(outcome(channel.ask(of(256))), '00');
      assert.equal(outcome(channel.ask(of(257))), INVALID);
      assert.equal(outcome(channel.ask(of(0x0fffffff))), INVALID);
    });
  });

  it('indirect: the table must lie inside its region', () => {
    open((channel, guest) => {
      const list = descriptor('00000000 00200000', 512) + descriptor('00000000 00200000', 512);
      guest.put(END - 32, bytes(list));
      const at = (address: string): Buffer => read('02', indirect(descriptor(address, 32), 1024));
      assert.equal(outcome(channel.ask(at(`00000000 ${word(END - 32)}`))), '00');
      for (const address of [
        `00000000 ${word(END - 31)}`,
        '00000000 ffffffff',
        `00000001 ${word(END - 32)}`,
        'ffffffff ffffffe0',
      ]) {
        assert.equal(outcome(channel.ask(at(address))), INVALID, address);
      }
      const elsewhere = descriptor(`00000000 ${word(END - 32)}`, 32, 9);
      assert.equal(outcome(channel.ask(read('02', indirect(elsewhere, 1024)))), INVALID);
    });
  });

  it('indirect: more entries in the IU than the table has are refused', () => {
    open((channel) => {
      const list = descriptor('00000000 00200000', 256) + descriptor('00000000 00200000', 256);
      const table = descriptor('00000000 00300000', 16);
      assert.equal(outcome(channel.ask(read('02', indirect(table, 512, list), '0002'))), INVALID);
    });
  });

  it('T7 indirect: a sum that is the total only modulo 2^32 is refused', () => {
    open((channel, guest) => {
      const of = (length: number): string => descriptor('00000000 00000000', length, 7).repeat(256);
      const table = descriptor('00000000 00300000', 256 * 16);
      guest.put(0x300000, bytes(of(16 * MIB)));
      assert.equal(outcome(channel.ask(read('02', indirect(table, 0)))), INVALID);
      guest.put(0x300000, bytes(of(8 * MIB)));
      assert.equal(outcome(channel.ask(read('02', indirect(table, 2 ** 31)))), '00');
    });
  });

  it('indirect: one bad entry refuses the whole buffer', () => {
    open((channel) => {
      const list = descriptor('00000000 00200000', 512) + descriptor(`00000000 ${word(END)}`, 512);
      const table = descriptor('00000000 00300000', 32);
      assert.equal(
        outcome(channel.ask(read('02', indirect(table, 1024, list), '0002', '0002'))),
        INVALID,
      );
    });
  });

  it('T2 a table that contains itself is data like any other', () => {
    open((channel, guest) => {
      const list = descriptor('00000000 00300000', 512);
      guest.put(0x300000, bytes(list));
      const table = descriptor('00000000 00300000', 16);
      assert.equal(outcome(channel.ask(read('02', indirect(table, 512)))), '00');
    });
  });

  it('T19 a buffer over the IU itself: the response wins', () => {
    open((channel) => {
      const answer = channel.ask(read('01', descriptor('00000000 00008000', 512)), 0x8000);
      assert.equal(outcome(answer), '00');
      assert.equal(answer[0], 0xc1);
    });
  });

  it('reserved format nibbles of either direction are refused', () => {
    open((channel) => {
      for (let format = 3; format < 16; format += 1) {
        const digit = format.toString(16);
        const lengths = '00000010'.repeat(8);
        assert.equal(
          outcome(channel.ask(command({ formats: `0${digit}`, descriptors: lengths }))),
          INVALID,
        );
        assert.equal(
          outcome(channel.ask(command({ formats: `${digit}0`, descriptors: lengths }))),
          INVALID,
        );
      }
    });
  });

  it('immediate data: inside the IU, behind its descriptor, and never with data-in', () => {
    const login = patched(vector('V01'), 16, '00002100', 26, '80', 28, '0034');
    open((channel, guest) => {
      const write = (formats: string, length: number, data: number, offsetPad = ''): Buffer =>
        Buffer.concat([
          command({
            cdb: '2a000000 00000000 0100',
            formats,
            descriptors: word(length) + offsetPad,
          }),
          Buffer.alloc(data, 0x3c),
        ]);
      assert.equal(outcome(channel.ask(write('30', 512, 512))), '00');
      assert(guest.bed.store.memory.subarray(0, 512).every((byte) => byte === 0x3c));
      assert.equal(outcome(channel.ask(write('30', 513, 512))), TOO_SHORT);
      assert.equal(outcome(channel.ask(write('30', 0xffffffff, 512))), TOO_SHORT);
      assert.equal(outcome(channel.ask(write('31', 512, 512))), INVALID);
      assert.equal(outcome(channel.ask(command({ formats: '30' }))), TOO_SHORT);
      const long = patched(write('30', 512, 512), 31, '04');
      assert.equal(outcome(channel.ask(long)), INVALID, 'the descriptor would lie in the data');
    }, login);
  });
});
