/** A target whose every byte is scripted, for specs of the initiator port: it takes what the port sends and answers what it is told. */
import { strict as assert } from 'node:assert';
import { Loopback } from '../../src/transport/loopback.ts';
import type { CrqElement } from '../../src/transport/srp/channel.ts';
import { SrpCommand } from '../../src/transport/srp/initiator-command.ts';
import {
  type InitiatorPortOptions,
  SrpInitiatorPort,
} from '../../src/transport/srp/initiator-port.ts';
import { jsonVector } from './vectors.ts';

interface Vector {
  readonly id: string;
  readonly hex: string;
}

const vectors = new Map(jsonVector<Vector[]>('srp.json').map(({ id, hex }) => [id, hex]));

/** A vector with other bytes at some offsets: tags, addresses and LUNs are arbitrary in the vectors. */
export function vector(id: string, changes: Readonly<Record<number, string>> = {}): string {
  const bytes = Buffer.from(vectors.get(id) ?? '', 'hex');
  for (const [at, hex] of Object.entries(changes)) Buffer.from(hex, 'hex').copy(bytes, Number(at));
  return bytes.toString('hex');
}

export const IU_OFFSET = 0x1000;
export const DATA = 0x100000;
export const NO_LUN_BITS = '0000000000000000';

/** The other end: takes elements, reads what they point to, answers what the test says. */
export class ScriptedTarget {
  readonly loopback = new Loopback({ regions: [{ handle: 0, bytes: 0x200000 }] });
  readonly port: SrpInitiatorPort;
  readonly happened: string[] = [];
  readonly element: CrqElement = {
    valid: 0,
    format: 0,
    reserved: 0,
    status: 0,
    timeout: 0,
    length: 0,
    high: 0,
    low: 0,
  };

  constructor(options: Partial<InitiatorPortOptions> = {}) {
    const said = this.happened;
    this.port = new SrpInitiatorPort(this.loopback.initiator, {
      iuOffset: IU_OFFSET,
      commands: 8,
      initiatorPort: Buffer.from('00000000000000010002c90300a1b2c3', 'hex'),
      targetPort: Buffer.from('0002c90300a1b2c00002c90300a1b2c0', 'hex'),
      name: 'client-7',
      events: {
        onOpen: () => said.push('open'),
        onRefused: (_port, reason, text) => said.push(`refused ${reason.toString(16)} ${text}`),
        onLost: (_port, text) => said.push(`lost: ${text}`),
        onAsynchronousEvent: (_port, lun, sense) =>
          said.push(
            `event ${Buffer.from(lun).toString('hex')} ${Buffer.from(sense).toString('hex')}`,
          ),
      },
      ...options,
    });
  }

  get view(): Uint8Array {
    return this.loopback.memory.regions[0]?.view as Uint8Array;
  }

  /** Takes the next element the port sent; the bytes it points to as hex. */
  take(): string {
    assert.equal(this.loopback.target.take(this.element), true, 'the port sent something');
    const { low, length } = this.element;
    return Buffer.from(this.view.subarray(low, low + length)).toString('hex');
  }

  /** Nothing was sent. */
  quiet(): boolean {
    return !this.loopback.target.take(this.element);
  }

  /** Answers the element taken last: `hex` replaces its IU, with the tag of the request unless another is given. */
  answer(hex: string, tag?: { readonly high: number; readonly low: number }): void {
    const { low: at } = this.element;
    const data = this.loopback.memory.regions[0]?.data as DataView;
    const high = data.getUint32(at + 8);
    const low = data.getUint32(at + 12);
    const bytes = Buffer.from(hex, 'hex');
    bytes.writeUInt32BE(high, 8);
    bytes.writeUInt32BE(low, 12);
    this.view.set(bytes, at);
    this.send(1, bytes.length, tag?.high ?? high, tag?.low ?? low);
  }

  /** Completes the MAD taken last with a status. */
  answerMad(status: number, payload?: Buffer): void {
    const { low: at } = this.element;
    const data = this.loopback.memory.regions[0]?.data as DataView;
    data.setUint16(at + 4, status);
    if (payload !== undefined) this.view.set(payload, data.getUint32(at + 20));
    this.send(2, 24, data.getUint32(at + 8), data.getUint32(at + 12));
  }

  send(format: number, length: number, high: number, low: number): void {
    this.loopback.target.send(0x80, format, 0, 0, length, high, low);
    this.port.poll(8);
  }

  /** Up to the login with `credits` requests; returns the parked buffers as [tag high, tag low, address]. */
  logIn(credits: number, flags = 0): [number, number, number][] {
    this.port.start();
    this.take();
    this.loopback.target.send(0xc0, 2, 0, 0, 0, 0, 0);
    this.port.poll(8);
    this.take();
    this.answerMad(0, Buffer.from(vector('M03'), 'hex'));
    this.take();
    this.answerMad(0);
    const parked = [0, 1].map((): [number, number, number] => {
      const mad = Buffer.from(this.take(), 'hex');
      return [mad.readUInt32BE(8), mad.readUInt32BE(12), mad.readUInt32BE(20)];
    });
    this.take();
    const response = Buffer.from(vector('V06'), 'hex');
    response.writeUInt32BE(credits, 4);
    response.writeUInt32BE(0x200, 16);
    response[26] = flags;
    this.answer(response.toString('hex'));
    assert.deepEqual(this.happened.splice(0), ['open']);
    return parked;
  }

  /** Puts a target request into a parked buffer. */
  request(hex: string, [high, low, at]: readonly [number, number, number]): void {
    const bytes = Buffer.from(hex, 'hex');
    bytes.writeUInt32BE(high, 8);
    bytes.writeUInt32BE(low, 12);
    this.view.set(bytes, at);
    this.send(1, bytes.length, high, low);
  }
}

export function command(cdb: string, piece?: 'in' | 'out', bytes = 0): SrpCommand {
  const made = new SrpCommand(4);
  const cdbBytes = Buffer.from(cdb.replaceAll(' ', ''), 'hex');
  made.cdb.set(cdbBytes);
  made.cdbBytes = cdbBytes.length;
  if (piece === 'in') made.dataIn.add(0, DATA, bytes);
  if (piece === 'out') made.dataOut.add(0, DATA, bytes);
  return made;
}

export const tagOf = (hex: string): string => hex.slice(16, 32);
export const address = (offset: number): string => offset.toString(16).padStart(16, '0');
