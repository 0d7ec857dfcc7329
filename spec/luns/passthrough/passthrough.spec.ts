/** Commands of several initiators on one real device: order, data, parts, aborts, sense data, events, prevention, burns. */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { type Client, check, PassthroughBed, senseOf } from '../../support/scripted-device.ts';

const TUR = '00 00 00 00 00 00';
const READ_1 = '28 00 00 00 00 00 00 00 01 00';
const GESN = '4a 01 00 00 10 00 00 00 08 00';
const BLOCK = 2048;
const ABORT_TASK = 1;
const LOGICAL_UNIT_RESET = 8;

/** A media event as the drive tells it. */
const event = (code: number, status: number): { data: number[] } => ({
  data: [0, 6, 4, 0x10, code, status, 0, 0],
});
const PRESENT = 0x02;
const TRAY_OPEN = 0x01;
const NOTHING_NEW = event(0, PRESENT);

describe('passthrough: commands', () => {
  let bed: PassthroughBed;
  let a: Client;
  beforeEach(() => {
    bed = new PassthroughBed({ limitBytes: 16 * BLOCK, answers: { '4a': NOTHING_NEW } });
    a = bed.client('a');
  });

  it('data that came is delivered, and the rest is the residual', () => {
    bed.device.answers.set('51', { data: Array.from({ length: 34 }, (_, i) => i) });
    const outcome = a.send('51 00 00 00 00 00 00 00 ff 00', { in: 255 });
    assert.equal(outcome.dataIn.length, 34);
    assert.equal(outcome.residualIn, 221);
  });

  it('a residual of everything delivers nothing of what lay in the buffer', () => {
    bed.device.data.fill(0x77);
    bed.device.answers.set('5a', { residual: 64 });
    const outcome = a.send('5a 00 2a 00 00 00 00 00 40 00', { in: 64 });
    assert.equal(outcome.dataIn.length, 0);
    assert.ok(outcome.buffer.every((byte) => byte !== 0x77));
  });

  it('sense data goes on as the drive made it, progress included', () => {
    const sense = senseOf(2, 4, 8);
    sense.set([0x80, 0x12, 0x34], 15);
    bed.device.answers.set('00', { status: 2, sense });
    const pending = a.nexus.start(TUR);
    bed.device.release();
    assert.equal(pending.outcome?.sense, '2/04/08');
    assert.equal(hex(pending.outcome?.deviceSense ?? new Uint8Array(0)), hex(sense));
  });

  it('one command at a time, in the order they came', () => {
    bed.device.hold = true;
    const cdbs = ['28 00 00 00 00 01 00 00 01 00', '28 00 00 00 00 02 00 00 01 00', TUR];
    for (const cdb of cdbs) a.nexus.start(cdb, { in: BLOCK });
    assert.deepEqual(bed.device.sent, cdbs.slice(0, 1));
    for (let i = 0; i < 3; i += 1) bed.device.release();
    assert.deepEqual(bed.device.sent, cdbs);
  });

  it('INQUIRY is the drive’s own, and does not wait for it', () => {
    bed.device.hold = true;
    a.nexus.start('a1 00 00 00 00 00 00 00 00 00 00 00');
    const outcome = a.nexus.run('12 00 00 00 24 00', { in: 36 });
    assert.equal(Buffer.from(outcome.dataIn).toString('latin1', 8, 32), 'ACME    BURNER          ');
    assert.equal(hex(a.nexus.run('12 01 80 00 ff 00', { in: 255 }).dataIn), '05 80 00 02 53 31');
    assert.equal(a.nexus.run('12 01 83 00 ff 00', { in: 255 }).sense, '5/24/00');
  });

  it('REPORT LUNS is ours', () => {
    assert.equal(a.nexus.run('a0 00 00 00 00 00 00 00 00 10 00 00', { in: 16 }).dataIn.length, 16);
    assert.deepEqual(bed.device.sent, []);
  });

  it('a reservation of another nexus excludes', () => {
    const b = bed.client('b');
    a.nexus.run('16 00 00 00 00 00');
    assert.equal(b.nexus.run(READ_1, { in: BLOCK }).status, 0x18);
  });

  it('a long READ goes in parts', () => {
    bed.device.answers.set('28', (cdb) => ({
      data: new Uint8Array(Number.parseInt(cdb.slice(-5, -3), 16) * BLOCK).fill(
        Number.parseInt(cdb.slice(15, 17), 16),
      ),
    }));
    const outcome = a.send('28 00 00 00 00 10 00 00 28 00', { in: 40 * BLOCK });
    assert.deepEqual(bed.device.sent, [
      '28 00 00 00 00 10 00 00 10 00',
      '28 00 00 00 00 20 00 00 10 00',
      '28 00 00 00 00 30 00 00 08 00',
    ]);
    assert.equal(outcome.dataIn.length, 40 * BLOCK);
    assert.deepEqual(
      [0, 16, 32].map((block) => outcome.dataIn[block * BLOCK]),
      [0x10, 0x20, 0x30],
    );
  });

  it('what came before a part failed is delivered', () => {
    bed.device.answers.set('28', { data: new Uint8Array(16 * BLOCK) });
    bed.device.answers.set('28 00 00 00 00 20', check(3, 0x11, 5));
    const outcome = a.send('28 00 00 00 00 10 00 00 28 00', { in: 40 * BLOCK });
    assert.equal(outcome.sense, '3/11/05');
    assert.equal(outcome.dataIn.length, 16 * BLOCK);
  });

  it('a long WRITE goes in parts, each with its own data', () => {
    const out = new Uint8Array(20 * BLOCK);
    out.fill(0x5a, 16 * BLOCK);
    const outcome = a.send('2a 00 ff ff ff 6a 00 00 14 00', { out });
    assert.equal(outcome.status, 0);
    assert.deepEqual(bed.device.sent, [
      '2a 00 ff ff ff 6a 00 00 10 00',
      '2a 00 ff ff ff 7a 00 00 04 00',
    ]);
    assert.ok(bed.device.out.every((byte) => byte === 0x5a));
  });

  it('a long allocation length is lowered to what the host moves', () => {
    bed.device.answers.set('52', { data: new Uint8Array(36) });
    a.send('52 01 00 00 00 01 00 ff ff 00', { in: 65535 });
    assert.deepEqual(bed.device.sent, ['52 01 00 00 00 01 00 80 00 00']);
  });

  it('less data than the CDB says is not sent', () => {
    assert.equal(
      a.send('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(BLOCK) }).sense,
      'b/4b/00',
    );
    assert.equal(
      a.send('5d 00 00 00 00 00 00 00 10 00', { out: new Uint8Array(8) }).sense,
      '5/1a/00',
    );
    assert.deepEqual(bed.device.sent, []);
  });

  it('a command that waits is aborted at once', () => {
    bed.device.hold = true;
    a.nexus.start(READ_1, { in: BLOCK, tag: 1 });
    const waits = a.nexus.start(READ_1, { in: BLOCK, tag: 2 });
    const asked = a.nexus.manage(ABORT_TASK, 2);
    assert.ok(asked.outcome, 'answered');
    assert.equal(waits.outcome?.dropped, true);
    assert.equal(bed.device.sent.length, 1);
  });

  it('one that runs ends first, and its data goes nowhere', () => {
    bed.device.hold = true;
    bed.device.answers.set('28', { data: new Uint8Array(BLOCK).fill(0x77) });
    const runs = a.nexus.start(READ_1, { in: BLOCK, tag: 1 });
    const asked = a.nexus.manage(ABORT_TASK, 1);
    assert.equal(asked.outcome, null);
    bed.device.release();
    assert.ok(asked.outcome);
    assert.equal(runs.outcome?.dropped, true);
    assert.ok(runs.outcome?.buffer.every((byte) => byte !== 0x77));
  });

  it('a device that was unplugged is not asked again', () => {
    bed.device.answers.set('28', { errno: 19 });
    assert.equal(a.send(READ_1, { in: BLOCK }).sense, '4/3e/01');
    assert.equal(bed.gone, 1);
    bed.device.sent.length = 0;
    assert.equal(a.nexus.run(TUR).sense, '4/3e/01');
    assert.deepEqual(bed.device.sent, []);
  });

  it('REQUEST SENSE: our unit attention first, else what the drive says', () => {
    const fresh = bed.nexus('fresh');
    const sense = fresh.run('03 00 00 00 12 00', { in: 18 }).dataIn;
    assert.deepEqual([sense[2], sense[12]], [6, 0x29]);
    bed.device.answers.set('03', { data: senseOf(2, 4, 4) });
    const next = a.send('03 00 00 00 12 00', { in: 18 }).dataIn;
    assert.deepEqual([next[2], next[12], next[13]], [2, 4, 4]);
  });

  it('the unit leaves when its last command has ended', () => {
    bed.device.hold = true;
    a.nexus.start(READ_1, { in: BLOCK });
    let closed = false;
    bed.target.removeUnit(0, () =>
      bed.passthrough.close(() => {
        closed = true;
      }),
    );
    assert.equal(closed, false);
    bed.device.release();
    assert.equal(closed && bed.device.closed, true);
  });

  it('counts what it moves', () => {
    bed.device.answers.set('28', { data: new Uint8Array(BLOCK) });
    a.send(READ_1, { in: BLOCK });
    a.send('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(2 * BLOCK) });
    assert.deepEqual(bed.passthrough.counters, {
      reads: 1,
      writes: 1,
      bytesRead: BLOCK,
      bytesWritten: 2 * BLOCK,
    });
  });
});

describe('passthrough: unit attentions and events', () => {
  let bed: PassthroughBed;
  let a: Client;
  let b: Client;
  beforeEach(() => {
    bed = new PassthroughBed({ answers: { '4a': NOTHING_NEW } });
    a = bed.client('a');
    b = bed.client('b');
  });
  const eventOf = ({ nexus }: Client): number => nexus.run(GESN, { in: 8 }).dataIn[4] ?? -1;

  it('a unit attention of the drive is told to who met it, and once to everybody else', () => {
    bed.device.answers.set('00', check(6, 0x29, 0));
    assert.equal(a.send(TUR).sense, '6/29/00');
    bed.device.answers.delete('00');
    assert.equal(a.send(TUR).status, 0);
    assert.equal(b.send(TUR).sense, '6/29/00');
    assert.equal(b.send(TUR).status, 0);
  });

  it('another disc: 6/28/00 and the event for all, by one poll', () => {
    bed.device.answers.set('4a', event(2, PRESENT));
    bed.poll();
    bed.device.answers.set('4a', NOTHING_NEW);
    for (const client of [a, b]) {
      assert.equal(eventOf(client), 2);
      assert.equal(client.send(TUR).sense, '6/28/00');
      assert.equal(client.send(TUR).status, 0);
    }
  });

  it('the drive’s own 6/28/00 is eaten by the poller then', () => {
    bed.device.answers.set('4a', event(2, PRESENT));
    bed.device.answers.set('00', check(6, 0x28, 0));
    bed.poll();
    bed.device.answers.delete('00');
    assert.equal(a.send(TUR).sense, '6/28/00');
    assert.equal(a.send(TUR).status, 0);
  });

  it('the event of a change that 6/28/00 has told of is no second one', () => {
    bed.device.answers.set('00', check(6, 0x28, 0));
    assert.equal(a.send(TUR).sense, '6/28/00');
    bed.device.answers.delete('00');
    assert.equal(b.send(TUR).sense, '6/28/00');
    bed.device.answers.set('4a', event(2, PRESENT));
    bed.poll();
    bed.device.answers.set('4a', NOTHING_NEW);
    assert.deepEqual([a.send(TUR).sense, b.send(TUR).sense], ['', '']);
    // Later it is one.
    bed.poll();
    bed.device.answers.set('4a', event(2, PRESENT));
    bed.poll();
    assert.deepEqual([a.send(TUR).sense, b.send(TUR).sense], ['6/28/00', '6/28/00']);
  });

  it('nor are the two events of a disc that was changed', () => {
    bed.device.answers.set('00', check(6, 0x28, 0));
    assert.equal(a.send(TUR).sense, '6/28/00');
    bed.device.answers.delete('00');
    for (const code of [3, 2]) {
      bed.device.answers.set('4a', event(code, PRESENT));
      bed.poll();
      assert.equal(a.send(TUR).sense, '', `event ${code}`);
    }
  });

  it('but it is one when the disc was out between them', () => {
    bed.device.answers.set('00', check(6, 0x28, 0));
    assert.equal(a.send(TUR).sense, '6/28/00');
    bed.device.answers.delete('00');
    bed.device.answers.set('4a', event(3, TRAY_OPEN));
    bed.poll();
    bed.device.answers.set('4a', event(2, PRESENT));
    bed.poll();
    assert.equal(a.send(TUR).sense, '6/28/00', 'another disc is in');
  });

  it('a disc that is taken: the event for all, and 2/3A/02 with the tray open', () => {
    bed.device.answers.set('4a', event(3, TRAY_OPEN));
    bed.poll();
    assert.equal(eventOf(a), 3);
    assert.equal(eventOf(b), 3);
    bed.device.sent.length = 0;
    assert.equal(a.nexus.run(READ_1, { in: BLOCK }).sense, '2/3a/02');
    assert.deepEqual(bed.device.sent, []);
  });

  it('TEST UNIT READY always asks the drive, and a disc that it finds is another one', () => {
    bed.device.answers.set('00', check(2, 0x3a, 1));
    assert.equal(a.send(TUR).sense, '2/3a/01');
    bed.device.answers.delete('00');
    assert.equal(a.send(TUR).status, 0);
    assert.equal(b.send(TUR).sense, '6/28/00');
  });

  it('the button of a locked drive is a request for all', () => {
    bed.device.answers.set('4a', event(1, PRESENT));
    bed.poll();
    assert.equal(eventOf(a), 1);
    assert.equal(eventOf(b), 1);
  });

  it('a drive without events is asked by TEST UNIT READY', () => {
    bed.device.answers.set('4a', check(5, 0x20, 0));
    bed.poll();
    bed.device.answers.set('00', check(6, 0x28, 0));
    bed.device.sent.length = 0;
    bed.poll();
    assert.equal(bed.device.sent[0], TUR);
    assert.equal(b.nexus.run(TUR).sense, '6/28/00');
  });

  it('what was sent for the old disc does not reach the new one', () => {
    bed.device.hold = true;
    bed.timers.run();
    bed.device.answers.set('4a', event(2, PRESENT));
    const cdb = '2a 00 00 00 00 00 00 00 01 00';
    const first = a.nexus.start(cdb, { out: new Uint8Array(BLOCK) });
    const second = b.nexus.start(cdb, { out: new Uint8Array(BLOCK) });
    bed.device.hold = false;
    bed.device.release();
    assert.equal(first.outcome?.sense, '2/3a/00');
    assert.equal(second.outcome?.sense, '6/28/00');
    assert.ok(!bed.device.sent.includes(cdb));
  });

  it('MODE SELECT is 6/2A/01 for the others', () => {
    const page = `00 00 00 00 00 00 00 00 05 32 41 04 08 ${'00'.repeat(47)}`;
    a.send('55 10 00 00 00 00 00 00 3c 00', { out: page });
    assert.equal(a.send(TUR).status, 0);
    assert.equal(b.send(TUR).sense, '6/2a/01');
  });

  it('a disk that nobody can take out is not polled', () => {
    const disk = new PassthroughBed({ type: 0, removable: false });
    disk.poll();
    assert.deepEqual(disk.device.sent, []);
  });
});

describe('passthrough: prevention', () => {
  const PREVENT = '1e 00 00 00 01 00';
  const ALLOW = '1e 00 00 00 00 00';
  const EJECT = '1b 00 00 00 02 00';
  let bed: PassthroughBed;
  let a: Client;
  let b: Client;
  beforeEach(() => {
    bed = new PassthroughBed({ answers: { '4a': NOTHING_NEW } });
    a = bed.client('a');
    b = bed.client('b');
  });

  it('the drive hears of the first and of the last', () => {
    for (const client of [a, b]) assert.equal(client.send(PREVENT).status, 0);
    for (const client of [a, b]) assert.equal(client.send(ALLOW).status, 0);
    assert.deepEqual(bed.device.sent, [PREVENT, ALLOW]);
  });

  it('nobody ejects what another holds', () => {
    a.send(PREVENT);
    bed.device.sent.length = 0;
    assert.equal(b.send(EJECT).sense, '5/53/02');
    assert.deepEqual(bed.device.sent, []);
  });

  it('the drive is told when a nexus that held it is lost', () => {
    a.send(PREVENT);
    bed.device.sent.length = 0;
    bed.target.nexusLost(a.nexus.nexus);
    bed.poll();
    assert.ok(bed.device.sent.includes(ALLOW));
  });

  it('and when a reset has ended it', () => {
    a.send(PREVENT);
    bed.device.sent.length = 0;
    b.nexus.manage(LOGICAL_UNIT_RESET);
    bed.poll();
    assert.ok(bed.device.sent.includes(ALLOW));
  });

  it('a prevention that the drive refuses is none', () => {
    bed.device.answers.set('1e', check(5, 0x24, 0));
    assert.equal(a.send('1e 00 00 00 03 00').sense, '5/24/00');
    bed.device.answers.delete('1e');
    assert.equal(b.send(EJECT).status, 0);
  });

  it('a reset of the drive forgets it: it is told again', () => {
    a.send(PREVENT);
    bed.device.answers.set('00', check(6, 0x29, 0));
    a.send(TUR);
    bed.device.answers.delete('00');
    bed.device.sent.length = 0;
    bed.poll();
    assert.ok(bed.device.sent.includes(PREVENT));
  });
});

describe('passthrough: one nexus burns', () => {
  const WRITE = '2a 00 00 00 00 00 00 00 01 00';
  const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
  const DATA = { out: new Uint8Array(BLOCK) };
  const SAO = { out: `00 00 00 00 00 00 00 00 05 32 42 00 00 ${'00'.repeat(47)}` };
  const MODE_SELECT = '55 10 00 00 00 00 00 00 3c 00';
  let bed: PassthroughBed;
  let a: Client;
  let b: Client;
  beforeEach(() => {
    bed = new PassthroughBed({
      answers: { '4a': NOTHING_NEW, '28': { data: new Uint8Array(BLOCK) } },
    });
    a = bed.client('a');
    b = bed.client('b');
  });

  it('the others get 2/04/08 for whatever writes, and for an eject', () => {
    a.send(WRITE, DATA);
    for (const cdb of [
      WRITE,
      CLOSE_SESSION,
      'a1 00 00 00 00 00 00 00 00 00 00 00',
      '1b 00 00 00 02 00',
      'bb 00 ff ff ff ff 00 00 00 00 00 00',
    ]) {
      assert.equal(b.send(cdb, DATA).sense, '2/04/08', cdb);
    }
    assert.equal(b.send(READ_1, { in: BLOCK }).status, 0, 'but read');
  });

  it('session at once: they do not read either', () => {
    a.send(MODE_SELECT, SAO);
    assert.equal(b.send(TUR).sense, '6/2a/01');
    a.send(WRITE, DATA);
    assert.equal(b.send(READ_1, { in: BLOCK }).sense, '2/04/08');
    assert.equal(b.send(GESN, { in: 8 }).status, 0, 'events go on');
  });

  it('a closed track is no end', () => {
    a.send(WRITE, DATA);
    a.send('5b 00 01 00 00 01 00 00 00 00');
    assert.equal(b.send(WRITE, DATA).sense, '2/04/08');
  });

  it('a closed session is: everybody has the event, and the others 6/28/00', () => {
    a.send(WRITE, DATA);
    a.send(CLOSE_SESSION);
    assert.equal(a.nexus.run(GESN, { in: 8 }).dataIn[4], 2);
    assert.equal(b.nexus.run(GESN, { in: 8 }).dataIn[4], 2);
    assert.equal(a.send(TUR).status, 0);
    assert.equal(b.send(TUR).sense, '6/28/00');
    assert.equal(b.send(WRITE, DATA).status, 0);
  });

  it('what the drive says of a new medium then is the same news', () => {
    a.send(WRITE, DATA);
    a.send(CLOSE_SESSION);
    bed.device.answers.set('4a', event(2, PRESENT));
    bed.poll();
    bed.device.answers.set('4a', NOTHING_NEW);
    assert.equal(a.send(TUR).status, 0);
    assert.deepEqual([b.send(TUR).sense, b.send(TUR).sense], ['6/28/00', '']);
  });

  it('with IMMED it is when the host that waits finds the drive ready', () => {
    bed.device.answers.set('00', check(2, 4, 7));
    a.send('5b 01 02 00 00 00 00 00 00 00');
    a.send(TUR);
    assert.equal(a.nexus.run(GESN, { in: 8 }).dataIn[4], 0);
    bed.device.answers.delete('00');
    assert.equal(a.send(TUR).status, 0);
    assert.equal(a.nexus.run(GESN, { in: 8 }).dataIn[4], 2);
  });

  it('with IMMED it is when the drive is ready again', () => {
    bed.device.answers.set('00', check(2, 4, 7));
    a.send('5b 01 02 00 00 00 00 00 00 00');
    assert.equal(a.nexus.run(GESN, { in: 8 }).dataIn[4], 0);
    bed.device.answers.delete('00');
    bed.poll();
    assert.equal(a.nexus.run(GESN, { in: 8 }).dataIn[4], 2);
  });

  it('the flush after session at once is an end', () => {
    a.send(MODE_SELECT, SAO);
    b.send(TUR);
    a.send(WRITE, DATA);
    a.send('35 00 00 00 00 00 00 00 00 00');
    assert.equal(b.send(TUR).sense, '6/28/00');
    assert.equal(b.send(READ_1, { in: BLOCK }).status, 0);
  });

  it('a lost nexus burns no more', () => {
    a.send(WRITE, DATA);
    bed.target.nexusLost(a.nexus.nexus);
    assert.equal(b.send(WRITE, DATA).status, 0);
  });

  it('a minute without a command ends it', () => {
    a.send(WRITE, DATA);
    bed.now = 60_001;
    assert.equal(b.send(WRITE, DATA).status, 0);
  });

  it('a grant of copy protection is used by the nexus that has it', () => {
    bed.device.answers.set('a4', { data: '00 06 00 00 00 00 00 40' });
    a.send('a4 00 00 00 00 00 00 00 00 08 00 00', { in: 8 });
    const challenge = ['a3 00 00 00 00 00 00 00 00 10 41 00', { out: new Uint8Array(16) }] as const;
    assert.equal(b.send(...challenge).sense, '5/24/00');
    assert.equal(a.send(...challenge).status, 0);
  });
});
