/** The traces that specs play over every transport (`media-change.spec.ts`), by two guests on a removable disk, with SG_IO. */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { TRACE_CDBS, TRACES, type Trace } from '../../support/media-traces.ts';
import type { Guest } from '../support/guest.ts';
import {
  DISKS,
  ends,
  GOOD,
  type Pair,
  RESERVATION_CONFLICT,
  run,
  type SharedRow,
  until,
} from './shared-pair.ts';

type Style = keyof typeof DISKS;

const DISK_BYTES = 2 ** 20;
const DATA: Readonly<Record<string, string>> = {
  read: '-r 512',
  capacity: '-r 8',
  write: '-s 512 -i /tmp/block',
};
/** More than a guest sends while it boots. */
const BOOT_COMMANDS = 10_000;

/** Fixed format: response code, key in byte 2, codes in bytes 12 and 13, as sg3_utils prints it with -vv. */
const SENSE = /Raw sense data[^\n]*\n\s*7[01] \w\w \w(\w)(?:\s+\w\w){9}\s+(\w\w) (\w\w)/;
const RECEIVED = /Received \d+ bytes of data:\s+00\s+((?:\w\w\s+)+)/;

/** What came of a command, as the steps have it. */
async function command(guest: Guest, lun: number, what: string): Promise<string> {
  const line = `sg_raw -vv ${DATA[what] ?? ''} $(sg ${lun}) ${TRACE_CDBS[what]} 2>&1`;
  const { code, output } = await run(guest, line);
  if (code === RESERVATION_CONFLICT) return '!24';
  if (code !== GOOD) {
    const [, key, asc, ascq] = SENSE.exec(output) ?? [];
    assert(key && asc && ascq, `${line}: ends with ${code}\n${output}`);
    return `${key}/${asc}/${ascq}`;
  }
  const data = RECEIVED.exec(output)?.[1];
  return data === undefined ? '' : `=${data.replaceAll(/\s/g, '')}`;
}

class Play {
  readonly #pair: Pair;
  readonly #lun: number;
  readonly #image: string;
  /** What is swapped in. */
  readonly #other: string;
  #third: Guest | null = null;

  constructor(pair: Pair, style: Style) {
    this.#pair = pair;
    this.#lun = DISKS[style];
    this.#image = pair.drive.file(style);
    this.#other = pair.drive.file(`${style}-other`);
  }

  /** The disk's own image is in, full of 11h where it is read; nobody prevents or reserves anything, and both have been told all. */
  async begin(): Promise<void> {
    const { both, drive } = this.#pair;
    await drive.daemon.call('inject.clear', { lun: this.#lun });
    for (const guest of both) {
      await run(
        guest,
        `for cdb in '${TRACE_CDBS['allow']}' '${TRACE_CDBS['release']}'; do sg_raw $(sg ${this.#lun}) $cdb; done`,
      );
    }
    /** The block that `write` writes: full of this octal. */
    const fill = (octal: string): string =>
      `head -c 512 /dev/zero | tr '\\000' '\\${octal}' > /tmp/block`;
    await this.#pair.load(this.#lun, this.#image, true);
    for (const guest of both) {
      await guest.shUntil(`sg_turs $(sg ${this.#lun}) > /dev/null 2>&1`);
      await ends(guest, fill('021'), GOOD);
    }
    assert.equal(await command(this.#pair.first, this.#lun, 'write'), '');
    for (const guest of both) await ends(guest, fill('167'), GOOD);
    writeFileSync(this.#other, Buffer.alloc(DISK_BYTES, 0x22));
  }

  async step(step: string): Promise<void> {
    const [who = '', what = '', outcome = ''] = step.split(' ');
    if (who === 'operator') {
      await this.#operate(what);
      return;
    }
    const guest = await this.#guest(who);
    if (what === 'dies') {
      await this.#die(guest);
    } else if (outcome === '6/29/00') {
      // The kernel has sent commands when it looked for disks, and was told; by the port of a guest that has died, of the loss.
      const told = this.#pair.drive.commands.tail(BOOT_COMMANDS).join('\n');
      assert.match(told, /\(6\/29\/0[07]\)/, step);
    } else {
      const found = await command(guest, this.#lun, what);
      const isPart = outcome.startsWith('=') && found.startsWith(outcome);
      assert.equal(isPart ? outcome : found, outcome, step);
    }
  }

  async #guest(who: string): Promise<Guest> {
    if (who === 'A') return this.#pair.first;
    if (who === 'B') return this.#pair.second;
    if (this.#third === null) {
      this.#pair.drive.commands.clear();
      this.#third = await this.#pair.boot();
    }
    return this.#third;
  }

  async #attached(): Promise<number> {
    return ((await this.#pair.drive.daemon.call('guest.list')) as readonly unknown[]).length;
  }

  /** Whoever dies holds nothing, as soon as the daemon has noticed. */
  async #die(guest: Guest): Promise<void> {
    const before = await this.#attached();
    await this.#pair.kill(guest);
    await until('the daemon loses a guest', async () => (await this.#attached()) < before);
  }

  async #operate(what: string): Promise<void> {
    const { daemon } = this.#pair.drive;
    const lun = this.#lun;
    if (what === 'take') await daemon.call('media.eject', { lun });
    else if (what === 'put') await this.#pair.load(lun, null);
    else if (what === 'swap') await this.#pair.load(lun, this.#other);
    else {
      const rules = [{ operation: 'read', fault: 'gone', count: 1 }];
      await daemon.call('inject.set', { lun, rules });
    }
  }

  async end(): Promise<void> {
    await this.#third?.kill();
  }
}

function row(trace: Trace, style: Style): SharedRow {
  const [name = ''] = /^(X|row )\d+/.exec(trace.name) ?? [];
  return {
    mode: `trace ${name}, ${style}`,
    quick: false,
    run: async (pair) => {
      const play = new Play(pair, style);
      try {
        await play.begin();
        for (const step of trace[style] ?? trace.t10) await play.step(step);
      } finally {
        await play.end();
      }
    },
  };
}

/** In the order of the seed only where it is another one. */
export const TRACE_ROWS: readonly SharedRow[] = TRACES.flatMap((trace) => [
  row(trace, 't10'),
  ...(trace.maxfield === undefined ? [] : [row(trace, 'maxfield')]),
]);
