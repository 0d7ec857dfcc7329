/** Worker threads of the watchdog spec: one that rings a doorbell it does not know to be full, one that keeps it full. */
import { Buffer } from 'node:buffer';
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { doorbellWords, ringDoorbell } from '../../../src/transport/doorbell.ts';

interface Orders {
  readonly kind: 'ring' | 'refill';
  readonly fd: number;
  readonly stop: Int32Array;
}

const { kind, fd, stop } = workerData as Orders;
const BRIM = Buffer.from('feffffffffffffff', 'hex');

if (kind === 'ring') {
  parentPort?.postMessage(doorbellWords);
  parentPort?.postMessage([ringDoorbell(fd), ringDoorbell(fd)]);
} else {
  parentPort?.postMessage('refilling');
  while (Atomics.load(stop, 0) === 0) writeSync(fd, BRIM);
}
