/** The client process: one lane, workloads by message, a measurement back for each. */
import { BlkifLane } from './blkif-lane.ts';
import type { Lane } from './lane.ts';
import { type Measurement, Measuring, type Workload } from './measurement.ts';
import { SrpLane } from './srp-lane.ts';
import { SystemCallLane } from './system-call-lane.ts';

/** What the I/O goes through. */
export type System = 'system calls' | 'srp' | 'blkif';

export interface RunRequest {
  readonly workload: Workload;
  readonly ms: number;
  /** Process whose CPU time counts as the server's, 0 for none. */
  readonly serverPid: number;
}

export type ClientMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'measured'; readonly measurement: Measurement };

/** `address` is a file for system calls, a socket path for the others. */
async function openLane(system: System, address: string): Promise<Lane> {
  switch (system) {
    case 'system calls':
      return new SystemCallLane(address);
    case 'blkif':
      return new BlkifLane(address);
    case 'srp':
      return await SrpLane.open(address);
  }
}

async function serve(system: System, address: string, diskBytes: number): Promise<void> {
  const lane = await openLane(system, address);
  const measuring = new Measuring(lane, diskBytes);
  const say = (message: ClientMessage): void => {
    process.send?.(message);
  };
  process.on('message', ({ workload, ms, serverPid }: RunRequest) => {
    say({ kind: 'measured', measurement: measuring.run(workload, ms, serverPid) });
  });
  process.once('disconnect', () => {
    lane.close();
    process.exit();
  });
  say({ kind: 'ready' });
}

const [, , system, address, diskBytes] = process.argv;
if (system === undefined || address === undefined || diskBytes === undefined) {
  throw new RangeError('Cannot measure: a system, an address and a disk size are wanted');
}
await serve(system as System, address, Number(diskBytes));
