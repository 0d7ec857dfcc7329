/** An optical drive as a guest of the demo uses it: looks, reads, burns and ejects, by MMC-6 commands of its own. */
import type { ExecuteRequest } from '../initiator/initiator.ts';
import type { CommandResult } from '../initiator/request.ts';
import { GOOD, statusName } from '../scsi/sam.ts';
import { senseText } from '../scsi/sense-text.ts';
import { ISO_BLOCK_BYTES } from './demo-iso.ts';
import { type DiscContents, readDisc } from './demo-iso-reader.ts';

interface Sender {
  execute(request: ExecuteRequest): Promise<CommandResult>;
}

/** How a guest finds a drive. */
export interface DriveLook {
  /** Unit attentions that waited, in words. */
  readonly attentions: readonly string[];
  /** What TEST UNIT READY ends with behind them: `GOOD`, or sense in words. */
  readonly state: string;
  /** Media events that waited. */
  readonly events: readonly string[];
  /** Media status: a disc is in the drive, the tray is open. */
  readonly present: boolean;
  readonly trayOpen: boolean;
}

export interface DiscCopy {
  /** Current profile of the drive. */
  readonly profile: number;
  /** Disc status before and after. */
  readonly before: string;
  readonly after: string;
  readonly blocks: number;
  readonly burnMs: number;
}

const UNIT_ATTENTION = 6;
const PIECE_BLOCKS = 32;
const MOST_NEWS = 16;
const EVENT_REPLY_BYTES = 8;
const MEDIA_CLASS = 4;
const CONFIGURATION_BYTES = 8;
const DISC_INFORMATION_BYTES = 34;

/** Event codes of the media class of GET EVENT STATUS NOTIFICATION. */
const MEDIA_EVENTS: readonly string[] = ['NoChg', 'EjectRequest', 'NewMedia', 'MediaRemoval'];
const DISC_STATUS: readonly string[] = ['blank', 'appendable', 'complete', 'random'];

const TEST_UNIT_READY = [0, 0, 0, 0, 0, 0];
/** POLLED, media class. */
const GET_EVENT = [0x4a, 1, 0, 0, 1 << MEDIA_CLASS, 0, 0, 0, EVENT_REPLY_BYTES, 0];
const GET_CONFIGURATION = [0x46, 2, 0, 0, 0, 0, 0, 0, CONFIGURATION_BYTES, 0];
const READ_DISC_INFORMATION = [0x51, 0, 0, 0, 0, 0, 0, 0, DISC_INFORMATION_BYTES, 0];
const SYNCHRONIZE_CACHE = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const CLOSE_SESSION = [0x5b, 0, 2, 0, 0, 0, 0, 0, 0, 0];
/** LOEJ, no START. */
const EJECT = [0x1b, 0, 0, 0, 2, 0];
const READ_10 = 0x28;
const WRITE_10 = 0x2a;

const MODE_HEADER_BYTES = 8;
const WRITE_PARAMETERS_BYTES = 52;
const MODE_LIST_BYTES = MODE_HEADER_BYTES + WRITE_PARAMETERS_BYTES;
const MODE_SELECT_10 = [0x55, 0x10, 0, 0, 0, 0, 0, 0, MODE_LIST_BYTES, 0];

/** Mode page 05h: TRACK AT ONCE with BUFE, no further session, a data track of mode 1, 150 blocks of pause. */
function trackAtOnce(): Uint8Array {
  const list = new Uint8Array(MODE_LIST_BYTES);
  list.set([0x05, WRITE_PARAMETERS_BYTES - 2, 0x41, 0x04, 0x08], MODE_HEADER_BYTES);
  list[MODE_HEADER_BYTES + 15] = 150;
  return list;
}

/** READ(10) or WRITE(10). */
function transfer(opcode: number, lba: number, blocks: number): number[] {
  const cdb = new Uint8Array(10);
  const view = new DataView(cdb.buffer);
  cdb[0] = opcode;
  view.setUint32(2, lba);
  view.setUint16(7, blocks);
  return [...cdb];
}

function outcome({ status, sense }: CommandResult): string {
  if (status === GOOD) return 'GOOD';
  return sense === null ? statusName(status) : senseText(sense.key, sense.asc, sense.ascq);
}

export class GuestDrive {
  readonly #sender: Sender;
  readonly #lun: number;

  constructor(sender: Sender, lun: number) {
    this.#sender = sender;
    this.#lun = lun;
  }

  /** Asks for everything that waits to be told. */
  async look(): Promise<DriveLook> {
    const attentions: string[] = [];
    const state = await this.#becomesReady(attentions);
    const events: string[] = [];
    const media = await this.#mediaStatus(events);
    return {
      attentions,
      state,
      events,
      present: (media & 2) !== 0,
      trayOpen: (media & 1) !== 0,
    };
  }

