/** Random commands: mostly reads and writes of few blocks, so that they meet, and a share of everything else. */
import {
  BLOCK_BYTES,
  type Command,
  type Kind,
  type ModeValues,
  PLAIN_COMMAND,
  type Range,
} from './command.ts';
import type { MediaModel } from './media-model.ts';
import type { Random } from './random.ts';

export interface Settings {
  /** Chance of NACA = 1. */
  readonly naca: number;
  /** MODE SELECT and START STOP UNIT may change things. */
  readonly changes: boolean;
  /** The medium can be removed. */
  readonly removable: boolean;
}

const KINDS: readonly (readonly [number, Kind])[] = [
  [26, 'read'],
  [26, 'write'],
  [5, 'write-same'],
  [5, 'unmap'],
  [7, 'compare-and-write'],
  [5, 'or-write'],
  [5, 'sync'],
  [6, 'tur'],
  [2, 'inquiry'],
  [3, 'request-sense'],
  [1, 'report-luns'],
  [2, 'read-capacity'],
  [3, 'mode-select'],
  [3, 'start-stop'],
  [1, 'unknown-opcode'],
  [1, 'unknown-service-action'],
];

const REMOVABLE_KINDS: readonly (readonly [number, Kind])[] = [
  ...KINDS,
  [5, 'start-stop'],
  [5, 'prevent'],
  // What an eject does not wait for before it begins.
  [5, 'sync'],
];

export class CommandGenerator {
  readonly #random: Random;
  readonly #settings: Settings;
  readonly #media: MediaModel;
  #value = 0x100;

  constructor(random: Random, settings: Settings, media: MediaModel) {
    this.#random = random;
    this.#settings = settings;
    this.#media = media;
  }

  next(mode: ModeValues, stopped: boolean): Command {
    const random = this.#random;
    const { capacity, loaded, moving } = this.#media;
    // A stopped unit that nobody starts is dull.
    const idle = (stopped || !loaded) && random.chance(0.3);
    const kinds = this.#settings.removable ? REMOVABLE_KINDS : KINDS;
    // MODE SELECT is what may still want a medium that is on its way out.
    const late = moving && random.chance(0.2);
    const wanted = late ? 'mode-select' : idle ? 'start-stop' : random.weighted(kinds);
    const kind = this.#allowed(wanted);
    const naca = random.chance(this.#settings.naca);
    const stray = random.chance(0.02);
    return { ...PLAIN_COMMAND, kind, naca, stray, ...this.#details(kind, capacity, mode, stopped) };
  }

  #allowed(kind: Kind): Kind {
    const changes = kind === 'mode-select' || kind === 'start-stop';
    return changes && !this.#settings.changes ? 'read' : kind;
  }

  #range(capacity: number, most: number): Range {
    const random = this.#random;
    if (random.chance(0.03))
      return { lba: capacity - random.below(3), blocks: 1 + random.below(4) };
    const blocks = random.chance(0.04) ? 0 : 1 + random.below(most);
    // Few places, so that commands meet.
    const hot = Math.min(12, capacity - blocks);
    const lba = random.chance(0.7) ? random.below(hot) : random.below(capacity - blocks + 1);
    return { lba, blocks };
  }

