/** Sessions that are burnt by raw CDBs over any transport, as the tools send them. */
import { sense, type TestInitiator } from './ports.ts';

export const SECTOR = 2048;
export const SYNCHRONIZE_CACHE = '35 00 00 00 00 00 00 00 00 00';
export const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
/** Bytes 2 to 4 of the write parameters: track at once, another session may follow, mode 1. */
export const TRACK_AT_ONCE = '41c408';
/** The same, and no session follows. */
export const LAST_TRACK_AT_ONCE = '410408';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const pairs = (text: string): string => (text.match(/../g) ?? []).join(' ');

/** Blocks from `first` on; every byte of one says which it is. */
export function blocks(first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * SECTOR);
  for (let i = 0; i < count; i += 1) {
    bytes.fill((first + i) % 251, i * SECTOR, (i + 1) * SECTOR);
  }
  return bytes;
}

/** MODE SELECT(10) of the write parameters; returns the sense. */
export async function select(a: TestInitiator, bytes234: string): Promise<string> {
  const page = `0532${bytes234}00000000000000000000000096`.padEnd(104, '0');
  const list = Buffer.from(`0000000000000000${page}`, 'hex');
  return sense(await a.run('55 10 00 00 00 00 00 00 3c 00', { dataOut: list }));
}

/** WRITE(10); returns the sense. */
export async function write(a: TestInitiator, lba: number, data: Uint8Array): Promise<string> {
  const cdb = pairs(`2a00${hex(lba, 8)}00${hex(data.length / SECTOR, 4)}00`);
  return sense(await a.run(cdb, { dataOut: data }));
}

export async function read(a: TestInitiator, lba: number, count: number): Promise<Buffer> {
  const cdb = pairs(`2800${hex(lba, 8)}00${hex(count, 4)}00`);
  const result = await a.run(cdb, { dataInBytes: count * SECTOR });
  return Buffer.from(result.dataIn);
}

/** Burns a session of one track; returns the senses that were not GOOD. */
export async function burn(
  a: TestInitiator,
  lba: number,
  data: Uint8Array,
  how = TRACK_AT_ONCE,
): Promise<string[]> {
  const senses = [
    await select(a, how),
    await write(a, lba, data),
    sense(await a.run(SYNCHRONIZE_CACHE)),
    sense(await a.run(CLOSE_SESSION)),
  ];
  return senses.filter((each) => each !== '');
}