  /** Every file of the disc, read. */
  contents(): Promise<DiscContents> {
    return readDisc((lba, blocks) => this.#read(lba, blocks));
  }

  /** Burns the volume in another drive onto the blank disc in this one. */
  async copyOf(from: GuestDrive): Promise<DiscCopy> {
    // A LUN that came tells every other one of it.
    await from.#becomesReady([]);
    const { blocks } = await from.contents();
    const configuration = await this.#good(GET_CONFIGURATION, { dataInBytes: CONFIGURATION_BYTES });
    const profile = new DataView(configuration.buffer, configuration.byteOffset).getUint16(6);
    const before = await this.#discStatus();
    const startedMs = performance.now();
    await this.#good(MODE_SELECT_10, { dataOut: trackAtOnce() });
    await this.#copyPieces(from, 0, blocks);
    await this.#good(SYNCHRONIZE_CACHE);
    await this.#good(CLOSE_SESSION);
    const burnMs = performance.now() - startedMs;
    return { profile, before, after: await this.#discStatus(), blocks, burnMs };
  }

  async eject(): Promise<void> {
    await this.#good(EJECT);
  }

  #execute(
    cdb: readonly number[],
    data: Pick<ExecuteRequest, 'dataInBytes' | 'dataOut'> = {},
  ): Promise<CommandResult> {
    return this.#sender.execute({ lun: this.#lun, cdb: Uint8Array.from(cdb), ...data });
  }

  /** Data-in of a command that has to end well. */
  async #good(
    cdb: readonly number[],
    data: Pick<ExecuteRequest, 'dataInBytes' | 'dataOut'> = {},
  ): Promise<Uint8Array> {
    const result = await this.#execute(cdb, data);
    const opcode = (cdb[0] ?? 0).toString(16).padStart(2, '0');
    if (result.status !== GOOD) {
      throw new Error(`command ${opcode}h of LUN ${this.#lun}: ${outcome(result)}`);
    }
    if (result.dataIn.length !== (data.dataInBytes ?? 0)) {
      throw new Error(`command ${opcode}h of LUN ${this.#lun}: ${result.dataIn.length} bytes`);
    }
    return result.dataIn;
  }

  async #becomesReady(attentions: string[]): Promise<string> {
    const result = await this.#execute(TEST_UNIT_READY);
    if (result.sense?.key !== UNIT_ATTENTION) return outcome(result);
    if (attentions.length === MOST_NEWS) throw new Error('unit attentions without end');
    attentions.push(outcome(result));
    return this.#becomesReady(attentions);
  }

  /** Takes the media events that wait; returns the media status. */
  async #mediaStatus(events: string[]): Promise<number> {
    const reply = await this.#good(GET_EVENT, { dataInBytes: EVENT_REPLY_BYTES });
    const [, , header = 0, , event = 0, status = 0] = reply;
    if ((header & 7) !== MEDIA_CLASS) throw new Error('the drive has no media events');
    if ((event & 0xf) === 0) return status;
    if (events.length === MOST_NEWS) throw new Error('media events without end');
    events.push(MEDIA_EVENTS[event & 0xf] ?? `event ${event & 0xf}`);
    return this.#mediaStatus(events);
  }

  async #discStatus(): Promise<string> {
    const reply = await this.#good(READ_DISC_INFORMATION, { dataInBytes: DISC_INFORMATION_BYTES });
    return DISC_STATUS[(reply[2] ?? 0) & 3] ?? '';
  }

  async #read(lba: number, blocks: number): Promise<Uint8Array> {
    const data = new Uint8Array(blocks * ISO_BLOCK_BYTES);
    await this.#readPieces(lba, data);
    return data;
  }

  async #readPieces(lba: number, into: Uint8Array): Promise<void> {
    const blocks = Math.min(PIECE_BLOCKS, into.length / ISO_BLOCK_BYTES);
    if (blocks === 0) return;
    const bytes = blocks * ISO_BLOCK_BYTES;
    into.set(await this.#good(transfer(READ_10, lba, blocks), { dataInBytes: bytes }));
    await this.#readPieces(lba + blocks, into.subarray(bytes));
  }

  async #copyPieces(from: GuestDrive, lba: number, end: number): Promise<void> {
    const blocks = Math.min(PIECE_BLOCKS, end - lba);
    if (blocks === 0) return;
    const dataOut = await from.#read(lba, blocks);
    await this.#good(transfer(WRITE_10, lba, blocks), { dataOut });
    await this.#copyPieces(from, lba + blocks, end);
  }
}