  #newValues(count: number): number[] {
    return Array.from({ length: count }, () => {
      this.#value += 1;
      return this.#value;
    });
  }

  #details(kind: Kind, capacity: number, mode: ModeValues, stopped: boolean): Partial<Command> {
    const random = this.#random;
    switch (kind) {
      case 'read':
        return this.#read(this.#range(capacity, 6));
      case 'write':
        return this.#write(this.#range(capacity, 6));
      case 'or-write': {
        const range = this.#range(capacity, 3);
        const values = range.blocks === 0 ? [] : this.#newValues(range.blocks);
        return { length: 16, range, values, fua: random.chance(0.1) };
      }
      case 'write-same':
        return this.#writeSame(this.#range(capacity, 5));
      case 'compare-and-write':
        return this.#compareAndWrite(this.#range(capacity, 3));
      case 'unmap': {
        const unmapped = Array.from({ length: random.below(4) }, () => this.#range(capacity, 4));
        return { length: 10, unmapped, stray: false, outCut: random.chance(0.03) ? 4 : 0 };
      }
      case 'mode-select':
        return { ...this.#modeSelect(mode), stray: false };
      case 'start-stop':
        return { ...this.#startStop(stopped), stray: false };
      case 'prevent':
        return { flag: random.chance(0.4), stray: false };
      default:
        return this.#plain(kind);
    }
  }

  #startStop(stopped: boolean): Partial<Command> {
    const random = this.#random;
    if (!this.#settings.removable) return { flag: stopped || random.chance(0.5) };
    return { flag: random.chance(this.#media.loaded ? 0.3 : 0.8), loej: random.chance(0.8) };
  }

  #plain(kind: Kind): Partial<Command> {
    const inBytes = { inquiry: 96, 'request-sense': 252, 'read-capacity': 8, 'report-luns': 256 };
    return {
      stray: false,
      flag: kind === 'request-sense' && this.#random.chance(0.5),
      inBytes: (inBytes as Partial<Record<Kind, number>>)[kind] ?? 0,
    };
  }

  #read(range: Range): Partial<Command> {
    const random = this.#random;
    const length = random.pick([10, 10, 12, 16]);
    const bytes = range.blocks * BLOCK_BYTES;
    const inBytes = random.chance(0.95) ? bytes : random.pick([0, 700, bytes + 512]);
    return { length, range, inBytes, fua: random.chance(0.1) };
  }

  #write(range: Range): Partial<Command> {
    const random = this.#random;
    const length = random.pick([6, 10, 10, 12, 16]);
    // WRITE(6) of no blocks means 256, and it has no FUA bit.
    const short = length === 6 && range.blocks > 0;
    return {
      length: short ? 6 : length === 6 ? 10 : length,
      range,
      values: this.#newValues(range.blocks),
      fua: !short && random.chance(0.15),
      outCut: random.chance(0.04) ? random.pick([100, 512, 5000]) : 0,
      ...(short ? { stray: false } : {}),
    };
  }

  #writeSame(range: Range): Partial<Command> {
    const random = this.#random;
    const [value] = random.chance(0.3) ? [0] : this.#newValues(1);
    // No blocks would mean all blocks to the end.
    const blocks = Math.max(1, range.blocks);
    return {
      length: 16,
      range: { lba: range.lba, blocks },
      values: [value as number],
      flag: random.chance(0.3),
      stray: false,
      outCut: random.chance(0.02) ? 512 : 0,
    };
  }

  #compareAndWrite(range: Range): Partial<Command> {
    const random = this.#random;
    const { blocks } = this.#media;
    const honest = random.chance(0.8);
    const compared = Array.from({ length: range.blocks }, (_, i) => {
      const lba = range.lba + i;
      const possible = blocks.known(lba) ? [...blocks.possible(lba)] : [];
      return honest && possible.length > 0 ? random.pick(possible) : random.below(4);
    });
    return {
      length: 16,
      range,
      compared,
      values: this.#newValues(range.blocks),
      fua: random.chance(0.1),
      outCut: random.chance(0.03) ? 512 : 0,
    };
  }

  #modeSelect(mode: ModeValues): Partial<Command> {
    const random = this.#random;
    const change = random.pick<Partial<ModeValues>>([
      {},
      { tas: !mode.tas },
      { swp: !mode.swp },
      { swp: false },
      { dSense: !mode.dSense },
      { wce: !mode.wce },
      ...(this.#media.moving ? [{ wce: false }, { wce: false }] : []),
    ]);
    return { mode: { ...mode, ...change }, outCut: random.chance(0.05) ? 3 : 0 };
  }
}
