import { strict as assert } from 'node:assert';
import { disk } from '../../support/target.ts';
import {
  bytes,
  command,
  hex,
  IU_AT,
  manage,
  outcome,
  patched,
  type RawChannel,
  RawGuest,
  type RawGuestOptions,
  vector,
} from './raw-guest.ts';

const EVENT = 'ff020000000000000000000000000000';
const READ = {
  cdb: '28000000 00000000 0100',
  formats: '01',
  descriptors: '00000000 00200000 00000000 00000200',
} as const;

/** A guest that is not initialized yet. */
function attached(
  use: (channel: RawChannel, guest: RawGuest) => void,
  options: RawGuestOptions = {},
): void {
  const bed = disk({ blocks: 64 });
  const guest = new RawGuest(bed, { name: 'guest', ...options });
  use(guest.channel, guest);
  assert.deepEqual(bed.internalErrors, []);
  guest.close();
}

function open(
  use: (channel: RawChannel, guest: RawGuest) => void,
  options: RawGuestOptions = {},
): void {
  attached((channel, guest) => {
    channel.open();
    channel.clear('0000');
    use(channel, guest);
  }, options);
}

/** What the target sent, as the first two bytes of each element. */
function kinds(channel: RawChannel): string[] {
  return channel.received().map((r) => r.element.slice(0, 4));
}

/** The channel was closed with this T_LOGOUT reason, and works again after a new initialization. */
function closedWith(channel: RawChannel, reason: number): void {
  const [logout, event] = channel.received();
  assert.equal(
    hex(logout?.iu.subarray(0, 8) ?? Buffer.alloc(0)),
    `80000000000000${reason.toString().padStart(2, '0')}`,
  );
  assert.equal(event?.element, EVENT);
  assert.equal(channel.port.loggedIn, false);
  channel.send(command());
  assert.deepEqual(channel.received(), [], 'a closed channel is silent');
  channel.open();
}

describe('SRP target port: functions that SRP does not have (docs/srp-ring.md, section 8)', () => {
  /** Byte 36 to 39 of the answer. */
  const answer = (channel: RawChannel, code: string, managed?: string): string =>
    hex(channel.ask(manage(code, managed === undefined ? {} : { managed })).subarray(36, 40));

  it('QUERY ASYNCHRONOUS EVENT: the pending unit attention with RSP_CODE 08h, then 00h', () => {
    attached((channel) => {
      channel.open();
      assert.equal(answer(channel, '83'), '16290008');
      channel.clear('0000');
      assert.equal(answer(channel, '83'), '00000000');
    });
  });

  it('QUERY TASK and QUERY TASK SET with nothing in the task set complete', () => {
    open((channel) => {
      assert.equal(answer(channel, '81', '00000000 00000c01'), '00000000');
      assert.equal(answer(channel, '82'), '00000000');
    });
  });

  it('FUNCTION SUCCEEDED is a success: SOLNT follows SCSOLNT', () => {
    attached((channel) => {
      channel.open();
      assert.equal(channel.ask(manage('83', { solicited: '02' }))[1], 1);
      assert.equal(channel.ask(manage('83', { solicited: '04' }))[1], 0);
    });
  });

  it('I_T NEXUS RESET completes, and the nexus is told 29/07', () => {
    open((channel) => {
      assert.equal(answer(channel, '80'), '00000000');
      assert.equal(outcome(channel.ask(command())), '02 6/29/07');
    });
  });
});

