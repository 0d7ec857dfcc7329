/** Mode page values between lives of the daemon: what `load` takes and what it refuses. */
import { strict as assert } from 'node:assert';
import { DONE, type ParameterStore } from '../../src/scsi/contracts.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import { bytesOf, hex } from '../support/direct-port.ts';
import { disk } from '../support/target.ts';

/** The 96 bytes of pages 01h, 08h, 0Ah, 1Ah, 1Ch; `wce` and `control` replace two of them. */
const image = (wce: string, control: string): Uint8Array =>
  bytesOf(
    `01 0a 80 00 00 00 00 00 00 00 00 00
     08 12 ${wce} 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
     0a 0a ${control} 00 00 40 00 00 01 2c ff ff
     1a 26 ${'00 '.repeat(38)}
     1c 0a 08 00 00 00 00 00 00 00 00 00`,
  );

describe('mode pages', () => {
  it('give the store one image of all pages, headers included', () => {
    const images: string[] = [];
    const parameters: ParameterStore = {
      save: (_task, _lun, bytes) => {
        images.push(hex(bytes));
        return DONE;
      },
    };
    const a = disk({ parameters }).nexus('a').clear();
    const out = bytesOf('00 00 00 00 0a 0a 06 00 00 40 00 00 01 2c ff ff');
    assert.equal(a.run([0x15, 0x11, 0, 0, out.length, 0], { out }).status, 0);
    assert.deepEqual(images, [hex(image('04', '06'))]);
  });

  it('take back such an image as saved and current values, without an attention', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    assert.equal(t.unit.modePages?.load(image('00', '06')), true);
    assert.ok(t.unit.descriptorSense && !t.unit.writeCacheEnabled);
    t.unit.reset();
    assert.ok(t.unit.descriptorSense && !t.unit.writeCacheEnabled);
    assert.deepEqual(a.attentions(), ['6/29/03']);
  });

  it('refuse images of another layout and keep what they have', () => {
    const t = disk();
    const foreign = [
      new Uint8Array(0),
      image('04', '06').slice(0, 95),
      Uint8Array.of(...image('04', '06'), 0),
      new Uint8Array(96),
      new Uint8Array(96).fill(0xff),
      image('05', '06'),
      image('04', '07'),
    ];
    const swapped = image('04', '06');
    swapped.set(image('04', '06').subarray(32, 44), 0);
    foreign.push(swapped);
    for (const bytes of foreign) {
      assert.equal(t.unit.modePages?.load(bytes), false);
      assert.ok(!t.unit.descriptorSense && t.unit.writeCacheEnabled);
    }
  });

  it('take an image that was kept when there were fewer pages: the others have their defaults', () => {
    const t = disk();
    const whole = image('00', '06');
    const older = Uint8Array.of(...whole.subarray(0, 44), ...whole.subarray(84));
    assert.equal(t.unit.modePages?.load(older), true);
    assert.ok(t.unit.descriptorSense && !t.unit.writeCacheEnabled);
    assert.equal(t.unit.modePages?.sense(0x1a, 0)[3], 0);
  });

  it('belong to one logical unit', () => {
    const t = disk();
    assert.throws(() => t.unit.modePages?.attach(t.unit), /Invariant broken/);
  });

  it('have the write cache off by default when the disk says so', () => {
    const pages = diskModePages({ writeCacheEnabled: false });
    assert.equal(pages.sense(0x08, 2)[2], 0x00);
    assert.equal(pages.sense(0x08, 1)[2], 0x04, 'and it stays changeable');
  });
});
