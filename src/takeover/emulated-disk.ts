/** One disk that QEMU emulates: what it is made of, how it is taken away, and how it is made again as it was. */
import type { QmpClient } from '../qmp/client.ts';
import type { BlockBackend, BlockNode, DeviceProperty } from '../qmp/messages.ts';
import { imagePath, isSameFile } from './image-path.ts';
import { TakeoverError } from './takeover-error.ts';
import { deviceExists, deviceIds } from './unplug-device.ts';

const PERIPHERAL = '/machine/peripheral';
const PROTOCOL_DRIVERS: readonly string[] = ['file', 'host_device'];

export interface EmulatedDisk {
  readonly id: string;
  readonly driver: string;
  /** Whether the guest has to let go of it first, as of everything on PCI. What sits on a SCSI bus goes without asking. */
  readonly asksGuest: boolean;
  /** Absolute path of the image. */
  readonly image: string;
  readonly bytes: number;
  /** Bytes of a logical block; 0 when the device does not say. */
  readonly blockBytes: number;
  readonly readOnly: boolean;
  /** The raw format node, if there is one over the node of the file. */
  readonly format: BlockNode | null;
  readonly protocol: BlockNode;
  /** Arguments of `device_add` that make it again, but for its drive. */
  readonly properties: Readonly<Record<string, unknown>>;
}

function refuse(id: string, why: string): never {
  throw new TakeoverError('ERR_TAKEOVER_DEVICE', `Cannot take over device "${id}": ${why}`);
}

function isOf(backend: BlockBackend, id: string): boolean {
  const path = `${PERIPHERAL}/${id}`;
  const { qdev = '' } = backend;
  return qdev === id || qdev === path || qdev.startsWith(`${path}/`);
}

async function insertedNode(qmp: QmpClient, id: string): Promise<BlockNode> {
  const backend = (await qmp.execute('query-block')).find((one) => isOf(one, id));
  if (backend?.inserted !== undefined) return backend.inserted;
  const known = await deviceIds(qmp);
  if (known.includes(id)) return refuse(id, 'it has no medium, or is no disk');
  const list = known.length === 0 ? 'none has an id' : `known are ${known.join(', ')}`;
  return refuse(id, `QEMU has none of this id; ${list}`);
}

/** Refuses an image that is more than the raw bytes of one file. */
function checkPlain(id: string, node: BlockNode): void {
  const { drv, image } = node;
  if (drv !== 'raw' && !PROTOCOL_DRIVERS.includes(drv)) {
    refuse(id, `its image is of format ${drv}, a LUN serves raw images`);
  }
  if (image['backing-image'] !== undefined) refuse(id, 'its image has a backing file');
  if (node.file.startsWith('json:')) {
    refuse(id, 'its image has options of its own (an offset or size), a LUN serves whole files');
  }
}

/** Nodes over the same file. Refuses an image that is in use by more than this disk. */
async function nodesOver(
  qmp: QmpClient,
  socket: string,
  id: string,
  top: BlockNode,
  image: string,
): Promise<Pick<EmulatedDisk, 'format' | 'protocol'>> {
  const over = await nodesOfImage(qmp, socket, image);
  const upper = over.filter(({ drv }) => !PROTOCOL_DRIVERS.includes(drv));
  const [protocol, second] = over.filter(({ drv }) => PROTOCOL_DRIVERS.includes(drv));
  if (upper.length > 1 || protocol === undefined || second !== undefined) {
    const others = over.map((node) => node['node-name']).join(', ');
    return refuse(id, `its image is in use elsewhere in this QEMU: nodes ${others}`);
  }
  const names = new Set(over.map((node) => node['node-name']));
  const jobs = await qmp.execute('query-block-jobs');
  const job = jobs.find(({ device }) => names.has(device));
  if (job !== undefined) refuse(id, `a block job (${job.type}) works on it, let that end first`);
  const exported = (await qmp.execute('query-block-exports')).find((one) =>
    names.has(one['node-name']),
  );
  if (exported !== undefined) refuse(id, `it is exported as "${exported.id}", end that first`);
  if (!names.has(top['node-name'])) refuse(id, 'its nodes changed while they were looked at');
  return { format: upper[0] ?? null, protocol };
}

/** Nodes of this QEMU that lie over the file at `image`. */
export async function nodesOfImage(
  qmp: QmpClient,
  socket: string,
  image: string,
): Promise<BlockNode[]> {
  const nodes = await qmp.execute('query-named-block-nodes', { flat: true });
  return nodes.filter(({ file }) => {
    const path = imagePath(file, socket);
    return path !== null && isSameFile(path, image);
  });
}

/** Whether a value is the one a property has anyway; those without a default are unset when empty or -1. */
function isDefault(property: DeviceProperty, value: unknown): boolean {
  if ('default-value' in property) return value === property['default-value'];
  return value === '' || value === -1 || value === null;
}