describe('SRP target port: a channel from initialization to its end', () => {
  for (const [what, bad] of [
    ['an IU', command()],
    ['a login', vector('V01')],
  ] as const) {
    it(`${what} before initialization ends it`, () => {
      attached((channel) => {
        channel.send(bad);
        assert.deepEqual(kinds(channel), ['ff02']);
        channel.open();
      });
    });
  }

  it('a command, a function, a logout and a response before login end it', () => {
    for (const iu of [command(), manage('08'), vector('V11'), vector('V51'), vector('V53')]) {
      attached((channel) => {
        channel.initialize();
        channel.send(iu);
        assert.deepEqual(kinds(channel), ['ff02']);
        channel.open();
      });
    }
  });

  it('initialization may be repeated until the login, not after', () => {
    attached((channel) => {
      channel.initialize();
      channel.initialize();
      channel.ask(vector('V01'));
      channel.element(vector('C01'));
      assert.deepEqual(kinds(channel), ['ff02']);
      channel.open();
    });
  });

  it('unknown initialization, command and message formats end it', () => {
    for (const element of [
      'c0030000000000000000000000000000',
      '80030000000000400000000000010000',
      '80000000000000400000000000010000',
      '80070000000000400000000000010000',
      '80060001000000000000000000000000',
    ]) {
      open((channel) => {
        channel.element(element);
        assert.deepEqual(kinds(channel), ['ff02'], element);
        channel.open();
      });
    }
  });

  it('every IU type that is not from an initiator is T_LOGOUT reason 2', () => {
    for (let type = 0; type < 256; type += 1) {
      if ([0x00, 0x01, 0x02, 0x03, 0x41, 0x42].includes(type)) continue;
      open((channel) => {
        channel.park('00000000 00000bff', 0x4000);
        channel.send(patched(command(), 0, type.toString(16).padStart(2, '0')));
        closedWith(channel, 2);
      });
    }
  });

  it('T7 an IU shorter than its header, at every length, is reason 8', () => {
    for (const [iu, size] of [
      [command(), 48],
      [manage('08'), 48],
      [vector('V11'), 16],
      [vector('V51'), 16],
    ] as const) {
      for (const length of [0, 1, 8, 15, size - 1]) {
        open((channel) => {
          channel.park('00000000 00000bff', 0x4000);
          channel.send(iu, undefined, length);
          closedWith(channel, 8);
        });
      }
    }
  });

  it('an IU longer than was agreed is reason 8, and so is one outside the region', () => {
    const size = 0x400000;
    for (const [length, high, low] of [
      [257, 0, IU_AT],
      [65535, 0, IU_AT],
      [48, 0, size - 255],
      [48, 0, size],
      [48, 0, 0xffffffff],
      [48, 1, IU_AT],
      [48, 0xffffffff, 0xffffffff],
    ] as const) {
      open((channel) => {
        channel.park('00000000 00000bff', 0x4000);
        const word = (n: number): string => n.toString(16).padStart(8, '0');
        channel.element(`80010000 ${word(length)} ${word(high)} ${word(low)}`);
        closedWith(channel, 8);
      });
    }
    open((channel) => {
      assert.equal(outcome(channel.ask(command(), size - 256)), '00', 'the last place with room');
    });
  });

  it('a MAD outside the region or shorter than its header is reason 8', () => {
    for (const element of [
      '800200000000000f0000000000010000',
      '80020000000000180000000100010000',
      '800200000000001800000000003ffff0',
    ]) {
      open((channel) => {
        channel.park('00000000 00000bff', 0x4000);
        channel.element(element);
        closedWith(channel, 8);
      });
    }
  });

  it('a VALID code nobody defined breaks the attachment off, and nothing is read any more', () => {
    for (const valid of ['00', '01', '7f', '81', 'c1', 'fe']) {
      open((channel, guest) => {
        channel.element(`${valid}010000000000300000000000010000`);
        assert.equal(guest.breaks.length, 1, valid);
        channel.send(command());
        assert.deepEqual(channel.received(), []);
      });
    }
  });

  it('T4 a response queue that is never read breaks the attachment off', () => {
    open(
      (channel, guest) => {
        for (let i = 0; i < 9; i += 1) channel.send(command());
        assert.deepEqual(guest.breaks, ['the response queue is full']);
        assert(channel.port.idle());
      },
      { entries: 8 },
    );
  });

  it('more requests than there are slots end the channel; more than credits do not', () => {
    open(
      (channel, guest) => {
        guest.bed.store.hold = true;
        for (let i = 0; i < 6; i += 1)
          channel.send(command({ ...READ, tag: `00000000 0000000${i}` }));
        assert.deepEqual(channel.received(), []);
        channel.send(command({ tag: '00000000 00000009' }));
        assert.deepEqual(kinds(channel), ['ff02']);
        guest.bed.store.releaseAll();
        assert.deepEqual(channel.received(), [], 'what was in flight is answered to nobody');
        assert(channel.port.idle());
      },
      { requestLimit: 4, slots: 6 },
    );
  });

  it('T3 a poll handles no more than its budget', () => {
    open((channel) => {
      for (let i = 0; i < 10; i += 1) {
        channel.end.send(0x80, 6, 0xf5, 0, 0, 0, 0);
      }
      assert.equal(channel.port.poll(4), 4);
      assert.equal(channel.received().length, 4);
      assert.equal(channel.port.poll(100), 6);
      assert.equal(channel.port.poll(100), 0);
    });
  });

  it('F3 an initiator that goes away in the middle of writes: nothing is answered, memory is free when they end', () => {
    open((channel, guest) => {
      guest.bed.store.hold = true;
      channel.send(
        command({ cdb: '2a000000 00000000 0100', formats: '10', descriptors: READ.descriptors }),
      );
      channel.send(command({ ...READ, cdb: '28000000 00080000 0100', tag: '00000000 00000001' }));
      channel.port.detach();
      assert.equal(channel.port.idle(), false);
      assert.equal(channel.port.outstanding, 2);
      guest.bed.store.releaseAll();
      assert(channel.port.idle());
      assert.deepEqual(channel.received(), []);
      assert.equal(channel.port.poll(10), 0);
      assert.equal(guest.session.nexuses().length, 0);
    });
  });

  it('T18 the same abort many times, and of a command that has ended', () => {
    open((channel, guest) => {
      guest.bed.store.hold = true;
      channel.send(command({ ...READ, tag: '00000000 00000c01' }));
      for (let i = 0; i < 5; i += 1) {
        channel.send(manage('01', { tag: `00000000 8000000${i}`, managed: '00000000 00000c01' }));
      }
      assert.deepEqual(channel.received(), []);
      guest.bed.store.releaseAll();
      const answers = channel.received().map((r) => hex(r.iu.subarray(4, 8)));
      assert.deepEqual(answers, ['00000002', '00000001', '00000001', '00000001', '00000001']);
      channel.send(manage('01', { managed: '00000000 00000c01' }));
      assert.equal(hex(channel.received()[0]?.iu.subarray(36) ?? Buffer.alloc(0)), '00000000');
    });
  });

  it('a tag that is still in use: B/4E/00, and no credit is lost', () => {
    open((channel, guest) => {
      guest.bed.store.hold = true;
      const one = { ...READ, attribute: '02', tag: '00000000 00000001' };
      channel.send(command(one), 0x8000);
      channel.send(command({ ...READ, attribute: '02', tag: '00000000 00000002' }), 0x8400);
      channel.send(command(one), 0x8800);
      guest.bed.store.releaseAll();
      const answers = channel.received();
      assert.equal(answers.length, 2, 'what waited was dropped; its credit came with an answer');
      const [first, last] = [guest.at(0x8000, 64), guest.at(0x8800, 64)].map((b) => Buffer.from(b));
      assert(first && last);
      assert.equal(outcome(last), '02 b/4e/00');
      assert.equal(outcome(first), '40');
      assert.equal(first.readUInt32BE(4) + last.readUInt32BE(4), 3);
    });
  });

  it('counts commands and payload, and shows each command to the trace before its task is reused', () => {
    open((channel) => {
      const before = channel.port.counters.commands;
      const seen: string[] = [];
      channel.port.clockUs = () => 42;
      channel.port.trace = (task) => seen.push(`${task.cdb[0]} ${task.status} ${task.startedUs}`);
      channel.ask(command(READ));
      channel.ask(command({ lun: '0009' }));
      channel.port.trace = null;
      channel.ask(command());
      assert.deepEqual(seen, ['40 0 42', '0 2 42']);
      assert.equal(channel.port.counters.commands - before, 3);
      assert.equal(channel.port.counters.bytesIn, 512);
      assert.equal(channel.port.counters.bytesOut, 0);
    });
  });

  it('T25 a peer that breaks the rules for ever writes few log lines', () => {
    attached((channel, guest) => {
      for (let i = 0; i < 200; i += 1) {
        channel.element(vector('C01'));
        channel.send(command());
        channel.received();
      }
      assert(guest.lines.length <= 16, `${guest.lines.length} lines`);
    });
  });
});

