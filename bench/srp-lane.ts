/** I/O through the SRP ring and the whole SCSI stack: the initiator port's callback core in a loop, without promises. */
import { drainEventFd, Poller } from '../src/libc.ts';
import { connectRing, type RingConnection } from '../src/transport/ring/connector.ts';
import type { QueuePair } from '../src/transport/ring/queue-pair.ts';
import {
  CRQ_COMMAND,
  type CrqElement,
  FORMAT_MESSAGE,
  STATUS_PING,
  STATUS_PING_RESPONSE,
} from '../src/transport/srp/channel.ts';
import { ANSWERED, SrpCommand } from '../src/transport/srp/initiator-command.ts';
import { initiatorPortBytes, SrpInitiatorPort } from '../src/transport/srp/initiator-port.ts';
import {
  type Lane,
  LaneError,
  MAX_BYTES,
  MAX_DEPTH,
  NOTHING,
  type Operation,
  PING,
  READ,
} from './lane.ts';

const BLOCK_BYTES = 512;
const PAGE_BYTES = 4096;
const REGION_HANDLE = 0;
const ROUND_TRIP_MS = 1000;
const LOGIN_MS = 5000;
/** Unit attentions a new nexus may have to hear before its first GOOD. */
const MAX_ATTENTIONS = 8;
const TEST_UNIT_READY = 0x00;
const READ_10 = 0x28;
const WRITE_10 = 0x2a;
const GOOD = 0;

class NumberedCommand extends SrpCommand {
  readonly number: number;
  readonly bufferOffset: number;

  constructor(number: number, bufferOffset: number) {
    super(1);
    this.number = number;
    this.bufferOffset = bufferOffset;
  }
}

