import { strict as assert } from 'node:assert';
import { LogLimiter } from '../../../src/transport/log-limiter.ts';
import { disk } from '../../support/target.ts';
import { bytes, command, hex, patched, type RawChannel, RawGuest, vector } from './raw-guest.ts';

const END = 0x400000;
const word = (n: number): string => n.toString(16).padStart(8, '0');

function initialized(use: (channel: RawChannel, guest: RawGuest) => void): void {
  const guest = new RawGuest(disk(), { name: 'guest' });
  guest.channel.initialize();
  use(guest.channel, guest);
  guest.close();
}

/** Status of the answer to a MAD of this type about `length` bytes at `address`. */
function status(
  channel: RawChannel,
  type: number,
  length: number,
  address: number,
  high = 0,
): string {
  const at = 0x8000;
  const size = length.toString(16).padStart(4, '0');
  channel.mad(
    bytes(`${word(type)} ffff${size} 00000000 00000d99 ${word(high)} ${word(address)}`),
    at,
  );
  const answers = channel.received();
  if (answers.length === 0) return 'held';
  assert.equal(answers[0]?.element, '80020000000000180000000000000d99');
  return hex(channel.guest.at(at + 4, 2));
}

describe('virtual SCSI management datagrams', () => {
  it('every type with a buffer: the last byte of the region is in, one more is 00F7h', () => {
    initialized((channel) => {
      for (const [type, length] of [
        [2, 104],
        [3, 148],
        [5, 92],
      ] as const) {
        assert.equal(status(channel, type, length, END - length), '0000');
        assert.equal(status(channel, type, length, END - length + 1), '00f7');
        assert.equal(status(channel, type, length, 0xffffffff), '00f7');
        assert.equal(status(channel, type, length, 0x10000, 1), '00f7');
        assert.equal(status(channel, type, length - (type === 5 ? 13 : 1), 0x10000), '00f7');
        assert.equal(status(channel, type, 0, 0x10000), '00f7');
      }
      assert.equal(status(channel, 1, 16, END - 15), '00f7');
    });
  });

  it('a datagram too short for its buffer address is 00F7h', () => {
    initialized((channel) => {
      channel.mad(vector('M01').subarray(0, 16), 0x8000);
      assert.equal(channel.received().length, 1);
      assert.equal(hex(channel.guest.at(0x8004, 2)), '00f7');
    });
  });

  it('only the status of the header is written', () => {
    initialized((channel) => {
      const request = patched(vector('M01'), 20, '00010000');
      channel.guest.at(0x8000, 64).fill(0xa5);
      channel.mad(request, 0x8000);
      assert.equal(hex(channel.guest.at(0x8000, 32)), `${hex(request)}a5a5a5a5a5a5a5a5`);
    });
  });

  it('FreeBSD puts the payload right behind the header', () => {
    initialized((channel, guest) => {
      guest.put(0x8018, vector('M02'));
      channel.mad(patched(vector('M01'), 20, '00008018'), 0x8000);
      assert.equal(
        hex(channel.received()[0]?.iu.subarray(0, 8) ?? Buffer.alloc(0)),
        '0000000300000094',
      );
      assert.equal(hex(guest.at(0x8018 + 112, 8)), '0000000200100000');
    });
  });

  it('eight buffers can be parked, of 16 bytes at least', () => {
    initialized((channel) => {
      assert.equal(status(channel, 1, 15, 0x10000), '00f7');
      for (let i = 0; i < 8; i += 1) assert.equal(status(channel, 1, 16, 0x10000), 'held');
      assert.equal(status(channel, 1, 16, 0x10000), '00f7');
    });
  });

  it('an event does not go into a buffer that is too small for it', () => {
    initialized((channel) => {
      channel.ask(patched(vector('V01'), 26, '40'));
      for (let i = 0; i < 3; i += 1) channel.park(`000000ee 0000000${i}`, 0x4000 + i * 64, 53);
      assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), false);
      channel.park('000000ee 00000009', 0x5000, 54);
      assert.equal(channel.port.sendAsynchronousEvent(0, 0x063f0e), true);
    });
  });

  it('a new initialization forgets parked buffers and fast fail', () => {
    initialized((channel) => {
      channel.park('000000ee 00000001', 0x4000);
      channel.initialize();
      channel.send(command());
      assert.deepEqual(
        channel.received().map((r) => r.element.slice(0, 4)),
        ['ff02'],
      );
    });
  });
});