describe('SRP target port: LUN spellings', () => {
  const WLUN = 'c101';
  const reports = (channel: RawChannel, guest: RawGuest, lun: string): string => {
    const descriptors = '00000000 00200000 00000000 00000100';
    const answer = channel.ask(
      command({ lun, cdb: 'a0000000 00000000 01000000', formats: '01', descriptors }),
    );
    assert.equal(outcome(answer), '00');
    const list = Buffer.from(guest.at(0x200000, 256));
    return hex(list.subarray(8, 8 + list.readUInt32BE(0)))
      .replace(/(.{4})0{12}/g, '$1 ')
      .trim();
  };

  it('native: 00 nn and 40+ nn', () => {
    open((channel, guest) => {
      guest.bed.add({ lun: 5 });
      guest.bed.add({ lun: 300 });
      assert.equal(reports(channel, guest, '0000'), '0000 0005 412c');
      assert.equal(reports(channel, guest, WLUN), '0000 0005 412c');
      assert.equal(outcome(channel.ask(command({ lun: '4005' }))).slice(0, 4), '02 6');
      channel.clear('0005');
      assert.equal(outcome(channel.ask(command({ lun: '4005' }))), '00');
      assert.equal(outcome(channel.ask(command({ lun: '8005' }))), '00');
      assert.equal(outcome(channel.ask(command({ lun: '8500' }))), '02 5/25/00');
    });
  });

  it('virtual SCSI: the adapter lists one target per unit, target n its LUN 0', () => {
    open(
      (channel, guest) => {
        guest.bed.add({ lun: 2 });
        assert.equal(reports(channel, guest, '0000'), '0000 8200');
        assert.equal(reports(channel, guest, WLUN), '0000 8200');
        assert.equal(reports(channel, guest, '8200'), '0000');
        channel.clear('8200');
        assert.equal(outcome(channel.ask(command({ lun: '8200' }))), '00');
        for (const lun of ['0002', '4002', '8201', '8220', '8300']) {
          assert.equal(outcome(channel.ask(command({ lun }))), '02 5/25/00', lun);
        }
      },
      { presentation: 'vscsi' },
    );
  });
});

