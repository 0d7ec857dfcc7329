/**
 * TransportIDs (SPC-4 7.6.4): how PERSISTENT RESERVE names initiator ports. The core knows the one of SRP; a transport whose
 * ports have names of their own tells the target which identifier stands for which.
 */
import { portBytes, portText } from './reservations.ts';

/** PROTOCOL IDENTIFIER of SRP; SRP TransportID: 8 bytes of header, 16 of initiator port identifier (SPC-4 7.6.4.5). */
const SRP = 0x04;
const SRP_BYTES = 24;
const SRP_PORT_AT = 8;
const ISCSI = 0x05;
const PROTOCOL = 0x0f;
const FORMAT = 0xc0;
const LENGTH_AT = 2;
const ISCSI_HEADER_BYTES = 4;

/** Bytes that the TransportID at `at` takes, or 0 when it is none we know or leaves `bytes`. */
export function transportIdBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0xff;
  let length = 0;
  if ((first & PROTOCOL) === SRP && (first & FORMAT) === 0) length = SRP_BYTES;
  if ((first & PROTOCOL) === ISCSI && at + ISCSI_HEADER_BYTES <= bytes.length) {
    const high = bytes[at + LENGTH_AT] as number;
    length = ISCSI_HEADER_BYTES + high * 256 + (bytes[at + LENGTH_AT + 1] as number);
  }
  return at + length <= bytes.length ? length : 0;
}

/** More than a target has nexuses; every session may bring a new one. */
const MAX_NAMES = 2048;

export class TransportIds {
  readonly #byPort = new Map<string, Uint8Array>();
  /** The port behind a TransportID of another protocol than SRP: set by who knows that protocol. */
  portOf: (transportId: Uint8Array) => string | null = () => null;

  /** From now on `port` is named by `transportId`. The names given longest ago are forgotten. */
  name(port: string, transportId: Uint8Array): void {
    this.#byPort.delete(port);
    this.#byPort.set(port, transportId);
    if (this.#byPort.size <= MAX_NAMES) return;
    for (const oldest of this.#byPort.keys()) {
      this.#byPort.delete(oldest);
      return;
    }
  }

  /** The TransportID of an initiator port. */
  encode(port: string): Uint8Array {
    const named = this.#byPort.get(port);
    if (named !== undefined) return named;
    const id = new Uint8Array(SRP_BYTES);
    id[0] = SRP;
    id.set(portBytes(port), SRP_PORT_AT);
    return id;
  }

  /** The initiator port that a whole TransportID names, or null. */
  decode(transportId: Uint8Array): string | null {
    if (transportId[0] === SRP && transportId.length === SRP_BYTES) {
      return portText(transportId.subarray(SRP_PORT_AT));
    }
    return this.portOf(transportId);
  }
}