/** Properties that `device_add` takes and that are not what they would be anyway. */
async function propertiesOf(
  qmp: QmpClient,
  path: string,
  driver: string,
): Promise<Record<string, unknown>> {
  const known = await qmp.execute('device-list-properties', { typename: driver });
  const settable = known.filter(({ name, type }) => name !== 'drive' && !type.startsWith('child<'));
  const values = await Promise.all(
    settable.map(({ name }) => qmp.execute('qom-get', { path, property: name })),
  );
  const properties: Record<string, unknown> = {};
  settable.forEach((property, i) => {
    const { name } = property;
    const value = values[i];
    if (!isDefault(property, value)) properties[name] = name === 'addr' ? slotText(value) : value;
  });
  return properties;
}

/** A PCI address as `device_add` reads it: it comes as a number, slot times eight plus function, or as that text. */
function slotText(value: unknown): unknown {
  if (typeof value !== 'number') return value;
  return `${(value >> 3).toString(16)}.${(value & 7).toString(16)}`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Finds out everything about a disk. Throws TakeoverError: it is not there, or is none that can be taken over. */
export async function findEmulatedDisk(
  qmp: QmpClient,
  socket: string,
  id: string,
): Promise<EmulatedDisk> {
  const top = await insertedNode(qmp, id);
  checkPlain(id, top);
  const image = imagePath(top.file, socket);
  if (image === null) {
    return refuse(id, `where "${top.file}" is cannot be told from here, give QEMU the whole path`);
  }
  const nodes = await nodesOver(qmp, socket, id, top, image);
  const path = `${PERIPHERAL}/${id}`;
  const get = (from: string, property: string): Promise<unknown> =>
    qmp.execute('qom-get', { path: from, property });
  const driver = text(await get(path, 'type'));
  const busPath = text(await get(path, 'parent_bus'));
  const asksGuest = text(await get(busPath, 'type')) !== 'SCSI';
  const properties = await propertiesOf(qmp, path, driver);
  const blockBytes = properties['logical_block_size'];
  return {
    id,
    driver,
    asksGuest,
    image,
    bytes: top.image['virtual-size'],
    blockBytes: typeof blockBytes === 'number' ? blockBytes : 0,
    readOnly: top.ro,
    ...nodes,
    properties: {
      ...properties,
      ...(top.cache.writeback ? {} : { 'write-cache': 'off' }),
      bus: busPath.split('/').at(-1),
    },
  };
}

async function nodeNames(qmp: QmpClient): Promise<Set<string | undefined>> {
  const nodes = await qmp.execute('query-named-block-nodes', { flat: true });
  return new Set(nodes.map((node) => node['node-name']));
}

/** Closes the nodes that are still there after the device has gone; those of -drive went with it. Throws QmpError. */
export async function closeNodes(
  qmp: QmpClient,
  { format, protocol }: EmulatedDisk,
): Promise<void> {
  const there = await nodeNames(qmp);
  const close = async (name: string | undefined): Promise<void> => {
    if (name !== undefined && there.has(name)) {
      await qmp.execute('blockdev-del', { 'node-name': name });
    }
  };
  await close(format?.['node-name']);
  await close(protocol['node-name']);
}

/** A name `blockdev-add` takes: those QEMU makes up itself (`#block123`) it does not. */
function nodeName(id: string, node: BlockNode): string {
  const name = node['node-name'] ?? '';
  return /^[A-Za-z][\w.-]*$/.test(name) ? name : `${id}-${node.drv}`;
}

/** Opens the image again with the nodes and the cache mode it had, as far as they are gone. Throws QmpError. */
async function openNodes(qmp: QmpClient, disk: EmulatedDisk): Promise<string> {
  const { id, image, format, protocol } = disk;
  const there = await nodeNames(qmp);
  const open = async (node: BlockNode, source: Record<string, unknown>): Promise<string> => {
    const old = node['node-name'];
    if (old !== undefined && there.has(old)) return old;
    const name = nodeName(id, node);
    const fixed = { driver: node.drv, 'node-name': name, 'read-only': node.ro };
    await qmp.execute('blockdev-add', { ...fixed, ...source });
    return name;
  };
  const { direct, 'no-flush': noFlush } = protocol.cache;
  const cache = { direct, 'no-flush': noFlush };
  const file = await open(protocol, { filename: image, cache });
  return format === null ? file : await open(format, { file, cache });
}

/** Makes a disk again that was taken away, as it was. Throws QmpError. */
export async function putBack(qmp: QmpClient, disk: EmulatedDisk): Promise<void> {
  if (await deviceExists(qmp, disk.id)) return;
  const drive = await openNodes(qmp, disk);
  const { properties, driver, id } = disk;
  await qmp.execute('device_add', { ...properties, driver, id, drive });
}
