/** What a LUN says about its media, and a daemon that does it: the order of a media change, and the end of an eject that guests prevent. */
import { strict as assert } from 'node:assert';
import { lunObject, parseLunSpec, readLun } from '../../src/daemon/config.ts';
import type { MediaChange, MediaStatus } from '../../src/daemon/media-house.ts';
import { type Initiator, openInitiator } from '../../src/initiator/initiator.ts';
import { ringscsi } from '../cli/command.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { TestInitiator } from '../support/ports.ts';

const parse = (options: string) => parseLunSpec(`3:disk,memory=1M,${options}`, '/vm');
const PREVENT = '1e 00 00 00 01 00';
const ALLOW = '1e 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';

describe('media configuration', () => {
  it('is absent unless it is said', () => {
    const { mediaChangeStyle, ejectTimeout } = parse('removable');
    assert.deepEqual([mediaChangeStyle, ejectTimeout], [undefined, undefined]);
  });

  it('is read, and written as it is read', () => {
    const disk = parse('removable,mediaChangeStyle=maxfield,ejectTimeout=2.5');
    assert.deepEqual([disk.mediaChangeStyle, disk.ejectTimeout], ['maxfield', 2.5]);
    assert.deepEqual(readLun(lunObject(disk), '/'), disk);
  });

  for (const [options, why] of [
    ['mediaChangeStyle=t10', /mediaChangeStyle goes with removable/],
    ['ejectTimeout=5', /ejectTimeout goes with removable/],
    ['removable,mediaChangeStyle=maxfeld', /"maxfeld", did you mean "maxfield"/],
    ['removable,ejectTimeout=0', /ejectTimeout is "0", seconds above 0/],
    ['removable,ejectTimeout=soon', /ejectTimeout is "soon", seconds above 0/],
    ['removable,ejectTimeout=90000', /up to 86400/],
  ] as const) {
    it(`refuses ${options}`, () => {
      assert.throws(() => parse(options), why);
    });
  }
});

/** LUNs of the daemon. */
const SWAPPED = 0;
const PLAIN = 1;
const SOON = 2;
const LATE = 3;
const LOCKED = 4;

describe('media of a daemon that guests hold', function () {
  this.timeout(15_000);
  let daemon: DaemonProcess;
  let initiator: Initiator;

  before(async () => {
    const options = ['mediaChangeStyle=maxfield', 'ro=no', 'ejectTimeout=0.05', 'ejectTimeout=60'];
    daemon = await DaemonProcess.start(
      [...options, 'ejectTimeout=0.05'].map((text, n) => `${n}:disk,memory=1M,removable,${text}`),
    );
    initiator = await openInitiator({ connect: daemon.connect, name: 'keeper' });
    for (const lun of [SWAPPED, PLAIN, SOON, LATE]) await on(lun).attentions();
  });
  after(async () => {
    await initiator.close();
    await daemon.end();
  });
  const on = (lun: number): TestInitiator => new TestInitiator(initiator, lun);
  const eject = (lun: number, args: Record<string, unknown> = {}): Promise<MediaChange> =>
    daemon.call('media.eject', { lun, ...args }) as Promise<MediaChange>;
  const media = async (lun: number): Promise<MediaStatus | undefined> =>
    ((await daemon.call('media.list')) as MediaStatus[])[lun];

  it('maxfield: 28/00, then 2/3A/01 until another medium is there', async () => {
    const a = on(SWAPPED);
    await eject(SWAPPED);
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await a.ready(), '2/3a/01');
    await daemon.call('media.load', { lun: SWAPPED });
    assert.deepEqual(await a.attentions(), ['6/28/00']);
  });

  it('an eject of a disk that is prevented is refused without ejectTimeout', async () => {
    await on(PLAIN).run(PREVENT);
    await assert.rejects(eject(PLAIN), { code: 'ERR_MEDIUM_PREVENTED', message: /"keeper"/ });
    assert.equal((await media(PLAIN))?.ejectRequested, false);
  });

  it('a disk cannot be asked for its medium', async () => {
    await assert.rejects(eject(PLAIN, { request: true }), { code: 'ERR_MEDIUM_UNASKED' });
    await assert.rejects(eject(PLAIN, { request: true, force: true }), /request only asks for it/);
  });

  it('a medium that came meanwhile is not the one that was asked for', async () => {
    const a = on(SOON);
    await a.run(PREVENT);
    await eject(SOON);
    for (const cdb of [ALLOW, EJECT, LOAD]) assert.equal((await a.run(cdb)).status, 0);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.equal((await media(SOON))?.state, 'loaded');
  });

  it('with ejectTimeout the eject waits, then takes it', async () => {
    const a = on(SOON);
    await a.run(PREVENT);
    const { state, ejectRequested, preventedBy } = await eject(SOON);
    assert.deepEqual([state, ejectRequested, preventedBy], ['loaded', true, ['keeper']]);
    while ((await media(SOON))?.state === 'loaded');
    assert.equal(await a.ready(), '2/3a/01');
    assert.equal((await media(SOON))?.ejectRequested, false);
  });

  it('the operator who has locked it is not asked', async () => {
    await daemon.call('media.lock', { lun: LOCKED });
    await assert.rejects(eject(LOCKED), { message: /the operator \(media lock\)/ });
  });

  it('ringscsi media eject says who holds it and ends with 1', async () => {
    await on(LATE).run(PREVENT);
    const at = ['--control', daemon.path('c.sock')] as const;
    const { code, out } = await ringscsi(daemon.directory, 'media', 'eject', String(LATE), ...at);
    assert.deepEqual(
      [code, out],
      [1, 'LUN 3: removal is prevented by keeper; asked to eject it\n'],
    );
    const list = await ringscsi(daemon.directory, 'media', 'list', ...at);
    assert.match(list.out, /loaded, eject requested .* keeper/);
  });
});
