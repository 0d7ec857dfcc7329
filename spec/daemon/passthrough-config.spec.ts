/** LUNs that are real devices: what is read, what is refused, and what the state directory keeps of them. */
import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { anyLunObject, parseAnyLunSpec, parseConfig, readAnyLun } from '../../src/daemon/config.ts';
import { PASSTHROUGH_KEYS, readPassthrough } from '../../src/daemon/passthrough-config.ts';
import { StateDirectory } from '../../src/daemon/state.ts';
import { limitOf, OpenedDevice } from '../../src/luns/passthrough/open-device.ts';

describe('configuration: passthrough', () => {
  it('reads N:passthrough,device=NODE, relative to the directory', () => {
    assert.deepEqual(parseAnyLunSpec('3:passthrough,device=sr0', '/dev'), {
      lun: 3,
      type: 'passthrough',
      device: '/dev/sr0',
      allow: [],
    });
  });

  it('reads operation codes that are let through', () => {
    const config = parseAnyLunSpec(
      '0:passthrough,device=/dev/sg1,allow=e5+e9:in:7-8+d8:out:6-9/12',
      '/',
    );
    assert.deepEqual(config.type === 'passthrough' ? config.allow : [], [
      { opcode: 0xe5, data: 'none', lengthFirst: 0, lengthLast: 0, cdbBytes: 12 },
      { opcode: 0xe9, data: 'in', lengthFirst: 7, lengthLast: 8, cdbBytes: 12 },
      { opcode: 0xd8, data: 'out', lengthFirst: 6, lengthLast: 9, cdbBytes: 12 },
    ]);
  });

  it('reads the same from the file', () => {
    const text =
      '{ "luns": [{ "lun": 0, "type": "passthrough", "device": "/dev/sg1", "allow": "e5/6" }] }';
    const [lun] = parseConfig(text, '/vm/ringscsi.json').luns;
    assert.deepEqual(lun, parseAnyLunSpec('0:passthrough,device=/dev/sg1,allow=e5/6', '/'));
  });

  it('writes what it reads', () => {
    const config = parseAnyLunSpec('0:passthrough,device=/dev/sg1,allow=e5+e9:in:7-8/10', '/');
    assert.deepEqual(readAnyLun(anyLunObject(config), '/'), config);
  });

  const bad: readonly (readonly [string, RegExp])[] = [
    ['0:passthrough', /passthrough needs device=NODE, for example \/dev\/sg1$/],
    ['0:passthrough,path=a', /unknown key "path"/],
    ['0:passthrough,device=/dev/sg0,allow=zz', /allow has "zz", an operation code such as e5/],
    ['0:passthrough,device=/dev/sg0,allow=e5:in:8-7', /allow has "e5:in:8-7"/],
    ['0:passthrough,device=/dev/sg0,allow=e5:in:4-11', /allow has "e5:in:4-11"/],
    ['0:passthrough,device=/dev/sg0,allow=e5:in', /allow has "e5:in"/],
  ];
  for (const [spec, message] of bad) {
    it(`refuses ${spec}`, () => {
      assert.throws(() => parseAnyLunSpec(spec, '/'), { code: 'ERR_CONFIG', message });
    });
  }

  it('the schema lists the same keys', () => {
    const path = fileURLToPath(new URL('../../../docs/config.schema.json', import.meta.url));
    const { $defs } = JSON.parse(readFileSync(path, 'utf8'));
    assert.deepEqual(
      Object.keys($defs.passthrough.properties).sort(),
      [...PASSTHROUGH_KEYS].sort(),
    );
    assert.equal($defs.passthrough.additionalProperties, false);
  });
});

describe('passthrough: state and opening', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-device-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('the inventory keeps devices', () => {
    const devices = [readPassthrough(2, { lun: 2, type: 'passthrough', device: '/dev/sg1' }, '/')];
    const state = StateDirectory.open(directory);
    state.writeInventory({ installation: 'here', luns: [], devices });
    assert.deepEqual(state.readInventory(), { installation: 'here', luns: [], devices });
    state.close();
  });

  function refusal(path: string, sysfs = directory): string {
    try {
      OpenedDevice.open({ lun: 4, path, sysfs, warn: () => undefined });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    throw new Error('it was opened');
  }

  it('a node that is not there', () => {
    assert.equal(
      refusal('/dev/none-such'),
      'Cannot attach LUN 4: "/dev/none-such" cannot be opened: ENOENT; give a node such as /dev/sg1',
    );
  });

  it('a file', () => {
    assert.match(
      refusal(fileURLToPath(import.meta.url)),
      /is no device node; give one such as \/dev\/sg1/,
    );
  });

  function attribute(path: string, value: string): void {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), `${value}\n`);
  }

  it('the longest transfer: what the queue of the block device takes', () => {
    attribute('dev/block/sr0/queue/max_hw_sectors_kb', '120');
    attribute('dev/block/sr0/queue/max_segments', '64');
    assert.equal(limitOf({ device: join(directory, 'dev'), block: 'sr0' }), 120 * 1024);
  });

  it('of a tape drive: what its adapter takes', () => {
    attribute('host3/scsi_host/host3/sg_tablesize', '100');
    attribute('host3/target3:0:0/3:0:0:0/type', '1');
    const device = join(directory, 'host3/target3:0:0/3:0:0:0');
    assert.equal(limitOf({ device, block: null }), 100 * 4096);
  });

  it('a device that is no SCSI device', () => {
    assert.match(
      refusal('/dev/null'),
      /"\/dev\/null" is no SCSI device: the kernel knows none of char 1:3/,
    );
  });
});
