import { strict as assert } from 'node:assert';
import { disk, type Testbed } from '../../support/target.ts';
import {
  command,
  hex,
  outcome,
  patched,
  type RawChannel,
  RawGuest,
  type RawGuestOptions,
  vector,
} from './raw-guest.ts';

const PORT_A = 'aaaaaaaaaaaaaaaa0000000000000001';
const NO_PORT = '00000000000000000000000000000000';
const NO_NUMBER = '';

function login(port: string, ...changes: (number | string)[]): Buffer {
  return patched(vector('V01'), 32, port, ...changes);
}

/** Reason of the LOGIN_REJ as 8 digits, or the empty string when logged in. */
function tryLogin(channel: RawChannel, iu: Buffer): string {
  const answer = channel.ask(iu);
  if (answer[0] === 0xc0) return NO_NUMBER;
  assert.equal(hex(answer.subarray(0, 4)), 'c2000000');
  assert.equal(hex(answer.subarray(8, 16)), hex(iu.subarray(8, 16)), 'the tag comes back');
  assert.equal(hex(answer.subarray(16)), '00000000000000000006000000000000', 'formats, rest zero');
  return hex(answer.subarray(4, 8));
}

const guests: RawGuest[] = [];
function attach(bed: Testbed, options: RawGuestOptions = {}): RawGuest {
  const guest = new RawGuest(bed, options);
  guests.push(guest);
  for (const channel of guest.channels) channel.initialize();
  return guest;
}
function channels(guest: RawGuest): [RawChannel, RawChannel] {
  return guest.channels as unknown as [RawChannel, RawChannel];
}