export class SrpLane implements Lane {
  readonly ended = new Int32Array(MAX_DEPTH);
  readonly doorbellFd: number;
  readonly #connection: RingConnection;
  readonly #pair: QueuePair;
  readonly #port: SrpInitiatorPort;
  readonly #commands: readonly NumberedCommand[];
  readonly #element: CrqElement = {
    valid: 0,
    format: 0,
    reserved: 0,
    status: 0,
    timeout: 0,
    length: 0,
    high: 0,
    low: 0,
  };
  #pinging = false;
  #count = 0;
  #failure: NumberedCommand | null = null;
  #lost = '';

  constructor(connection: RingConnection) {
    const [pair] = connection.queuePairs;
    const [doorbellFd] = connection.callFds;
    if (pair === undefined || doorbellFd === undefined) throw new LaneError('No queue pair');
    this.#connection = connection;
    this.#pair = pair;
    this.doorbellFd = doorbellFd;
    const portBytes = Math.ceil(initiatorPortBytes(MAX_DEPTH) / PAGE_BYTES) * PAGE_BYTES;
    const buffers = connection.arenaOffset + portBytes;
    this.#port = new SrpInitiatorPort(pair, {
      iuOffset: connection.arenaOffset,
      commands: MAX_DEPTH,
      initiatorPort: new Uint8Array(16).fill(0xbe),
      targetPort: new Uint8Array(16),
      name: 'bench',
      events: {
        onOpen: () => undefined,
        onRefused: (_port, reason, text) => {
          this.#lost = `login refused: ${reason.toString(16)} ${text}`;
        },
        onLost: (_port, text) => {
          this.#lost = text;
        },
        onAsynchronousEvent: () => undefined,
      },
    });
    const completed = (command: SrpCommand): void => this.#completed(command as NumberedCommand);
    this.#commands = Array.from({ length: MAX_DEPTH }, (_, number) => {
      const command = new NumberedCommand(number, buffers + number * MAX_BYTES);
      command.done = completed;
      return command;
    });
  }

  /** Attaches to the daemon at `socketPath`, logs in and hears every unit attention. */
  static async open(socketPath: string): Promise<SrpLane> {
    const lane = new SrpLane(await connectRing({ path: socketPath, name: 'bench' }));
    lane.#login();
    return lane;
  }

  #login(): void {
    this.#port.start();
    this.#port.flush();
    const deadline = performance.now() + LOGIN_MS;
    while (!this.#port.open) {
      if (performance.now() > deadline || this.#lost !== '') throw this.#error('Cannot log in');
      this.#waitForDoorbell();
      this.#port.poll(MAX_DEPTH);
      this.#port.flush();
    }
    const [command] = this.#commands;
    for (let i = 0; i < MAX_ATTENTIONS; i += 1) {
      this.start(0, NOTHING, 0, 0);
      this.flush();
      while (this.#port.poll(MAX_DEPTH) === 0) this.#waitForDoorbell();
      this.#count = 0;
      if (this.#failure === null) return;
      this.#failure = null;
    }
    throw this.#error(`TEST UNIT READY ends with status ${command?.status}`);
  }

  #waitForDoorbell(): void {
    if (this.arm()) {
      const poller = new Poller();
      poller.add(this.doorbellFd);
      poller.wait(ROUND_TRIP_MS);
      poller.close();
    }
    this.disarm();
  }

  #error(what: string): LaneError {
    return new LaneError(`SRP: ${what}${this.#lost === '' ? '' : `: ${this.#lost}`}`);
  }

  #completed(command: NumberedCommand): void {
    if (command.outcome !== ANSWERED || command.status !== GOOD || command.residualIn !== 0) {
      this.#failure = command;
    }
    this.ended[this.#count] = command.number;
    this.#count += 1;
  }

  /** NOTHING is a TEST UNIT READY through the whole stack; PING goes no further than the port at the other end. */
  start(slot: number, operation: Operation, position: number, bytes: number): void {
    this.#pinging = operation === PING;
    if (operation === PING) {
      this.#pair.send(CRQ_COMMAND, FORMAT_MESSAGE, STATUS_PING, 0, 0, 0, 0);
      return;
    }
    const command = this.#commands[slot] as NumberedCommand;
    const { cdb, dataIn, dataOut } = command;
    dataIn.clear();
    dataOut.clear();
    if (operation === NOTHING) {
      command.cdbBytes = 6;
      cdb.fill(TEST_UNIT_READY, 0, 10);
    } else {
      const block = position / BLOCK_BYTES;
      const blocks = bytes / BLOCK_BYTES;
      command.cdbBytes = 10;
      cdb[0] = operation === READ ? READ_10 : WRITE_10;
      cdb[2] = block >>> 24;
      cdb[3] = block >>> 16;
      cdb[4] = block >>> 8;
      cdb[5] = block;
      cdb[7] = blocks >>> 8;
      cdb[8] = blocks;
      (operation === READ ? dataIn : dataOut).add(REGION_HANDLE, command.bufferOffset, bytes);
    }
    if (!this.#port.submit(command)) throw this.#error('no credit or no room in the queue');
  }

  flush(): void {
    this.#pair.flush();
  }

  poll(): number {
    this.#count = 0;
    if (this.#pinging) return this.#pollPing();
    this.#port.poll(MAX_DEPTH);
    if (this.#failure !== null) {
      const { outcome, status, residualIn } = this.#failure;
      throw this.#error(`outcome ${outcome}, status ${status}, residual ${residualIn}`);
    }
    if (this.#lost !== '') throw this.#error('lost');
    return this.#count;
  }

  #pollPing(): number {
    if (!this.#pair.take(this.#element)) return 0;
    const { format, status } = this.#element;
    if (format !== FORMAT_MESSAGE || status !== STATUS_PING_RESPONSE) {
      throw this.#error('an answer that is no PING response');
    }
    this.ended[0] = 0;
    return 1;
  }

  arm(): boolean {
    return this.#pair.arm();
  }

  disarm(): void {
    this.#pair.disarm();
    drainEventFd(this.doorbellFd);
  }

  close(): void {
    this.#port.logout();
    this.#connection.close();
  }
}
