/** What people write: LUN and port specifications, sizes, the configuration file; and what they are told when it is wrong. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CONFIG_KEYS,
  type DaemonConfig,
  DISK_KEYS,
  type DiskConfig,
  EMULATED_KEYS,
  lunObject,
  mergeConfig,
  parseConfig,
  parseListenSpec,
  parseLunSpec,
  parseSize,
  readConfigFile,
  readLun,
} from '../../src/daemon/config.ts';
import { editDistance, nearest } from '../../src/daemon/known-keys.ts';
import { BURNER_KEYS, CDROM_KEYS } from '../../src/daemon/optical-config.ts';
import { MEDIUM_KINDS } from '../../src/scsi/mmc/burn/media.ts';
import { PLACES } from '../../src/unplug/selection.ts';

const PLAIN: DiskConfig = {
  lun: 0,
  type: 'disk',
  path: '/vm/a.img',
  keyPath: null,
  memoryBytes: null,
  sizeBytes: null,
  readOnly: false,
  blockBytes: 512,
  physicalBlockBytes: 4096,
  serial: null,
  cache: 'writeback',
  thin: null,
  protectionType: 0,
  removable: false,
  standby: false,
};

/** What an optical drive is besides. */
const CDROM: Partial<DiskConfig> = {
  type: 'cdrom',
  readOnly: true,
  blockBytes: 2048,
  physicalBlockBytes: 2048,
  cache: 'writethrough',
  thin: false,
  removable: true,
};

describe('configuration: sizes', () => {
  const good: readonly (readonly [string | number, number])[] = [
    [512, 512],
    ['512', 512],
    ['64K', 65536],
    ['64k', 65536],
    ['256M', 268435456],
    ['1G', 1073741824],
    ['2T', 2199023255552],
    ['1KiB', 1024],
    ['1GiB', 1073741824],
    ['1 GiB', 1073741824],
    ['1KB', 1000],
    ['1GB', 1000000000],
    ['7B', 7],
  ];
  for (const [text, bytes] of good) {
    it(`${JSON.stringify(text)} is ${bytes} bytes`, () => {
      assert.equal(parseSize('Cannot', 'size', text), bytes);
    });
  }
  for (const text of [
    '',
    'G',
    '-1',
    '1.5G',
    '1X',
    '1GG',
    '0',
    '0x10',
    '99999999T',
    1.5,
    -1,
    true,
    null,
  ]) {
    it(`${JSON.stringify(text)} is no size`, () => {
      assert.throws(() => parseSize('Cannot attach LUN 0', 'size', text), {
        code: 'ERR_CONFIG',
        message: `Cannot attach LUN 0: size is ${JSON.stringify(text)}, a size above 0 such as 512K, 256M, 1G or 2T is needed`,
      });
    });
  }
});