describe('MEDIA_REQUEST (an extension of the binding)', () => {
  const MEDIA_REQUEST = 0x52530001;
  const AT = 0x10000;

  function loggedIn(
    use: (ask: (payload: string, length?: number) => string, guest: RawGuest) => void,
    options: Parameters<typeof disk>[0] = { removable: true },
  ): void {
    const guest = new RawGuest(disk(options), { name: 'guest' });
    guest.channel.initialize();
    guest.channel.ask(vector('V01'));
    use((payload, length = 24) => {
      guest.put(AT, bytes(payload));
      const answer = status(guest.channel, MEDIA_REQUEST, length, AT);
      return answer === '0000' ? hex(guest.at(AT, 24)) : answer;
    }, guest);
    guest.close();
  }
  const request = (code: number, lun = '0000000000000000', version = '0001'): string =>
    `${version}0${code}ff ff 000000 ${lun} ffffffff ffffffff`;
  /** RESULT, FLAGS and the generation. */
  const answered = (code: number, result: number, flags: string, generation = 1): string =>
    `00010${code}0${result}${flags}000000${'00'.repeat(8)}00000000${word(generation)}`;

  it('query, lock, unlock', () => {
    loggedIn((ask) => {
      assert.equal(ask(request(0)), answered(0, 0, '01'));
      assert.equal(ask(request(1)), answered(1, 0, '05'));
      assert.equal(ask(request(2)), answered(2, 0, '01'));
    });
  });

  it('eject: the tray is open, and the same again is done', () => {
    loggedIn((ask) => {
      assert.equal(ask(request(3)), answered(3, 0, '02'));
      assert.equal(ask(request(3)), answered(3, 0, '02'));
      assert.equal(ask(request(1)), answered(1, 3, '02'), 'absent');
    });
  });

  it('a fixed medium is unsupported, and a LUN that is not there', () => {
    loggedIn((ask) => assert.equal(ask(request(3)), answered(3, 2, '00', 0)), {});
    loggedIn((ask) => {
      const lun = '0007000000000000';
      assert.equal(ask(request(0, lun)), `0001000200000000${lun}0000000000000000`);
    });
  });

  it('a later version is answered in this one', () => {
    loggedIn((ask) => assert.equal(ask(request(0, undefined, '0002')), answered(0, 0, '01')));
  });

  it('unknown requests, version 0 and short buffers are 00F7h', () => {
    loggedIn((ask) => {
      assert.equal(ask(request(4)), '00f7');
      assert.equal(ask(request(0, undefined, '0000')), '00f7');
      assert.equal(ask(request(0), 23), '00f7');
    });
  });

  it('nobody asks before the login', () => {
    initialized((channel, guest) => {
      guest.put(AT, bytes(request(0)));
      assert.equal(status(channel, MEDIA_REQUEST, 24, AT), '00f7');
    });
  });
});

describe('log limiter', () => {
  it('passes 8 lines a second and says how many it dropped', () => {
    const lines: string[] = [];
    let nowMs = 0;
    const limiter = new LogLimiter(
      (text) => lines.push(text),
      () => nowMs,
    );
    for (let i = 0; i < 20; i += 1) limiter.log('info', `line ${i}`);
    assert.deepEqual(lines, [
      'line 0',
      'line 1',
      'line 2',
      'line 3',
      'line 4',
      'line 5',
      'line 6',
      'line 7',
    ]);
    nowMs = 1000;
    limiter.log('info', 'later');
    limiter.log('info', 'and later');
    assert.deepEqual(lines.slice(8), [
      'later (12 lines before this one were dropped)',
      'and later',
    ]);
  });
});