describe('SRP login', () => {
  afterEach(() => {
    for (const guest of guests.splice(0)) guest.close();
  });

  it('IU lengths: 63 is 00010000h, 64 to 8448 are taken, more is 00010002h', () => {
    for (const [length, reason] of [
      ['00000000', '00010000'],
      ['0000003f', '00010000'],
      ['00000040', NO_NUMBER],
      ['00002100', NO_NUMBER],
      ['00002101', '00010002'],
      ['ffffffff', '00010002'],
    ] as const) {
      const { channel } = attach(disk());
      assert.equal(tryLogin(channel, login(NO_PORT, 16, length)), reason, length);
    }
  });

  it('formats: none, direct, indirect are taken; any other bit is 00010004h', () => {
    for (let bit = 0; bit < 16; bit += 1) {
      const { channel } = attach(disk());
      const formats = (1 << bit).toString(16).padStart(4, '0');
      const reason = bit === 1 || bit === 2 ? NO_NUMBER : '00010004';
      assert.equal(tryLogin(channel, login(NO_PORT, 24, formats)), reason, formats);
    }
    assert.equal(tryLogin(attach(disk()).channel, login(NO_PORT, 24, '0000')), NO_NUMBER);
  });

  it('multi-channel actions 2 and 3 are 00010000h', () => {
    for (const action of ['02', '03']) {
      assert.equal(tryLogin(attach(disk()).channel, login(NO_PORT, 26, action)), '00010000');
    }
  });

  it('several channels of a session that has one are 00010005h', () => {
    const { channel } = attach(disk(), { channelLimit: 1 });
    assert.equal(tryLogin(channel, login(NO_PORT, 26, '01')), '00010005');
    assert.equal(tryLogin(channel, login(NO_PORT)), NO_NUMBER);
  });

  it('the channel after the last is 00010006h', () => {
    const guest = attach(disk(), { queuePairs: 3, channelLimit: 2 });
    const reasons = guest.channels.map((channel) => tryLogin(channel, login(PORT_A, 26, '01')));
    assert.deepEqual(reasons, [NO_NUMBER, NO_NUMBER, '00010006']);
  });

  it('a second login on an established channel is 00010006h, and the first one stays', () => {
    const { channel } = attach(disk());
    assert.equal(tryLogin(channel, login(NO_PORT)), NO_NUMBER);
    assert.equal(tryLogin(channel, login(NO_PORT)), '00010006');
    channel.clear('0000');
    assert.equal(outcome(channel.ask(command())), '00');
  });

  it('an identifier in use by another attachment is 00010003h, whatever the target port; free again afterwards', () => {
    const bed = disk();
    const [a, b] = [attach(bed, { name: 'a' }), attach(bed, { name: 'b' })];
    assert.equal(tryLogin(a.channel, login(PORT_A)), NO_NUMBER);
    assert.equal(tryLogin(b.channel, login(PORT_A)), '00010003');
    assert.equal(tryLogin(b.channel, login(PORT_A, 48, PORT_A)), '00010003');
    assert(a.channel.port.loggedIn, 'nobody was disturbed');
    a.channel.port.detach();
    assert.equal(tryLogin(b.channel, login(PORT_A)), NO_NUMBER);
  });

  it('no room for another nexus is 00010001h', () => {
    const bed = disk();
    for (let i = 0; i < 1024; i += 1) assert(bed.target.login(`other ${i}`, '', false));
    assert.equal(tryLogin(attach(bed).channel, login(NO_PORT)), '00010001');
  });

  it('fewer than two free slots are 00010001h', () => {
    const bed = disk();
    const { channel } = attach(bed, { requestLimit: 4, slots: 4, name: 'guest' });
    tryLogin(channel, login(NO_PORT));
    channel.clear('0000');
    bed.store.hold = true;
    const direct = '00000000 00200000 00000000 00000200';
    for (const tag of ['1', '2', '3']) {
      const read = { cdb: '28000000 00000000 0100', formats: '01', descriptors: direct };
      channel.send(command({ ...read, tag: `00000000 0000000${tag}` }));
    }
    channel.send(vector('V11'));
    assert.equal(tryLogin(channel, login(NO_PORT)), '00010001');
    bed.store.release();
    const answer = channel.ask(login(NO_PORT));
    assert.equal(hex(answer.subarray(0, 8)), 'c000000000000002', 'only what is free is granted');
    bed.store.hold = false;
    bed.store.releaseAll();
    assert.equal(channel.ask(command()).readUInt32BE(4), 3, 'the rest follows');
  });

  it('immediate data is granted for an offset on a word, behind the header, inside the IU, and only when asked for', () => {
    for (const [flags, offset, granted] of [
      ['80', '0030', true],
      ['80', '0044', true],
      ['80', '00fc', true],
      ['80', '002c', false],
      ['80', '0045', false],
      ['80', '0100', false],
      ['80', '0000', false],
      ['00', '0044', false],
    ] as const) {
      const answer = attach(disk()).channel.ask(login(NO_PORT, 26, flags, 28, offset));
      assert.equal(answer[0], 0xc0);
      assert.equal(((answer[26] as number) & 0x80) !== 0, granted, `${flags} ${offset}`);
    }
  });

  it('a login rejected leaves the channel ready for another', () => {
    const { channel } = attach(disk());
    assert.equal(tryLogin(channel, login(NO_PORT, 24, 'ffff')), '00010004');
    assert.equal(tryLogin(channel, login(NO_PORT)), NO_NUMBER);
  });
});