describe('configuration: LUN specifications', () => {
  const good: readonly (readonly [string, Partial<DiskConfig>])[] = [
    ['0:disk,path=a.img', {}],
    ['0:disk,path=./a.img,size=256M', { sizeBytes: 268435456 }],
    ['0:disk,path=/other/b.img', { path: '/other/b.img' }],
    ['16383:disk,path=a.img', { lun: 16383 }],
    ['0:disk,path=a.img,ro', { readOnly: true }],
    ['0:disk,path=a.img,ro=no', { readOnly: false }],
    ['0:disk,path=a.img,block=4096', { blockBytes: 4096 }],
    ['0:disk,path=a.img,removable', { removable: true }],
    ['0:disk,removable', { path: null, removable: true }],
    ['0:disk,path=a.img,key=a.key', { keyPath: '/vm/a.key' }],
    ['0:disk,path=a.img,physical=512', { physicalBlockBytes: 512 }],
    ['0:disk,path=a.img,serial=0042', { serial: '0042' }],
    ['0:disk,path=a.img,cache=writethrough', { cache: 'writethrough' }],
    ['0:disk,path=a.img,thin', { thin: true }],
    ['0:disk,path=a.img,thin=off', { thin: false }],
    ['0:disk,path=a.img,protection=1', { protectionType: 1, physicalBlockBytes: 512 }],
    [
      '0:disk,path=a.img,block=4096,protection=3',
      { blockBytes: 4096, protectionType: 3, physicalBlockBytes: 4096 },
    ],
    ['0:disk,path=a,,b=c.img', { path: '/vm/a,b=c.img' }],
    ['0:cdrom', { ...CDROM, path: null }],
    ['0:cdrom,path=a.iso', { ...CDROM, path: '/vm/a.iso' }],
    [
      '0:cdrom,unreadable=16-31+500,paced',
      { ...CDROM, path: null, unreadable: '16-31+500', paced: true },
    ],
    ['0:burner,paced=no', { ...CDROM, type: 'burner', readOnly: false, path: null, paced: false }],
    ['0:cdrom,serial=OD1', { ...CDROM, path: null, serial: 'OD1' }],
    ['0:burner', { ...CDROM, type: 'burner', readOnly: false, path: null }],
    [
      '0:burner,media=dvd+rw,path=a.disc',
      { ...CDROM, type: 'burner', readOnly: false, path: '/vm/a.disc', media: 'dvd+rw' },
    ],
    ['1:disk,memory=256M', { lun: 1, path: null, memoryBytes: 268435456 }],
  ];
  for (const [spec, expected] of good) {
    it(`reads ${spec}`, () => {
      const disk = parseLunSpec(spec, '/vm');
      assert.deepEqual(disk, { ...PLAIN, ...expected });
      assert.deepEqual(readLun(lunObject(disk), '/'), disk, 'the object form says the same');
    });
  }

  const bad: readonly (readonly [string, string])[] = [
    ['', 'Cannot read LUN "": it begins with NUMBER:TYPE, for example 0:disk,path=./a.img'],
    ['disk', 'Cannot read LUN "disk": it begins with NUMBER:TYPE, for example 0:disk,path=./a.img'],
    ['x:disk', 'Cannot read LUN "x:disk": LUN is "x", 0 to 16383 is possible'],
    ['-1:disk', 'Cannot read LUN "-1:disk": LUN is "-1", 0 to 16383 is possible'],
    ['16384:disk', 'Cannot read LUN "16384:disk": LUN is "16384", 0 to 16383 is possible'],
    [
      '0:dsik',
      'Cannot read LUN "0:dsik": unknown device type "dsik", did you mean "disk"? Known: disk, cdrom, burner, passthrough',
    ],
    [
      '0:cdrom,memory=1M',
      'Cannot read LUN "0:cdrom,memory=1M": unknown key "memory". Known: path, serial, mediaChangeStyle, ejectTimeout, unreadable, paced',
    ],
    [
      '0:cdrom,unreadable=31-16',
      'Cannot configure LUN 0: unreadable is "31-16", 1 to 256 blocks or ranges are needed as in 16-31+500',
    ],
    ['0:cdrom,paced=fast', 'Cannot configure LUN 0: paced is "fast", yes or no is needed'],
    ['0:cdrom,path=', 'Cannot configure LUN 0: path is "", a text is needed'],
    [
      '0:burner,media=cd-r',
      'Cannot configure LUN 0: media goes with path=FILE, where the blank medium is kept',
    ],
    [
      '0:burner,media=cdr,path=a',
      'Cannot configure LUN 0: unknown medium "cdr", did you mean "cd-r"? Known: cd-r, cd-rw, dvd-r, dvd-rw, dvd-r-dl, dvd+r, dvd+r-dl, dvd+rw, dvd-ram, bd-r, bd-re',
    ],
    [
      '0:burner,ro',
      'Cannot read LUN "0:burner,ro": unknown key "ro". Known: path, serial, mediaChangeStyle, ejectTimeout, unreadable, paced, media',
    ],
    [
      '0:passthrough',
      'Cannot configure LUN 0: unknown device type "passthrough". Known: disk, cdrom, burner',
    ],
    [
      '0:disk,pth=a',
      'Cannot read LUN "0:disk,pth=a": unknown key "pth", did you mean "path"? Known: path, key, memory, size, ro, block, physical, serial, cache, thin, protection, removable, standby, mediaChangeStyle, ejectTimeout',
    ],
    [
      '0:disk,path=a,protection=4',
      'Cannot configure LUN 0: protection is "4", the types 1, 2 and 3 are possible',
    ],
    [
      '0:disk,path=a,protection=1,thin',
      'Cannot configure LUN 0: a disk with protection is never thin',
    ],
    [
      '0:disk,path=a,protection=1,key=k',
      'Cannot configure LUN 0: a disk with protection has no key, holes of an encrypted image are no formatted blocks',
    ],
    [
      '0:disk,path=a,protection=1,physical=4096',
      'Cannot configure LUN 0: with protection a physical block is a block, physical=4096 does not go with block=512',
    ],
    ['0:disk', 'Cannot configure LUN 0: a disk needs either path=FILE or memory=SIZE'],
    ['0:disk,removable=no', 'Cannot configure LUN 0: a disk needs either path=FILE or memory=SIZE'],
    ['0:disk,removable,size=1M', 'Cannot configure LUN 0: size goes with path=FILE'],
    [
      '0:disk,path=a,removable,standby',
      'Cannot configure LUN 0: standby does not go with removable, the image of a removable disk is given back by media eject',
    ],
    [
      '0:disk,path=a,memory=1M',
      'Cannot configure LUN 0: a disk needs either path=FILE or memory=SIZE',
    ],
    ['0:disk,path', 'Cannot configure LUN 0: path is true, a text is needed'],
    ['0:disk,path=', 'Cannot configure LUN 0: path is "", a text is needed'],
    ['0:disk,path=a,path=b', 'Cannot read LUN "0:disk,path=a,path=b": path is there twice'],
    [
      '0:disk,memory=1M,size=1M',
      'Cannot configure LUN 0: memory=SIZE is the size of a memory disk, size does not go with it',
    ],
    [
      '0:disk,memory=1000',
      'Cannot configure LUN 0: 1000 bytes is no multiple of the block of 512 bytes',
    ],
    [
      '0:disk,path=a,size=2047,block=4096',
      'Cannot configure LUN 0: 2047 bytes is no multiple of the block of 4096 bytes',
    ],
    [
      '0:disk,memory=1M,key=a.key',
      'Cannot configure LUN 0: a memory disk is gone with the daemon, there is nothing to encrypt, key does not go with it',
    ],
    [
      '0:disk,path=a,key=k,standby',
      'Cannot configure LUN 0: standby does not go with key, its owner could not read it',
    ],
    [
      '0:disk,path=a,key=k,removable',
      'Cannot configure LUN 0: removable does not go with key, a medium is changed, its key is not',
    ],
    [
      '0:disk,path=a,block=4096,physical=512',
      'Cannot configure LUN 0: a physical block of 512 bytes is smaller than the block of 4096',
    ],
    [
      '0:disk,path=a,physical=8',
      'Cannot configure LUN 0: physical is "8", 512 or 4096 is possible',
    ],
    ['0:disk,path=a,block=520', 'Cannot configure LUN 0: block is "520", 512 or 4096 is possible'],
    ['0:disk,path=a,ro=maybe', 'Cannot configure LUN 0: ro is "maybe", yes or no is needed'],
    [
      '0:disk,path=a,cache=writebck',
      'Cannot configure LUN 0: unknown cache mode "writebck", did you mean "writeback"? Known: writeback, writethrough',
    ],
    [
      '0:disk,path=a,serial=a b',
      'Cannot configure LUN 0: serial is "a b", 1 to 32 printable ASCII characters without spaces are needed',
    ],
  ];
  for (const [spec, message] of bad) {
    it(`refuses ${JSON.stringify(spec)}`, () => {
      assert.throws(() => parseLunSpec(spec, '/vm'), { code: 'ERR_CONFIG', message });
    });
  }
});

