/** Serial numbers and designators: derived values never change between versions, or guests would lose their disks. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { diskIdentity, hostId, naaOf, productRevision, serialOf } from '../../src/luns/identity.ts';

describe('luns/identity', () => {
  // Expected values by sha256sum(1), for example: printf 'ringscsi naa\0ABC123' | sha256sum
  it('derives a serial number from installation, path and LUN', () => {
    const file = serialOf({ installation: 'inst', path: '/images/a.img', lun: 3 });
    assert.equal(file, 'e1f31c2b3f5ff0d8a10d');
    assert.equal(serialOf({ installation: 'inst', lun: 12 }), '16b8f96789a42eefac46');
  });

  it('takes the serial number that was given', () => {
    assert.equal(serialOf({ installation: 'x', path: '/a', lun: 1, serial: 'MINE' }), 'MINE');
  });

  it('makes an 8-byte NAA 3h designator of the serial number', () => {
    // c363a7d4b5a70cc9…: the first digit gives way to the 3 of "locally assigned" (SPC-4 7.8.6.6).
    assert.equal(Buffer.from(naaOf('ABC123')).toString('hex'), '3363a7d4b5a70cc9');
    assert.notDeepEqual(naaOf('ABC124'), naaOf('ABC123'));
  });

  it('fits the fields of INQUIRY', () => {
    const { vendor, product, revision } = diskIdentity('S', naaOf('S'));
    assert(vendor.length <= 8 && product.length <= 16 && revision.length <= 4);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.equal(revision, productRevision());
    assert(revision.length > 0 && version.startsWith(revision));
  });

  it('has an id of the host to fall back on', () => {
    assert(hostId().length > 0);
    assert.equal(hostId(), hostId());
  });
});
