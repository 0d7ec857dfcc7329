/** What people write about iSCSI, and what they are told when it is wrong: never a secret. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseConfig, parseListenSpec } from '../../src/daemon/config.ts';
import { ISCSI_KEYS, readIscsi } from '../../src/daemon/iscsi-config.ts';
import { defaultTargetName } from '../../src/daemon/iscsi-gateway.ts';
import { isTargetName } from '../../src/transport/iscsi/names.ts';

describe('configuration: iSCSI', () => {
  it('portals', () => {
    const portal = parseListenSpec('iscsi:127.0.0.1:3260', '/vm');
    assert.deepEqual(portal, {
      kind: 'iscsi',
      path: '127.0.0.1:3260',
      host: '127.0.0.1',
      port: 3260,
    });
    const six = parseListenSpec('iscsi:[::1]:0', '/vm');
    assert.deepEqual(six, { kind: 'iscsi', path: '[::1]:0', host: '::1', port: 0 });
    for (const bad of ['iscsi:', 'iscsi:host', 'iscsi:::1:3260', 'iscsi:host:65536']) {
      assert.throws(() => parseListenSpec(bad, '/vm'), { code: 'ERR_CONFIG' }, bad);
    }
  });

  it('target, initiators and CHAP of the file', () => {
    const iscsi = {
      target: 'iqn.2026-11.example.org:disks',
      initiators: ['iqn.x:a'],
      chap: { name: 'host', secret: 'secret-of-host' },
      mutualChap: { name: 'disks', secret: 'secret-of-disks' },
    };
    const config = parseConfig(JSON.stringify({ iscsi }), '/vm/ringscsi.json');
    assert.deepEqual(config.iscsi, {
      target: iscsi.target,
      initiators: iscsi.initiators,
      chap: { incoming: iscsi.chap, outgoing: iscsi.mutualChap },
    });
  });

  const secret = 'hunter2-hunter2';
  const bad: readonly (readonly [string, unknown])[] = [
    ['a secret of 11 bytes', { chap: { name: 'host', secret: 'hunter2-hun' } }],
    ['a secret that is no text', { chap: { name: 'host', secret: [secret] } }],
    ['a name with a space', { chap: { name: 'a b', secret } }],
    ['mutualChap alone', { mutualChap: { name: 'host', secret } }],
    ['one secret for both', { chap: { name: 'a', secret }, mutualChap: { name: 'b', secret } }],
    ['an unknown key', { chap: { name: 'a', secret, [`x${secret.length}`]: 1 } }],
    ['a target that is no name', { target: 'disks' }],
    ['initiators that are no list', { initiators: 'iqn.x:a' }],
  ];
  for (const [what, value] of bad) {
    it(`refuses ${what} and shows no secret`, () => {
      assert.throws(
        () => readIscsi(value),
        (error: Error) => {
          assert.equal((error as NodeJS.ErrnoException).code, 'ERR_CONFIG');
          assert.ok(!error.message.includes('hunter2'), error.message);
          return true;
        },
      );
    });
  }

  it('the name made of any daemon name is a name', () => {
    for (const name of ['ringscsi', 'My Disks', 'ü_x']) {
      assert.ok(isTargetName(defaultTargetName(name)), name);
    }
  });

  it('the schema lists the same keys', () => {
    const path = fileURLToPath(new URL('../../../docs/config.schema.json', import.meta.url));
    const schema = JSON.parse(readFileSync(path, 'utf8')) as {
      properties: { iscsi: { properties: Record<string, unknown> } };
    };
    assert.deepEqual(
      Object.keys(schema.properties.iscsi.properties).sort(),
      [...ISCSI_KEYS].sort(),
    );
  });
});