describe('configuration: ports', () => {
  it('reads srp:PATH', () => {
    assert.deepEqual(parseListenSpec('srp:./a.sock', '/vm'), { kind: 'srp', path: '/vm/a.sock' });
  });
  it('reads vhost-user:PATH', () => {
    const expected = { kind: 'vhost-user', path: '/vm/a.sock' };
    assert.deepEqual(parseListenSpec('vhost-user:./a.sock', '/vm'), expected);
  });
  const bad: readonly (readonly [string, string])[] = [
    [
      'a.sock',
      'Cannot read port "a.sock": srp:SOCKET, vhost-user:SOCKET or iscsi:HOST:PORT is needed, for example srp:./a.sock',
    ],
    [
      'spr:a',
      'Cannot read port "spr:a": unknown port "spr", did you mean "srp"? Known: srp, vhost-user, iscsi',
    ],
    [
      'vhost-scsi:a',
      'Cannot read port "vhost-scsi:a": unknown port "vhost-scsi", did you mean "vhost-user"? Known: srp, vhost-user, iscsi',
    ],
    ['srp:', 'Cannot read port "srp:": path is "", a text is needed'],
  ];
  for (const [spec, message] of bad) {
    it(`refuses ${spec}`, () => {
      assert.throws(() => parseListenSpec(spec, '/vm'), { code: 'ERR_CONFIG', message });
    });
  }
});

