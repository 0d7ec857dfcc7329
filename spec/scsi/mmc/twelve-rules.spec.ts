/** The twelve rules that decide whether hosts burn and mount: what Linux, Windows, wodim, libburn and growisofs rely on. */
import { strict as assert } from 'node:assert';
import { blocksOf, burner, selectWrite, writeBlocks } from '../../support/burner.ts';
import type { TestNexus } from '../../support/target.ts';

const TUR = '00 00 00 00 00 00';
const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
const EVENT = '4a 01 00 00 10 00 00 00 08 00';
const READ_CAPACITY = '25 00 00 00 00 00 00 00 00 00';
const NEW_MEDIA = '0006041202020000';
const QUIET = '0006041200020000';

/** The answer in hexadecimal, or sense. */
function ask(nexus: TestNexus, cdb: string): string {
  const { sense, dataIn } = nexus.run(cdb, { in: 255 });
  return sense || Buffer.from(dataIn).toString('hex');
}

function track(nexus: TestNexus): void {
  selectWrite(nexus, '41c408');
  assert.equal(writeBlocks(nexus, 0, 16), '');
  assert.equal(nexus.run(SYNC).sense, '');
}

describe('the twelve rules', () => {
  it('1: GET EVENT STATUS NOTIFICATION is eight bytes with length 6, four with length 2 and NEA', () => {
    const { a } = burner('cd-r');
    assert.equal(ask(a, EVENT), QUIET);
    assert.equal(ask(a, '4a 01 00 00 00 00 00 00 08 00'), '00028012');
  });

  it('2: whoever closes, blanks or formats has a new media event of it', () => {
    const { a } = burner('cd-rw');
    const change = (cdb: string, out = ''): string => {
      assert.equal(a.run(cdb, out === '' ? {} : { out }).sense, '');
      return ask(a, EVENT);
    };
    track(a);
    assert.equal(change(CLOSE_SESSION), NEW_MEDIA);
    assert.equal(change('a1 11 00 00 00 00 00 00 00 00 00 00'), NEW_MEDIA);
    assert.equal(change('04 11 00 00 00 00', '00020008 00057da0 40 000020'), NEW_MEDIA);
    assert.equal(ask(a, EVENT), QUIET);
  });

  it('2: a session at once that ends itself is such a change', () => {
    const { a } = burner('cd-r');
    selectWrite(a, '420000');
    const out = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';
    a.run('5d 00 00 00 00 00 00 00 20 00', { out });
    a.run('2a 00 ff ff ff 6a 00 01 2c 00', { out: blocksOf(-150, 300) });
    assert.equal(ask(a, EVENT), NEW_MEDIA);
    assert.equal(ask(a, READ_CAPACITY), '0000009500000800');
  });

  it('3: unit attentions and events are two things, each per nexus', () => {
    const { a, bed } = burner('cd-r');
    const b = bed.nexus('b').clear();
    track(a);
    b.clear();
    a.run(CLOSE_SESSION);
    assert.deepEqual([ask(a, EVENT), ask(a, EVENT), ask(b, EVENT)], [NEW_MEDIA, QUIET, NEW_MEDIA]);
    assert.deepEqual([ask(a, TUR), ask(b, TUR), ask(b, TUR)], ['', '6/28/00', '']);
  });

  it('4: an eject keeps the disc in the tray, and a load brings it back', () => {
    const { a } = burner('cd-r');
    track(a);
    a.run(CLOSE_SESSION);
    const before = ask(a, READ_CAPACITY);
    assert.equal(ask(a, '1b 00 00 00 02 00'), '');
    assert.equal(ask(a, TUR), '2/3a/02');
    assert.equal(ask(a, '1b 00 00 00 03 00'), '');
    assert.deepEqual([ask(a, TUR), ask(a, READ_CAPACITY)], ['', before]);
  });

  it('5: a unit attention does not stop what only asks about the drive', () => {
    const { bed } = burner('cd-r');
    const fresh = bed.nexus('fresh');
    const ASK = [
      '12 00 00 00 24 00',
      '46 00 00 00 00 00 00 00 08 00',
      EVENT,
      'a0 00 00 00 00 00 00 00 00 10 00 00',
    ];
    for (const cdb of ASK) assert.match(ask(fresh, cdb), /^[0-9a-f]+$/, cdb);
    assert.match(ask(fresh, TUR), /^6\//);
    const again = bed.nexus('again');
    assert.equal(again.run('03 00 00 00 12 00', { in: 18 }).dataIn[2], 6);
  });

  it('6: MODE SELECT(10) takes a header and a block descriptor alone: the last command of wodim', () => {
    const { a } = burner('cd-r');
    const out = '00000000 00000008 00000000 00000800';
    assert.equal(a.run('55 10 00 00 00 00 00 00 10 00', { out }).sense, '');
  });

  it('7: what cannot be written is refused with the write parameters', () => {
    const { a } = burner('cd-r');
    // Raw with blocks without sub-channel; layer jump.
    assert.equal(selectWrite(a, '430400'), '5/26/00');
    assert.equal(selectWrite(a, '440408'), '5/26/00');
    assert.equal(selectWrite(a, '420400'), '');
  });

  it('8: a DVD-RW in restricted overwrite has fixed packets of 16 blocks', () => {
    const { a } = burner('dvd-rw');
    a.run('04 11 00 00 00 00', { out: '00020008 00000000 54 000010' });
    const answer = ask(a, '52 01 00 00 00 01 00 00 28 00');
    assert.equal(Number.parseInt(answer.slice(12, 14), 16) & 0x30, 0x30);
    assert.equal(answer.slice(40, 48), '00000010');
  });

  it('9: there is a table of contents of whatever has something recorded, with the session open too', () => {
    for (const kind of ['dvd-r', 'dvd+r', 'bd-r'] as const) {
      const { a } = burner(kind);
      selectWrite(a, '60e508');
      writeBlocks(a, 0, 32);
      const toc = '001201010014010000000000 0014aa0000000020'.replace(' ', '');
      assert.equal(ask(a, '43 00 00 00 00 00 00 00 ff 00'), toc, kind);
      assert.equal(ask(a, '43 00 01 00 00 00 00 00 0c 00'), '000a01010014010000000000', kind);
    }
    for (const [kind, list, last] of [
      ['dvd-rw', '00020008 00000000 54 000010', '00000020'],
      ['dvd+rw', '00020008 00230540 98 000000', '00230540'],
      ['dvd-ram', '', '00222120'],
      ['bd-re', '00020008 00b47400 c0 000000', '00b47400'],
    ] as const) {
      const { a } = burner(kind);
      if (list !== '') assert.equal(a.run('04 11 00 00 00 00', { out: list }).sense, '', kind);
      assert.equal(writeBlocks(a, 0, 32), '', kind);
      const toc = ask(a, '43 00 00 00 00 00 00 00 ff 00');
      assert.equal(toc, `0012010100140100000000000014aa00${last}`, kind);
      assert.equal(ask(a, '43 00 01 00 00 00 00 00 0c 00'), '000a01010014010000000000', kind);
    }
  });

  it('10: READ FORMAT CAPACITIES has a multiple of eight bytes, and a format for what can be formatted', () => {
    const LENGTHS = {
      'cd-r': 8,
      'cd-rw': 16,
      'dvd-r': 8,
      'dvd-rw': 32,
      'dvd+r': 8,
      'dvd+rw': 16,
      'dvd-ram': 24,
      'bd-r': 24,
      'bd-re': 40,
    } as const;
    for (const [kind, bytes] of Object.entries(LENGTHS)) {
      const { a } = burner(kind as keyof typeof LENGTHS);
      const answer = ask(a, '23 00 00 00 00 00 00 00 fc 00');
      assert.deepEqual(
        [Number.parseInt(answer.slice(0, 8), 16), answer.length / 2],
        [bytes, bytes + 4],
        kind,
      );
    }
  });

  it('11: READ TOC takes the format from the control byte, as Linux asks', () => {
    const { a } = burner('cd-r');
    track(a);
    a.run(CLOSE_SESSION);
    assert.equal(ask(a, '43 00 00 00 00 00 00 00 0c 40'), '000a01010014010000000000');
    assert.equal(ask(a, '43 02 00 00 00 00 00 00 04 80').slice(4), '0101');
  });

  it('12: while an immediate operation goes on, TEST UNIT READY and READ DISC INFORMATION are 2/04/xx with progress', () => {
    const { a, bed } = burner('cd-rw', { slow: true });
    assert.equal(ask(a, 'a1 11 00 00 00 00 00 00 00 00 00 00'), '');
    for (let i = 0; i < 8; i += 1) bed.timers.run();
    const { sense, senseBytes } = a.run(TUR);
    const progress = Buffer.from(senseBytes.subarray(15, 18)).toString('hex');
    assert.deepEqual([sense, progress], ['2/04/07', '808000']);
    assert.equal(ask(a, '51 00 00 00 00 00 00 00 22 00'), '2/04/07');
    while (bed.timers.run());
    assert.deepEqual([ask(a, TUR), ask(a, '51 00 00 00 00 00 00 00 02 00')], ['', '0020']);
  });
});