describe('SRP target port: T1 shared memory that changes while it is used', () => {
  /** Makes every word of the first region turn to FFFFFFFFh as soon as it was read once. */
  function scribbling(guest: RawGuest): void {
    const [region] = guest.loopback.memory.regions;
    assert(region);
    const { words, data } = region;
    Object.defineProperty(region, 'words', {
      value: new Proxy(words, {
        get(target, key) {
          const value = Reflect.get(target, key, target);
          if (typeof key === 'string' && /^\d+$/.test(key)) target[Number(key)] = -1;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
    });
    Object.defineProperty(region, 'data', {
      value: {
        getInt32(at: number): number {
          const value = data.getInt32(at);
          data.setInt32(at, -1);
          return value;
        },
        setUint8: data.setUint8.bind(data),
        setUint16: data.setUint16.bind(data),
        setUint32: data.setUint32.bind(data),
      },
    });
  }

  it('the copy of the IU is what counts', () => {
    open((channel, guest) => {
      scribbling(guest);
      guest.bed.store.memory.fill(0x6b, 0, 512);
      const iu = command({ ...READ, tag: '12345678 9abcdef0', solicited: '02' });
      channel.send(iu, 0x8000);
      const [answer] = channel.received();
      assert.equal(answer?.element, '8001000000000024123456789abcdef0');
      assert.equal(
        hex(answer?.iu ?? Buffer.alloc(0)),
        `c101000000000001123456789abcdef0${'0'.repeat(40)}`,
      );
      assert(guest.at(0x200000, 512).every((byte) => byte === 0x6b));
      assert(
        guest.at(0x8000 + 36, 28).every((byte) => byte === 0xff),
        'every word was read, and once',
      );
    });
  });

  it('the copy of an external table is what counts', () => {
    open((channel, guest) => {
      scribbling(guest);
      guest.bed.store.memory.fill(0x6c, 0, 512);
      const entry = (at: string): string => `00000000 ${at} 00000000 00000100`;
      guest.put(0x300000, bytes(entry('00200000') + entry('00200100')));
      const table = '00000000 00300000 00000000 00000020 00000200';
      channel.send(command({ ...READ, formats: '02', descriptors: table }));
      const [answer] = channel.received();
      assert.equal(outcome(answer?.iu ?? Buffer.alloc(64)), '00');
      assert(guest.at(0x200000, 512).every((byte) => byte === 0x6c));
      assert(guest.at(0x300000, 32).every((byte) => byte === 0xff));
    });
  });

  it('the copy of a login is what counts', () => {
    attached((channel, guest) => {
      channel.initialize();
      scribbling(guest);
      const answer = channel.ask(patched(vector('V01'), 32, 'aaaa'));
      assert.equal(answer[0], 0xc0);
      assert.deepEqual(guest.session.initiatorPorts(), [`aaaa${'0'.repeat(28)}`]);
    });
  });
});