describe('configuration: the file', () => {
  it('says the same as the options, relative to its own directory', () => {
    const text = `{
      "state": "state", "control": "./c.sock", "listen": ["srp:a.sock"],
      "luns": [
        { "lun": 0, "type": "disk", "path": "a.img", "size": "1G", "ro": true },
        { "lun": 1, "type": "disk", "memory": 1048576, "thin": false, "block": 4096 }
      ] }`;
    assert.deepEqual(parseConfig(text, '/vm/ringscsi.json'), {
      state: '/vm/state',
      control: '/vm/c.sock',
      listen: [{ kind: 'srp', path: '/vm/a.sock' }],
      luns: [
        parseLunSpec('0:disk,path=a.img,size=1G,ro', '/vm'),
        parseLunSpec('1:disk,memory=1M,thin=no,block=4096', '/vm'),
      ],
      emulated: [],
      driverBlacklist: null,
    });
  });

  const bad: readonly (readonly [string, RegExp])[] = [
    ['{', /^Cannot read configuration "\/vm\/c\.json": .*JSON/],
    ['[]', /: \[\] is there, an object is needed$/],
    [
      '{"lun":[]}',
      /: unknown key "lun", did you mean "luns"\? Known: \$schema, state, control, listen, luns, emulated, driverBlacklist, managementAddresses, iscsi$/,
    ],
    ['{"contrl":"c"}', /unknown key "contrl", did you mean "control"\?/],
    ['{"control":5}', /: control is 5, a text is needed$/],
    ['{"listen":"srp:a"}', /: listen is "srp:a", a list is needed$/],
    ['{"luns":[5]}', /: 5 is there, an object is needed$/],
    [
      '{"luns":[{"type":"disk"}]}',
      /^Cannot configure a LUN: LUN is undefined, 0 to 16383 is possible$/,
    ],
    [
      '{"luns":[{"lun":3,"type":"disk","path":"a","readonly":true}]}',
      /^Cannot configure LUN 3: unknown key "readonly"/,
    ],
    [
      '{"luns":[{"lun":3,"type":"disk","path":"a","blocks":512}]}',
      /^Cannot configure LUN 3: unknown key "blocks", did you mean "block"\?/,
    ],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${text}`, () => {
      assert.throws(() => parseConfig(text, '/vm/c.json'), { code: 'ERR_CONFIG', message });
    });
  }

  it('is read from disk, and missed by name', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-config-'));
    const path = join(directory, 'c.json');
    writeFileSync(path, '{"control":"c.sock"}');
    assert.equal(readConfigFile(path).control, join(directory, 'c.sock'));
    rmSync(directory, { recursive: true });
    assert.throws(() => readConfigFile(path), {
      code: 'ERR_CONFIG',
      message: /^Cannot read configuration ".*c\.json": ENOENT/,
    });
  });

  const file: DaemonConfig = {
    state: '/s',
    control: '/c',
    listen: [{ kind: 'srp', path: '/a' }],
    luns: [PLAIN],
  };
  const none: DaemonConfig = { state: null, control: null, listen: [], luns: [] };

  it('is overruled by options in single values and extended in lists', () => {
    const options: DaemonConfig = {
      ...none,
      control: '/d',
      listen: [{ kind: 'srp', path: '/b' }],
      luns: [{ ...PLAIN, lun: 1 }],
    };
    assert.deepEqual(mergeConfig(file, options), {
      state: '/s',
      control: '/d',
      listen: [
        { kind: 'srp', path: '/a' },
        { kind: 'srp', path: '/b' },
      ],
      luns: [PLAIN, { ...PLAIN, lun: 1 }],
      emulated: [],
      driverBlacklist: null,
    });
    assert.deepEqual(mergeConfig(null, none), { ...none, emulated: [], driverBlacklist: null });
  });

  it('and the options together have no LUN and no port twice', () => {
    assert.throws(() => mergeConfig(file, { ...none, luns: [PLAIN] }), {
      code: 'ERR_CONFIG',
      message: 'Cannot configure LUN 0: it is there twice, give one of them another number',
    });
    assert.throws(() => mergeConfig(file, { ...none, listen: [{ kind: 'srp', path: '/a' }] }), {
      code: 'ERR_CONFIG',
      message: 'Cannot listen at "/a": it is there twice',
    });
  });

  it('has a schema with the keys that are read', () => {
    const path = fileURLToPath(new URL('../../../docs/config.schema.json', import.meta.url));
    const schema = JSON.parse(readFileSync(path, 'utf8'));
    assert.deepEqual(Object.keys(schema.properties).sort(), [...CONFIG_KEYS].sort());
    assert.deepEqual(Object.keys(schema.$defs.disk.properties).sort(), [...DISK_KEYS].sort());
    assert.deepEqual(Object.keys(schema.$defs.cdrom.properties).sort(), [...CDROM_KEYS].sort());
    const { burner } = schema.$defs;
    assert.deepEqual(Object.keys(burner.properties).sort(), [...BURNER_KEYS].sort());
    assert.deepEqual([...burner.properties.media.enum], MEDIUM_KINDS);
    assert.deepEqual(
      Object.keys(schema.$defs.emulated.properties).sort(),
      [...EMULATED_KEYS].sort(),
    );
    assert.deepEqual([...schema.$defs.emulated.properties.at.enum].sort(), [...PLACES].sort());
    assert.equal(schema.additionalProperties, false);
    assert.equal(schema.$defs.disk.additionalProperties, false);
  });
});

describe('configuration: the nearest known word', () => {
  const distances: readonly (readonly [string, string, number])[] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
    ['spr', 'srp', 1],
    ['same', 'same', 0],
  ];
  for (const [a, b, distance] of distances) {
    it(`"${a}" and "${b}" are ${distance} apart`, () => {
      assert.equal(editDistance(a, b), distance);
      assert.equal(editDistance(b, a), distance);
    });
  }
  it('is none when nothing is near', () => {
    assert.equal(nearest('bench', ['serve', 'exec', 'lun']), null);
    assert.equal(nearest('stat', ['serve', 'stats', 'lun']), 'stats');
    assert.equal(nearest('SERVE', ['serve']), 'serve');
  });
});
