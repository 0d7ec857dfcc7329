/** GET EVENT STATUS NOTIFICATION: the shape of replies, and who is told what, once, in order (MMC-6; facts of Linux sr and Windows cdrom). */
import { strict as assert } from 'node:assert';
import { LOGICAL_UNIT_RESET } from '../../../../src/scsi/sam.ts';
import { dataDisc, optical } from '../../../support/optical.ts';
import type { TestNexus } from '../../../support/target.ts';

const TUR = '00 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
/** What Linux polls with. */
const MEDIA = '4a 01 00 00 10 00 00 00 08 00';
const OPERATIONAL = '4a 01 00 00 02 00 00 00 08 00';
const BOTH = '4a 01 00 00 12 00 00 00 08 00';

const QUIET = '0006041200020000';
const NEW = '0006041202020000';
const REMOVED_OPEN = '0006041203010000';

function drive() {
  const { bed, unit } = optical(dataDisc(16), new Uint8Array(16 * 2048));
  const { optical: drive_, medium } = unit;
  assert(drive_ && medium);
  return {
    bed,
    unit,
    medium,
    events: drive_.events,
    a: bed.nexus('a').clear(),
    b: bed.nexus('b').clear(),
  };
}

const poll = (n: TestNexus, cdb = MEDIA): string =>
  Buffer.from(n.run(cdb, { in: 255 }).dataIn).toString('hex');

/** Event codes until there is none. */
function told(n: TestNexus, cdb = MEDIA): number[] {
  const codes: number[] = [];
  for (let i = 0; i < 16; i += 1) {
    const code = n.run(cdb, { in: 8 }).dataIn[4] as number;
    if (code === 0) return codes;
    codes.push(code);
  }
  return codes;
}

describe('GET EVENT STATUS NOTIFICATION: replies', () => {
  it('is eight bytes with length 6, also without news', () => {
    const { a } = drive();
    const { status, dataIn } = a.run(MEDIA, { in: 255 });
    assert.deepEqual([status, Buffer.from(dataIn).toString('hex')], [0, QUIET]);
  });

  it('asynchronous notification is not there', () => {
    const { a } = drive();
    const { sense, pointer } = a.run('4a 00 00 00 10 00 00 00 08 00', { in: 8 });
    assert.deepEqual([sense, pointer], ['5/24/00', 'cdb 1.0']);
  });

  it('no class: four bytes with length 2, NEA and the classes that are fed', () => {
    const { a } = drive();
    const { status, dataIn } = a.run('4a 01 00 00 00 00 00 00 08 00', { in: 8 });
    assert.deepEqual([status, Buffer.from(dataIn).toString('hex')], [0, '00028012']);
  });

  it('classes that are not fed: NEA, never another class', () => {
    const { a, events } = drive();
    events.ejectRequested();
    for (const mask of ['01', '04', '08', '20', '40', '80', 'ed']) {
      assert.equal(poll(a, `4a 01 00 00 ${mask} 00 00 00 08 00`), '00028012', mask);
    }
  });

  it('the lowest class that was asked for and has news comes first', () => {
    const { a, events } = drive();
    events.newMedia(null);
    assert.equal(poll(a, BOTH), '0006011202000001');
    assert.equal(poll(a, BOTH), NEW);
    assert.equal(poll(a, BOTH), '0006011200000000');
  });

  it('a class that was not asked for keeps its event', () => {
    const { a, events } = drive();
    events.newMedia(null);
    assert.equal(poll(a), NEW);
    assert.equal(poll(a), QUIET);
    assert.equal(poll(a, OPERATIONAL), '0006011202000001');
  });

  it('says that somebody prevents removal persistently', () => {
    const { a, b } = drive();
    b.run('1e 00 00 00 03 00');
    assert.equal(poll(a, OPERATIONAL), '0006011200800000');
  });

  for (const length of [0, 2, 4, 7]) {
    it(`an allocation length of ${length} gives ${length} bytes and leaves the event`, () => {
      const { a, events } = drive();
      events.newMedia(null);
      const { status, dataIn } = a.run(`4a 01 00 00 10 00 00 00 0${length} 00`, { in: 8 });
      assert.equal(status, 0);
      assert.equal(Buffer.from(dataIn).toString('hex'), NEW.slice(0, 2 * length));
      assert.equal(poll(a), NEW);
    });
  }

  it('an initiator with no room for the event keeps it', () => {
    const { a, events } = drive();
    events.newMedia(null);
    a.run(MEDIA, { in: 4 });
    assert.equal(poll(a), NEW);
  });
});

