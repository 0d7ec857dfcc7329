/** A scripted SCSI device behind passthrough, and a bench with it: a target, nexuses, and what was sent to the device. */
import { strict as assert } from 'node:assert';
import { type AllowedOpcode, allowedRow } from '../../src/luns/passthrough/allow.ts';
import {
  type DeviceLink,
  type DeviceReply,
  type DeviceRequest,
  FROM_DEVICE,
  TO_DEVICE,
} from '../../src/luns/passthrough/device.ts';
import { PassthroughUnit } from '../../src/luns/passthrough/unit.ts';
import { type Bytes, bytesOf, hex, type Outcome, type RunOptions } from './direct-port.ts';
import { Testbed, type TestNexus } from './target.ts';

/** What the device says to a command; nothing: GOOD without data. */
export interface Script {
  readonly status?: number;
  readonly sense?: Bytes;
  /** Data-in; the rest of what was asked for is the residual. */
  readonly data?: Bytes;
  readonly residual?: number;
  readonly errno?: number;
  readonly hostStatus?: number;
  readonly driverStatus?: number;
}

/** Fixed format sense data of 18 bytes. */
export function senseOf(key: number, asc: number, ascq: number): Uint8Array {
  const sense = new Uint8Array(18);
  sense.set([0x70, 0, key]);
  sense.set([0x0a], 7);
  sense.set([asc, ascq], 12);
  return sense;
}

/** CHECK CONDITION. */
export const check = (key: number, asc: number, ascq: number): Script => ({
  status: 2,
  sense: senseOf(key, asc, ascq),
});

interface Waiting {
  readonly request: DeviceRequest;
  readonly ended: (reply: DeviceReply) => void;
}

export class ScriptedDevice implements DeviceLink {
  readonly data: Uint8Array;
  /** CDBs as they were sent, in hexadecimal. */
  readonly sent: string[] = [];
  readonly timeouts: number[] = [];
  /** Data-out of the last command that had some. */
  out = new Uint8Array(0);
  /** Answers by the beginning of the CDB in hexadecimal; the longest wins. */
  readonly answers = new Map<string, Script | ((cdb: string) => Script)>();
  /** Commands wait for `release`. */
  hold = false;
  closed = false;
  #waiting: Waiting | null = null;

  constructor(limitBytes = 65536) {
    this.data = new Uint8Array(limitBytes);
  }

  start(request: DeviceRequest, ended: (reply: DeviceReply) => void): void {
    assert.equal(this.#waiting, null, 'one command at a time');
    this.sent.push(hex(request.cdb));
    this.timeouts.push(request.timeoutMs);
    if (request.direction === TO_DEVICE) this.out = this.data.slice(0, request.length);
    this.#waiting = { request, ended };
  }

  /** The command under way ends, and those after it as long as nothing holds them. */
  release(): void {
    do {
      const waiting = this.#waiting;
      if (waiting === null) return;
      this.#waiting = null;
      this.#end(waiting);
    } while (!this.hold);
  }

  get busy(): boolean {
    return this.#waiting !== null;
  }

  #end({ request, ended }: Waiting): void {
    const cdb = hex(request.cdb);
    const key = [...this.answers.keys()]
      .filter((prefix) => cdb.startsWith(prefix))
      .sort((a, b) => b.length - a.length)[0];
    const found = key === undefined ? {} : (this.answers.get(key) ?? {});
    const script = typeof found === 'function' ? found(cdb) : found;
    const data = bytesOf(script.data ?? '');
    if (request.direction === FROM_DEVICE) this.data.set(data.subarray(0, request.length));
    const came = request.direction === FROM_DEVICE ? data.length : request.length;
    ended({
      errno: script.errno ?? 0,
      status: script.status ?? 0,
      hostStatus: script.hostStatus ?? 0,
      driverStatus: script.driverStatus ?? 0,
      sense: bytesOf(script.sense ?? ''),
      residual: script.residual ?? Math.max(0, request.length - came),
    });
  }

  close(): void {
    this.closed = true;
  }
}

/** INQUIRY data of a device of this type. */
export function inquiryData(peripheralType: number, removable = true): Uint8Array {
  const data = new Uint8Array(36).fill(0x20, 8);
  data.set([peripheralType, removable ? 0x80 : 0, 5, 2, 31]);
  data.set(Buffer.from('ACME    BURNER          1.00'), 8);
  return data;
}

export interface PassthroughOptions {
  readonly type?: number;
  readonly removable?: boolean;
  readonly limitBytes?: number;
  readonly allow?: readonly AllowedOpcode[];
  /** Answers from the beginning on. */
  readonly answers?: Readonly<Record<string, Script>>;
}

export class PassthroughBed extends Testbed {
  readonly device: ScriptedDevice;
  readonly passthrough: PassthroughUnit;
  now = 0;
  gone = 0;

  constructor(options: PassthroughOptions = {}) {
    super();
    const { type = 5, removable = true } = options;
    this.device = new ScriptedDevice(options.limitBytes);
    for (const [cdb, script] of Object.entries(options.answers ?? {})) {
      this.device.answers.set(cdb, script);
    }
    this.passthrough = new PassthroughUnit(this.target, {
      lun: 0,
      identity: {
        vendor: 'ACME',
        product: 'BURNER',
        revision: '1.00',
        serial: 'S1',
        naa: new Uint8Array(8),
      },
      inquiry: {
        standard: inquiryData(type, removable),
        vital: new Map([[0x80, bytesOf('05 80 00 02 53 31')]]),
      },
      link: this.device,
      timers: this.timers,
      allowed: (options.allow ?? []).map(allowedRow),
      pollMs: 2000,
      now: () => this.now,
      onGone: () => {
        this.gone += 1;
      },
    });
    this.target.addUnit(this.passthrough.unit);
    this.passthrough.start();
    this.device.release();
    this.device.sent.length = 0;
  }

  /** A nexus whose power-on unit attention is over. */
  client(name: string): Client {
    const client = new Client(this, this.nexus(name));
    client.send('00 00 00 00 00 00');
    this.device.sent.length = 0;
    return client;
  }

  /** The poller's time has come. */
  poll(): void {
    this.timers.run();
    this.device.release();
  }
}

export class Client {
  readonly bed: PassthroughBed;
  readonly nexus: TestNexus;

  constructor(bed: PassthroughBed, nexus: TestNexus) {
    this.bed = bed;
    this.nexus = nexus;
  }

  /** Sends a command and lets the device work until it has ended. */
  send(cdb: Bytes, options: RunOptions = {}): Outcome {
    const pending = this.nexus.start(cdb, options);
    this.bed.device.release();
    assert(pending.outcome, 'the command has ended');
    return pending.outcome;
  }
}
