/**
 * The host's end of the emulated-device unplug protocol (Xen, docs/misc/hvm-emulated-unplug.pandoc), byte for byte.
 *
 *                       read                            write
 *   10h  byte           platform flags                  platform flags (bit 0: ROM region locked)
 *        word           49D2h, D249h when blacklisted   unplug mask
 *        double word    all ones                        build number
 *   12h  byte           protocol version                a character of the log
 *        word           all ones                        product number
 *        double word    all ones                        ignored
 *
 * Everything else from 10h to 1Fh reads all ones and ignores writes. The legacy window knows +0 (flags), +4 (1: everything)
 * and +8 (1: disks, 2: NICs, else a character of the log).
 *
 *   none --W.w 12 product--> product --W.l 10 build--> build known --existence in the blacklist--> blacklisted (sticky)
 *
 * The mask is honoured in every state: keeping a blacklisted driver from loading is the guest's part of the protocol.
 */
import { LogThrottle } from './log-throttle.ts';
import {
  allOnes,
  MAGIC,
  MAGIC_BLACKLISTED,
  MAGIC_PORT,
  type PortWindow,
  PROTOCOL_PORT,
  type Width,
} from './ports.ts';
import { PRODUCTS, TRADITIONAL_PRODUCTS } from './products.ts';
import { type Dialect, MASK_DISKS, MASK_KNOWN, MASK_NICS } from './selection.ts';

const FLAG_ROM_LOCKED = 1;
/** A line that gets this long is written out; the character that comes then is swallowed. */
const MAX_LINE = 4095;
const NEWLINE = 0x0a;
const LEGACY_UNPLUG_ALL = 4;
const LEGACY_UNPLUG = 8;

export interface UnplugHost {
  /** Whether `/mh/driver-blacklist/<product>/<build>` exists and can be read; its content does not matter. */
  blacklisted(product: string, build: string): boolean;
  /** The driver is blacklisted from now on. */
  refused(): void;
  /** The guest wants emulated devices gone: the known bits of its mask. */
  unplug(mask: number): void;
  /** A line from the guest's driver. */
  guestLine(line: string): void;
  /** What the responder has to say about the guest. */
  note(text: string): void;
  /** Milliseconds that only grow. */
  nowMs(): number;
}

export interface ResponderOptions {
  readonly host: UnplugHost;
  readonly dialect?: Dialect;
  /** Protocol version; 0 has neither products nor builds. */
  readonly version?: 0 | 1;
  /** Whether the guest's log is limited (true). */
  readonly throttled?: boolean;
}

/** What a write has brought about. */
export interface WriteOutcome {
  /** For how long the guest has to be held up, in milliseconds. */
  readonly holdMs: number;
  /** Unplugging began. */
  readonly unplugging: boolean;
}

const NOTHING: WriteOutcome = { holdMs: 0, unplugging: false };

export class UnplugResponder {
  readonly #host: UnplugHost;
  readonly #dialect: Dialect;
  readonly #version: number;
  readonly #throttle: LogThrottle | null;
  #flags = 0;
  #product = 0;
  #build: number | null = null;
  #blacklisted = false;
  #unplugged = 0;
  #line = '';
  #heldUpBefore = false;

  constructor({ host, dialect, version, throttled }: ResponderOptions) {
    this.#host = host;
    this.#dialect = dialect ?? 'document';
    this.#version = version ?? 1;
    this.#throttle = throttled === false ? null : new LogThrottle(host.nowMs());
  }

  /** Product number, 0 for none. */
  get product(): number {
    return this.#product;
  }
  /** Build number, as the driver wrote it. */
  get build(): number | null {
    return this.#build;
  }
  get blacklisted(): boolean {
    return this.#blacklisted;
  }
  /** Every bit a mask had so far. Nothing is plugged in again. */
  get unplugged(): number {
    return this.#unplugged;
  }

  read(window: PortWindow, port: number, width: Width): number {
    if (window === 'legacy') return port === 0 && width === 'b' ? this.#flags : allOnes(width);
    if (port === MAGIC_PORT && width === 'b') return this.#flags;
    if (port === MAGIC_PORT && width === 'w') return this.#blacklisted ? MAGIC_BLACKLISTED : MAGIC;
    if (port === PROTOCOL_PORT && width === 'b') return this.#version;
    return allOnes(width);
  }