describe('GET EVENT STATUS NOTIFICATION and unit attentions', () => {
  it('is not stopped by a unit attention and does not clear it', () => {
    const { bed } = drive();
    const c = bed.nexus('c');
    assert.equal(poll(c), QUIET);
    assert.equal(c.run(TUR).sense, '6/29/00');
  });

  it('a unit attention that was told leaves the event, and the other way round', () => {
    const { a, b, events } = drive();
    events.newMedia(null);
    assert.equal(a.run(TUR).sense, '6/28/00');
    assert.equal(poll(a), NEW);
    assert.equal(poll(b), NEW);
    assert.equal(b.run(TUR).sense, '6/28/00');
  });

  it('each nexus has its own events: the first that polls eats nothing of the other', () => {
    const { a, b, events } = drive();
    events.newMedia(null);
    assert.deepEqual([told(a), told(a), told(b)], [[2], [], [2]]);
  });

  it('who logs in later is told the present state alone', () => {
    const { bed, a } = drive();
    a.run(EJECT);
    assert.equal(poll(bed.nexus('late')), '0006041200010000');
  });

  it('who was away is told when it is back', () => {
    const { bed, a, b } = drive();
    bed.target.nexusLost(b.nexus);
    a.run(EJECT);
    bed.target.login('b', 'b', false);
    assert.deepEqual(told(b), [3]);
  });

  it('a logical unit reset leaves events', () => {
    const { a, b, events } = drive();
    events.newMedia(null);
    b.manage(LOGICAL_UNIT_RESET);
    assert.deepEqual(told(a), [2]);
  });

  it('works while another nexus has reserved the drive', () => {
    const { a, b } = drive();
    assert.equal(b.run('16 00 00 00 00 00').status, 0);
    assert.equal(poll(a), QUIET);
  });
});

describe('GET EVENT STATUS NOTIFICATION: what feeds it', () => {
  it('an eject of a guest: media removal for everybody, no unit attention, the tray is open', () => {
    const { a, b } = drive();
    assert.equal(a.run(EJECT).status, 0);
    for (const nexus of [a, b]) {
      assert.equal(poll(nexus), REMOVED_OPEN);
      assert.equal(poll(nexus), '0006041200010000');
      assert.equal(nexus.run(TUR).sense, '2/3a/02');
    }
  });

  it('a load of a guest: new media for everybody, 28/00 for everybody else', () => {
    const { a, b } = drive();
    a.run(EJECT);
    told(a);
    told(b);
    assert.equal(a.run(LOAD).status, 0);
    assert.deepEqual([poll(a), poll(b)], [NEW, NEW]);
    assert.deepEqual([a.attentions(), b.attentions()], [[], ['6/28/00']]);
  });

  it('the operator takes it: media removal; brings another: new media and 28/00 for everybody', () => {
    const { unit, medium, a, b } = drive();
    medium.take();
    assert.equal(poll(a), '0006041203000000');
    medium.insert(unit, 2, null);
    assert.equal(poll(a), NEW);
    assert.deepEqual(a.attentions(), ['6/28/00']);
    assert.deepEqual([told(b), b.attentions()], [[3, 2], ['6/28/00']]);
  });

  it('what lies in the tray is taken: that was told before', () => {
    const { medium, a } = drive();
    a.run(EJECT);
    told(a);
    medium.take();
    assert.equal(poll(a), '0006041200000000');
  });

  it('an eject with the tray open, and a load with it closed, are no news', () => {
    const { a } = drive();
    a.run(LOAD);
    assert.deepEqual(told(a), []);
    a.run(EJECT);
    told(a);
    a.run(EJECT);
    assert.deepEqual(told(a), []);
  });

  it('many changes are the last two, in order', () => {
    const { a, b } = drive();
    for (let i = 0; i < 5; i += 1) {
      b.run(EJECT);
      b.run(LOAD);
    }
    assert.deepEqual(told(a), [3, 2]);
    b.run(EJECT);
    b.run(LOAD);
    b.run(EJECT);
    assert.deepEqual(told(a), [2, 3]);
  });

  it('another disc made of the one that is there: the event for everybody, 28/00 for everybody else', () => {
    const { a, b, events } = drive();
    events.newMedia(a.nexus);
    assert.deepEqual([told(a), told(b)], [[2], [2]]);
    assert.deepEqual([a.attentions(), b.attentions()], [[], ['6/28/00']]);
  });

  it('a format in the background', () => {
    const { a, events } = drive();
    events.formatRestarted();
    events.formatCompleted();
    assert.deepEqual(told(a), [6, 5]);
  });

  it('eject requests collapse, and are void when the disc has gone', () => {
    const { a, b, events } = drive();
    events.ejectRequested();
    events.ejectRequested();
    assert.deepEqual(told(a), [1]);
    b.run(EJECT);
    b.run(LOAD);
    assert.deepEqual(told(b), [3, 2]);
  });

  it('features become current and are no longer: operational changes', () => {
    const { a } = drive();
    a.run(EJECT);
    assert.deepEqual(told(a, OPERATIONAL), [2]);
    a.run(LOAD);
    assert.deepEqual(told(a, OPERATIONAL), [2]);
  });
});