describe('SRP channels of one nexus', () => {
  afterEach(() => {
    for (const guest of guests.splice(0)) guest.close();
  });

  const direct = '00000000 00200000 00000000 00000200';
  const READ = { cdb: '28000000 00000000 0100', formats: '01', descriptors: direct } as const;

  it('share the nexus: unit attentions are reported once; results are 0, then 2', () => {
    const guest = attach(disk(), { queuePairs: 2 });
    const [a, b] = channels(guest);
    assert.equal((a.ask(login(PORT_A, 26, '01'))[26] as number) & 3, 0);
    assert.equal((b.ask(login(PORT_A, 26, '01'))[26] as number) & 3, 2);
    assert.equal(outcome(b.ask(command())), '02 6/29/00');
    assert.equal(outcome(a.ask(command())), '00');
    assert.equal(guest.session.nexuses().length, 1);
  });

  it('have credits of their own', () => {
    const guest = attach(disk(), { queuePairs: 2, requestLimit: 5, slots: 6 });
    const [a, b] = channels(guest);
    assert.equal(a.ask(login(PORT_A, 26, '01')).readUInt32BE(4), 5);
    assert.equal(b.ask(login(PORT_A, 26, '01')).readUInt32BE(4), 5);
  });

  it('lose the nexus with the last of them, and only its own commands with each', () => {
    const bed = disk();
    const guest = attach(bed, { queuePairs: 2 });
    const [a, b] = channels(guest);
    for (const channel of [a, b]) channel.ask(login(PORT_A, 26, '01'));
    a.clear('0000');
    bed.store.hold = true;
    a.send(command({ ...READ, tag: '00000000 0000000a' }));
    b.send(command({ ...READ, tag: '00000000 0000000b' }));
    a.element(vector('C09'));
    bed.store.hold = false;
    bed.store.releaseAll();
    assert.deepEqual(a.received(), []);
    assert.equal(outcome(b.received()[0]?.iu ?? Buffer.alloc(64)), '00');
    assert.equal(outcome(b.ask(command())), '00', 'no nexus loss yet');
    b.element(vector('C09'));
    assert.equal(guest.session.nexuses().length, 0);
    a.open(login(PORT_A));
    assert.equal(outcome(a.ask(command())), '02 6/29/07');
  });

  it('a single-channel login ends the others: their commands are aborted, the nexus was lost', () => {
    const bed = disk();
    const guest = attach(bed, { queuePairs: 2 });
    const [a, b] = channels(guest);
    a.ask(login(PORT_A));
    a.clear('0000');
    bed.store.hold = true;
    a.send(command(READ));
    assert.equal((b.ask(login(PORT_A))[26] as number) & 3, 1);
    bed.store.hold = false;
    bed.store.releaseAll();
    assert.deepEqual(
      a.received().map((r) => r.element.slice(0, 4)),
      ['ff02'],
    );
    assert.equal(outcome(b.ask(command())), '02 6/29/07');
  });

  it('a credit of a command aborted through a sibling comes back on its own channel', () => {
    const bed = disk();
    const guest = attach(bed, { queuePairs: 2, requestLimit: 2, slots: 4 });
    const [a, b] = channels(guest);
    for (const channel of [a, b]) channel.ask(login(PORT_A, 26, '01'));
    b.clear('0000');
    bed.store.hold = true;
    for (const tag of ['1', '2']) b.send(command({ ...READ, tag: `00000000 0000000${tag}` }));
    a.send(patched(vector('V14'), 20, '0000', 30, '02'));
    bed.store.hold = false;
    bed.store.releaseAll();
    const credits = b.received().map((r) => r.iu.readUInt32BE(4));
    assert.deepEqual(credits, [1, 1]);
    assert.equal(a.received()[0]?.iu.readUInt32BE(4), 1);
  });
});

describe('who an SRP initiator is', () => {
  afterEach(() => {
    for (const guest of guests.splice(0)) guest.close();
  });

  const identity = (guest: RawGuest): string => guest.session.nexuses()[0]?.identity ?? '';

  it('its port identifiers, over reconnects and attachments', () => {
    const bed = disk();
    const first = attach(bed, { name: 'x' });
    tryLogin(first.channel, login(PORT_A));
    first.channel.clear('0000');
    const known = identity(first);
    first.channel.port.detach();
    const again = attach(bed, { name: 'y' });
    tryLogin(again.channel, login(PORT_A));
    assert.equal(identity(again), known);
    assert.equal(outcome(again.channel.ask(command())), '02 6/29/07');
  });

  it('without them the name of its attachment', () => {
    const bed = disk();
    const guest = attach(bed, { name: 'web-1' });
    tryLogin(guest.channel, login(NO_PORT));
    assert.equal(identity(guest), 'name:web-1');
  });

  it('nobody when another attachment of that name is there, or there is no name', () => {
    const bed = disk();
    const named = ['web-1', 'web-1', '', ''].map((name) => attach(bed, { name }));
    for (const guest of named) assert.equal(tryLogin(guest.channel, login(NO_PORT)), NO_NUMBER);
    const identities = named.map(identity);
    assert.equal(new Set(identities).size, 4);
    assert.deepEqual(
      named.map((guest) => guest.session.nexuses()[0]?.anonymous),
      [false, true, true, true],
    );
  });

  it('a name cannot be mistaken for an identifier', () => {
    const bed = disk();
    const [a, b] = [attach(bed), attach(bed, { name: `${PORT_A}:${NO_PORT}` })];
    tryLogin(a.channel, login(PORT_A));
    assert.equal(tryLogin(b.channel, login(NO_PORT)), NO_NUMBER);
    assert.notEqual(identity(a), identity(b));
  });
});
