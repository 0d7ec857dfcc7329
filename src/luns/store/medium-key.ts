/** The key a medium is encrypted with: a small file, whose old content a cryptographic erase overwrites in place. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, readSync, writeSync } from 'node:fs';

/**
 * Layout of a key file, KEY_FILE_BYTES long: MAGIC, zeros to KEY_AT, the two 32-byte keys of XTS-AES-256 (IEEE 1619), zeros.
 * One sector of 512 bytes, which a device replaces in one piece; no checksum: a torn key is an erased one.
 */
export const KEY_FILE_BYTES = 512;
const MAGIC = Buffer.from('ringscsi medium key 1\n');
const KEY_AT = 64;
const KEY_BYTES = 64;
const TWEAK_BYTES = 16;
const CIPHER = 'aes-256-xts';

function newKey(): Buffer {
  // The two halves are never equal, which XTS forbids: 2^-256.
  return randomBytes(KEY_BYTES);
}

function writeKey(fd: number, key: Buffer): void {
  const file = Buffer.alloc(KEY_FILE_BYTES);
  MAGIC.copy(file);
  key.copy(file, KEY_AT);
  writeSync(fd, file, 0, KEY_FILE_BYTES, 0);
  fsyncSync(fd);
  file.fill(0);
}

/** Makes an empty file a key file, on stable storage. Throws the error of the operating system. */
export function createKey(fd: number): void {
  writeKey(fd, newKey());
}

/** The key in an open file, or null when it is no key file. */
function readKey(fd: number): Buffer | null {
  const file = Buffer.alloc(KEY_FILE_BYTES);
  const bytes = readSync(fd, file, 0, KEY_FILE_BYTES, 0);
  if (bytes !== KEY_FILE_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const key = Buffer.from(file.subarray(KEY_AT, KEY_AT + KEY_BYTES));
  file.fill(0);
  return key;
}

/** Whether an open file is a key file. */
export function isKeyFile(fd: number): boolean {
  const key = readKey(fd);
  key?.fill(0);
  return key !== null;
}

/** Encrypts logical blocks by XTS-AES-256, each a data unit whose number is its LBA (what dm-crypt calls aes-xts-plain64). */
export class MediumKey {
  readonly #fd: number;
  #key: Buffer;

  private constructor(fd: number, key: Buffer) {
    this.#fd = fd;
    this.#key = key;
  }

  /** Takes over `fd`, which must be a key file (`isKeyFile`). Throws the error of the operating system, or RangeError. */
  static read(fd: number): MediumKey {
    const key = readKey(fd);
    if (key === null) throw new RangeError('Cannot read a medium key: the file is no key file');
    return new MediumKey(fd, key);
  }

  /**
   * Replaces the key, here and on stable storage: what was encrypted with the old one is noise from now on, even when this
   * throws the error of the operating system.
   */
  replace(): void {
    const old = this.#key;
    this.#key = newKey();
    old.fill(0);
    writeKey(this.#fd, this.#key);
  }

  /** Encrypts whole logical blocks in place; the first has this LBA. */
  encrypt(bytes: Uint8Array, lba: number, blockBytes: number): void {
    const tweak = Buffer.alloc(TWEAK_BYTES);
    for (let at = 0; at < bytes.length; at += blockBytes) {
      tweak.writeBigUInt64LE(BigInt(lba + at / blockBytes));
      const cipher = createCipheriv(CIPHER, this.#key, tweak);
      bytes.set(cipher.update(bytes.subarray(at, at + blockBytes)), at);
    }
  }

  /** Decrypts whole logical blocks in place; the first has this LBA. */
  decrypt(bytes: Uint8Array, lba: number, blockBytes: number): void {
    const tweak = Buffer.alloc(TWEAK_BYTES);
    for (let at = 0; at < bytes.length; at += blockBytes) {
      tweak.writeBigUInt64LE(BigInt(lba + at / blockBytes));
      const decipher = createDecipheriv(CIPHER, this.#key, tweak);
      bytes.set(decipher.update(bytes.subarray(at, at + blockBytes)), at);
    }
  }

  close(): void {
    this.#key.fill(0);
    closeSync(this.#fd);
  }
}