  write(window: PortWindow, port: number, width: Width, value: number): WriteOutcome {
    // Widths are honest, values need not be.
    const kept = width === 'l' ? value >>> 0 : value & allOnes(width);
    // A wide access to the legacy window is split into bytes, of which only the first one lands on a register.
    if (window === 'legacy') return this.#writeLegacy(port, kept & 0xff);
    if (port === MAGIC_PORT) return this.#writeMagicPort(width, kept);
    if (port !== PROTOCOL_PORT) return NOTHING;
    if (width === 'b') return this.#log(kept);
    if (width === 'w') this.#setProduct(kept);
    return NOTHING;
  }

  /** The reset line: current device models clear the flags and keep the rest, emulated devices stay away. */
  reset(): void {
    this.#flags = 0;
  }

  #writeMagicPort(width: Width, value: number): WriteOutcome {
    if (width === 'w') return this.#unplug(value);
    if (width === 'l') this.#setBuild(value);
    else this.#flags = value & FLAG_ROM_LOCKED;
    return NOTHING;
  }

  #writeLegacy(offset: number, value: number): WriteOutcome {
    if (offset === 0) this.#flags = value & FLAG_ROM_LOCKED;
    const traditional = this.#dialect === 'traditional';
    if (offset === LEGACY_UNPLUG_ALL && value === 1 && !traditional) {
      return this.#unplug(MASK_DISKS | MASK_NICS);
    }
    if (offset !== LEGACY_UNPLUG) return NOTHING;
    if (value === 1 && !traditional) return this.#unplug(MASK_DISKS);
    if (value === 2 && !traditional) return this.#unplug(MASK_NICS);
    return this.#log(value);
  }

  #setProduct(product: number): void {
    this.#product = product;
    if (product === 0) this.#host.note('the driver takes its product number back');
  }

  #setBuild(build: number): void {
    if (this.#product === 0) {
      this.#host.note(`build ${build} came without a product and is ignored`);
      return;
    }
    this.#build = build;
    const products = this.#dialect === 'traditional' ? TRADITIONAL_PRODUCTS : PRODUCTS;
    const name = products.get(this.#product);
    if (name === undefined) {
      const number = this.#product.toString(16).padStart(4, '0');
      this.#host.note(`product ${number}h is unknown, its build ${build} cannot be blacklisted`);
      return;
    }
    this.#host.note(`driver ${name}, build ${build}`);
    if (!this.#isListed(name, build)) return;
    this.#blacklisted = true;
    this.#host.refused();
    this.#host.note(`driver ${name}, build ${build} is blacklisted`);
  }

  /** The traditional device model prints the build signed, the document says decimal: both names are looked for. */
  #isListed(name: string, build: number): boolean {
    const signed = String(build | 0);
    if (this.#host.blacklisted(name, signed)) return true;
    return this.#dialect !== 'traditional' && this.#host.blacklisted(name, String(build));
  }

  #unplug(mask: number): WriteOutcome {
    const reserved = mask & ~MASK_KNOWN;
    if (reserved !== 0) this.#host.note(`reserved mask bits ${reserved.toString(16)}h are ignored`);
    const known = mask & MASK_KNOWN;
    if (known === 0) return NOTHING;
    this.#unplugged |= known;
    this.#host.unplug(known);
    return { holdMs: 0, unplugging: true };
  }

  #log(character: number): WriteOutcome {
    if (character !== NEWLINE && this.#line.length < MAX_LINE) {
      this.#line += String.fromCharCode(character);
      return NOTHING;
    }
    const line = this.#line;
    this.#line = '';
    this.#host.guestLine(printable(line));
    const holdMs = this.#throttle?.take(line.length, this.#host.nowMs()) ?? 0;
    if (holdMs > 0 && !this.#heldUpBefore) {
      this.#heldUpBefore = true;
      this.#host.note('the guest logs more than 256 bytes a second and is held up from now on');
    }
    return { holdMs, unplugging: false };
  }
}

/** A guest must not be able to write control characters into logs and terminals. */
function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '.');
}
