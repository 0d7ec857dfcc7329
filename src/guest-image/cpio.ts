/** Writes cpio archives in the "newc" format, which the kernel unpacks as initramfs (Documentation/driver-api/early-userspace/buffer-format.rst). */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';

const FOLDER = 0o040755;
const FILE = 0o100000;
const LINK = 0o120777;
const CHARACTER_DEVICE = 0o020600;

/** Entries begin and file contents end on multiples of four bytes. */
function padded(content: Buffer): Buffer {
  const rest = content.length % 4;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(4 - rest)]);
}

interface Device {
  readonly major: number;
  readonly minor: number;
}

export class CpioArchive {
  readonly #parts: Buffer[] = [];
  readonly #names = new Set<string>();
  #inode = 1;

  #entry(
    name: string,
    mode: number,
    content: Buffer,
    device: Device = { major: 0, minor: 0 },
  ): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    const nameBytes = Buffer.from(`${name}\0`);
    const fields = [
      this.#inode++,
      mode,
      0, // user
      0, // group
      1, // links
      0, // time of modification: the same input makes the same archive
      content.length,
      0, // major and minor of where it lay
      0,
      device.major,
      device.minor,
      nameBytes.length,
      0, // checksum, unused in newc
    ];
    const header = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
    const head = Buffer.concat([Buffer.from(`070701${header}`), nameBytes]);
    this.#parts.push(padded(head), padded(content));
  }

  folder(path: string): this {
    const names = path.split('/');
    for (let i = 1; i <= names.length; i++) {
      this.#entry(names.slice(0, i).join('/'), FOLDER, Buffer.alloc(0));
    }
    return this;
  }

  #parent(path: string): void {
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.folder(path.slice(0, slash));
  }

  file(path: string, content: Buffer | string, permissions = 0o755): this {
    this.#parent(path);
    this.#entry(path, FILE | permissions, Buffer.from(content));
    return this;
  }

  link(path: string, to: string): this {
    this.#parent(path);
    this.#entry(path, LINK, Buffer.from(to));
    return this;
  }

  characterDevice(path: string, major: number, minor: number): this {
    this.#parent(path);
    this.#entry(path, CHARACTER_DEVICE, Buffer.alloc(0), { major, minor });
    return this;
  }

  /** A file of this machine, links as links. */
  copy(path: string, from: string): this {
    if (lstatSync(from).isSymbolicLink()) return this.link(path, readlinkSync(from));
    return this.file(path, readFileSync(from));
  }

  bytes(): Buffer {
    this.#entry('TRAILER!!!', 0, Buffer.alloc(0));
    return Buffer.concat(this.#parts);
  }
}
