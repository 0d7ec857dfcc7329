/** Management addresses: the configuration file, and VPD page 85h (SPC-4 7.8.9) of a daemon that has it. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../src/daemon/config.ts';
import { MANAGEMENT_KEYS } from '../../src/daemon/management-config.ts';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { SERVICE_TYPES } from '../../src/scsi/management-address.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { TestInitiator } from '../support/ports.ts';
import { disk } from '../support/target.ts';

const read = (addresses: unknown) =>
  parseConfig(JSON.stringify({ managementAddresses: addresses }), '/vm/c.json').managementAddresses;

describe('management addresses', function () {
  this.timeout(15_000);
  it('are read from the configuration file', () => {
    assert.deepEqual(read([{ service: 'status', url: 'http://host/' }, { url: 'ssh://host' }]), [
      { service: 3, url: 'http://host/' },
      { service: 0, url: 'ssh://host' },
    ]);
  });

  for (const [addresses, why] of [
    ['http://host/', /a list is needed/],
    [['http://host/'], /no object with service and url/],
    [[{ servce: 'status', url: 'http://host/' }], /unknown key "servce", did you mean "service"/],
    [
      [{ service: 'stats', url: 'http://host/' }],
      /service is "stats", possible: unspecified, .*status/,
    ],
    [[{ service: 'status' }], /url is undefined, a URL in ASCII is needed/],
    [[{ url: 'host' }], /url is "host", a URL/],
    [[{ url: `http://host/${'a'.repeat(250)}` }], /url has 262 characters, 255 are possible/],
    [new Array(17).fill({ url: 'http://host/' }), /17 of them, 16 are possible/],
  ] as const) {
    it(`refuses ${JSON.stringify(addresses).slice(0, 60)}`, () => {
      assert.throws(() => read(addresses), why);
    });
  }

  it('the schema lists the same keys and services', () => {
    const path = fileURLToPath(new URL('../../../docs/config.schema.json', import.meta.url));
    const schema = JSON.parse(readFileSync(path, 'utf8')) as {
      properties: {
        managementAddresses: { items: { properties: Record<string, { enum?: string[] }> } };
      };
    };
    const { properties } = schema.properties.managementAddresses.items;
    assert.deepEqual(Object.keys(properties), MANAGEMENT_KEYS);
    assert.deepEqual(properties['service']?.enum, [...SERVICE_TYPES.keys()]);
  });

  it('page 85h is not there without them', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run('12 01 85 00 ff 00', { in: 255 }).sense, '5/24/00');
  });

  it('page 85h: service type, length with the padding, the address with at least one zero', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-spec-'));
    const config = join(directory, 'c.json');
    writeFileSync(
      config,
      JSON.stringify({
        managementAddresses: [
          { service: 'status', url: 'http://ab/' },
          { service: 'storage configuration', url: 'http://host' },
          { url: 'ssh://ringscsi' },
        ],
      }),
    );
    const daemon = await DaemonProcess.start(['0:disk,memory=1M'], [], ['--config', config]);
    try {
      const initiator = await openInitiator({ connect: daemon.connect, name: 'a' });
      const a = new TestInitiator(initiator, 0);
      const page = await a.run('12 01 85 00 ff 00', { dataInBytes: 255 });
      const expected = [
        '00850034',
        `0300000c${Buffer.from('http://ab/').toString('hex')}0000`,
        `0100000c${Buffer.from('http://host').toString('hex')}00`,
        `00000010${Buffer.from('ssh://ringscsi').toString('hex')}0000`,
      ];
      assert.equal(Buffer.from(page.dataIn).toString('hex'), expected.join(''));
      const listed = await a.run('12 01 00 00 ff 00', { dataInBytes: 255 });
      assert.ok(listed.dataIn.subarray(4).includes(0x85));
      await initiator.close();
    } finally {
      await daemon.end();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
