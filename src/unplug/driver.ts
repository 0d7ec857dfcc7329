/** The guest's end of the unplug protocol: what a driver does before it looks for devices. */
import { MAGIC, MAGIC_BLACKLISTED, MAGIC_PORT, type Ports, PROTOCOL_PORT } from './ports.ts';

/**
 * `unplugged`: the mask was written. `absent`: no such device, nothing was written. `blacklisted`: the host wants this build not to
 * load; nothing was unplugged, the guest goes on with emulated devices. `version`: the host speaks one the driver does not.
 */
export type DriverOutcome = 'unplugged' | 'absent' | 'blacklisted' | 'version';

export interface DriverOptions {
  /** Registered number of the make; ffff (experimental) until one is registered. */
  readonly product: number;
  readonly build: number;
  readonly mask: number;
  /** Versions the driver speaks; 0 goes straight to the mask. Linux takes 1 only. */
  readonly versions?: readonly number[];
}

/** Carries out the protocol. */
export function unplugEmulated(ports: Ports, options: DriverOptions): DriverOutcome {
  const { product, build, mask, versions = [0, 1] } = options;
  const magic = (): number => ports.read(MAGIC_PORT, 'w');
  const first = magic();
  if (first !== MAGIC) return first === MAGIC_BLACKLISTED ? 'blacklisted' : 'absent';
  const version = ports.read(PROTOCOL_PORT, 'b');
  if (!versions.includes(version)) return 'version';
  if (version > 0) {
    ports.write(PROTOCOL_PORT, 'w', product);
    ports.write(MAGIC_PORT, 'l', build);
    if (magic() !== MAGIC) return 'blacklisted';
  }
  ports.write(MAGIC_PORT, 'w', mask);
  return 'unplugged';
}

/** Sends a line to the host's log; allowed once the magic was right, to a blacklisted driver too. */
export function logToHost(ports: Ports, line: string): void {
  for (const character of Buffer.from(`${line}\n`, 'latin1')) {
    ports.write(PROTOCOL_PORT, 'b', character);
  }
}
