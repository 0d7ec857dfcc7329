/** The reference model of a burner finds what it is there to find: one wrong answer for each of its rules. */
import { strict as assert } from 'node:assert';
import { BurnModel, type Sent, type TrackView, type View } from './burn-model.ts';
import { bytesOf } from './direct-port.ts';

const TAO = `053241c508${'0'.repeat(94)}`;
const TEST = `053251c508${'0'.repeat(94)}`;
const DVD_RAM = 0x12;

const track = (more: Partial<TrackView> = {}): TrackView => ({
  number: 1,
  session: 1,
  damaged: false,
  blank: false,
  start: 0,
  next: 32,
  size: 1000,
  ...more,
});

const view = (more: Partial<View> = {}): View => ({
  status: 1,
  lastSession: 1,
  erasable: false,
  closedSessions: 0,
  tracks: [track()],
  profile: 0x09,
  page: TAO,
  ...more,
});

const FINAL = view({
  status: 2,
  lastSession: 3,
  closedSessions: 1,
  tracks: [track({ next: null })],
});

const sent = (cdb: string, more: Partial<Sent> = {}): Sent => ({
  by: 0,
  cdb: bytesOf(cdb),
  out: new Uint8Array(0),
  sense: '',
  ...more,
});

const write = (lba: number, blocks: number, more: Partial<Sent> = {}): Sent =>
  sent(`2a00${lba.toString(16).padStart(8, '0')}0000${blocks.toString(16).padStart(2, '0')}00`, {
    out: new Uint8Array(blocks * 2048).fill(7),
    ...more,
  });

const SYNC = sent('35 00 00 00 00 00 00 00 00 00');
const BLANK = sent('a1 01 00 00 00 00 00 00 00 00 00 00');
const EJECT = sent('1b 00 00 00 02 00');

const behind = (next: number): View => view({ tracks: [track({ next })] });

/** By rule: what the disc was, what was sent, and what it must not be then. */
const WRONG: readonly (readonly [rule: string, kind: string, View, Sent, View])[] = [
  ['refused', 'cd-r', view(), write(99, 1, { sense: '5/21/02' }), behind(33)],
  ['harmless', 'cd-r', view(), sent('51 00 00 00 00 00 00 00 22 00'), behind(33)],
  ['erasable', 'cd-r', view(), BLANK, view({ status: 0 })],
  ['final', 'cd-r', FINAL, SYNC, view()],
  ['final', 'bd-r', FINAL, write(16, 1), FINAL],
  ['sessions', 'dvd-r', view(), sent('54 01 00 00 00 00 00 00 00 00'), view({ closedSessions: 1 })],
  ['sessions', 'dvd-r', view({ closedSessions: 2 }), SYNC, view({ closedSessions: 1 })],
  ['sessions', 'dvd-r', view(), SYNC, view({ closedSessions: 1 })],
  ['start', 'cd-r', view(), SYNC, view({ tracks: [track({ start: 150 })] })],
  ['next', 'cd-r', view(), SYNC, behind(31)],
  ['next', 'cd-r', view(), sent('54 01 00 00 00 00 00 00 00 00'), behind(33)],
  ['next', 'dvd-r', view(), write(32, 16), behind(64)],
  ['where', 'dvd-r', view(), write(64, 16), view()],
  ['where', 'cd-rw', view({ erasable: true }), write(0, 16), view({ erasable: true })],
  ['test', 'cd-r', view({ page: TEST }), write(32, 1), { ...behind(33), page: TEST }],
  ['blank', 'cd-rw', view({ erasable: true }), BLANK, view({ erasable: true })],
];

describe('the reference model of a burner', () => {
  for (const [rule, kind, before, command, after] of WRONG) {
    it(`"${rule}" of a ${kind}`, () => {
      assert.throws(
        () => new BurnModel(kind).look(before, command, after),
        new RegExp(`rule "${rule}"`),
      );
    });
  }

  it('"once": what was written once is not written again', () => {
    const model = new BurnModel('dvd-r');
    model.look(view(), write(32, 16), behind(48));
    assert.throws(() => model.look(behind(32), write(32, 16), behind(48)), /rule "once"/);
  });

  it('"owner": nobody else burns, blanks, ejects or chooses the speed', () => {
    for (const cdb of ['35', '5b', 'bb', 'b6', '54', '55'].map(
      (code) => `${code}0000000000000000`,
    )) {
      const model = new BurnModel('cd-r');
      model.look(view(), write(32, 16), behind(48));
      assert.throws(
        () => model.look(behind(48), sent(cdb, { by: 1 }), behind(48)),
        /rule "owner"/,
        cdb,
      );
    }
    const model = new BurnModel('cd-r');
    model.look(view(), write(32, 16), behind(48));
    assert.throws(() => model.look(behind(48), { ...EJECT, by: 1 }, null), /rule "owner"/);
    assert.doesNotThrow(() =>
      model.look(behind(48), write(48, 1, { by: 1, sense: '5/2c/00' }), behind(48)),
    );
  });

  it('"content": what was written is read, and nothing else', () => {
    const model = new BurnModel('dvd+r');
    model.look(view(), write(32, 16), behind(48));
    const data = new Uint8Array(2048).fill(7);
    assert.doesNotThrow(() => model.checkRead(behind(48), 47, '', data));
    assert.throws(() => model.checkRead(behind(48), 47, '5/21/00', data), /rule "content"/);
    assert.throws(() => model.checkRead(behind(48), 47, '', data.fill(8)), /rule "content"/);
    assert.throws(() => model.checkRead(behind(48), 48, '', data), /rule "unwritten"/);
  });

  it('"erased": what was blanked is not read any more', () => {
    const model = new BurnModel('dvd-rw');
    const [before, after] = [view({ erasable: true }), { ...behind(48), erasable: true }];
    model.look(before, write(32, 16), after);
    const blank = view({ erasable: true, status: 0, tracks: [track({ next: 0, blank: true })] });
    model.look(after, BLANK, blank);
    assert.throws(
      () => model.checkRead(blank, 40, '', new Uint8Array(2048).fill(7)),
      /rule "erased"/,
    );
    assert.doesNotThrow(() => model.checkRead(blank, 40, '5/21/00', new Uint8Array(0)));
  });

  it('has nothing against what drives do', () => {
    const model = new BurnModel('dvd-r');
    model.look(view(), write(32, 10), behind(42));
    model.look(behind(42), SYNC, behind(48));
    model.look(behind(48), sent('5b 00 02 00 00 00 00 00 00 00'), FINAL);
    model.checkRead(FINAL, 45, '', new Uint8Array(2048));
    const ram = new BurnModel('dvd-ram');
    const overwritable = { ...FINAL, profile: DVD_RAM };
    ram.look(overwritable, write(5, 3), overwritable);
    ram.look(overwritable, write(5, 3, { by: 1 }), overwritable);
  });
});
