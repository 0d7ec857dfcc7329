/** REPORT SUPPORTED OPERATION CODES (SPC-4 6.35). */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { capture } from '../../support/vectors.ts';

const one = (a: TestNexus, options: number, opcode: number, action = 0) =>
  a.run([0xa3, 0x0c, options, opcode, action >> 8, action & 0xff, 0, 0, 2, 0, 0, 0], { in: 512 });

const TIMEOUTS = '00 0a 00 00 00 00 00 00 00 00 00 00';

describe('REPORT SUPPORTED OPERATION CODES', () => {
  const t = disk({ thin: true });
  const a = t.nexus('a').clear();

  it('gives the usage data of one command', () => {
    const expected: readonly (readonly [number, number, number, string])[] = [
      [1, 0x00, 0, '00 03 00 06 00 00 00 00 00 04'],
      [1, 0x03, 0, '00 03 00 06 03 01 00 00 ff 04'],
      [1, 0x12, 0, '00 03 00 06 12 01 ff ff ff 04'],
      [1, 0x1a, 0, '00 03 00 06 1a 08 ff ff ff 04'],
      [1, 0x5a, 0, '00 03 00 0a 5a 18 ff ff 00 00 00 ff ff 04'],
      [1, 0x55, 0, '00 03 00 0a 55 11 00 00 00 00 00 ff ff 04'],
      [1, 0x15, 0, '00 03 00 06 15 11 00 00 ff 04'],
      [1, 0xa0, 0, '00 03 00 0c a0 00 ff 00 00 00 ff ff ff ff 00 04'],
      [2, 0xa3, 0x0c, '00 03 00 0c a3 0c 87 ff ff ff ff ff ff ff 00 04'],
      [3, 0xa3, 0x0c, '00 03 00 0c a3 0c 87 ff ff ff ff ff ff ff 00 04'],
      [3, 0x00, 0, '00 03 00 06 00 00 00 00 00 04'],
    ];
    for (const [options, opcode, action, bytes] of expected) {
      assert.equal(hex(one(a, options, opcode, action).dataIn), bytes);
    }
  });

  it('says NOT SUPPORTED of what it has not, as scsi_debug does', () => {
    const theirs = capture('Linux-scsi_debug', 'REPORT SUPPORTED OPCODES one FF');
    assert.equal(hex(a.run(theirs.cdb, { in: 512 }).dataIn), theirs.dataIn);
    const none = '00 01 00 00';
    assert.equal(hex(one(a, 2, 0xff, 1).dataIn), none);
    assert.equal(hex(one(a, 3, 0xff).dataIn), none);
    assert.equal(hex(one(a, 2, 0xa3, 0x1f).dataIn), none);
    assert.equal(hex(one(a, 3, 0xa3, 0x10c).dataIn), none);
    assert.equal(hex(one(a, 3, 0x00, 1).dataIn), none);
    assert.equal(hex(one(a, 0x81, 0xff).dataIn), none, 'no timeouts of nothing');
  });

  it('refuses an option that does not fit the opcode, with the sense of scsi_debug', () => {
    const theirs = capture(
      'Linux-scsi_debug',
      'REPORT SUPPORTED OPCODES one opts=1 on SA opcode 9E',
    );
    assert.equal(hex(a.run(theirs.cdb, { in: 512 }).senseBytes), theirs.sense);
    for (const [options, opcode] of [
      [1, 0xa3],
      [2, 0x00],
      [4, 0x00],
      [7, 0x00],
    ] as const) {
      const r = one(a, options, opcode);
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2.2']);
    }
  });

  it('adds a timeouts descriptor to every entry when asked', () => {
    const all = a.run('a3 0c 80 00 00 00 00 00 ff ff 00 00', { in: 4096 }).dataIn;
    assert.equal(new DataView(all.buffer).getUint32(0), all.length - 4);
    const entries: string[] = [];
    for (let at = 4; at < all.length; at += 20) {
      entries.push(hex(all.subarray(at, at + 8)));
      assert.equal(hex(all.subarray(at + 8, at + 20)), TIMEOUTS);
    }
    assert.equal(entries[0], '00 00 00 00 00 02 00 06');
    assert.ok(entries.includes('a3 00 00 0c 00 03 00 0c'));
    assert.equal(hex(one(a, 0x81, 0x00).dataIn), `00 83 00 06 00 00 00 00 00 04 ${TIMEOUTS}`);
  });

  it('lists exactly what works: every opcode and service action is tried', () => {
    const all = a.run('a3 0c 00 00 00 00 00 00 ff ff 00 00', { in: 4096 }).dataIn;
    const single = new Set<number>();
    const actions = new Map<number, number[]>();
    for (let at = 4; at < all.length; at += 8) {
      const [opcode, action] = [all[at] as number, all[at + 3] as number];
      if (((all[at + 5] as number) & 1) === 0) single.add(opcode);
      else actions.set(opcode, [...(actions.get(opcode) ?? []), action]);
    }
    assert.equal(single.size + [...actions.values()].flat().length, (all.length - 4) / 8);
    for (let opcode = 0; opcode < 256; opcode += 1) {
      const send = (action: number): string => {
        const { sense, pointer } = a.run([opcode, action, ...new Array(14).fill(0)], { in: 4096 });
        return `${sense} ${pointer}`;
      };
      const known = single.has(opcode) || actions.has(opcode);
      assert.equal(send(0) !== '5/20/00 ', known, opcode.toString(16));
      for (let action = 0; actions.has(opcode) && action < 32; action += 1) {
        const works = actions.get(opcode)?.includes(action);
        assert.equal(send(action) !== '5/24/00 cdb 1.4', works, `${opcode.toString(16)}/${action}`);
      }
    }
  });
});
