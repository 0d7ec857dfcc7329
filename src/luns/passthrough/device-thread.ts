/** The helper thread of a device: carries out one SG_IO after the other, and blocks in each as long as it takes. */
import { workerData } from 'node:worker_threads';
import { sgIo, signalEventFd } from '../../libc.ts';
import { addressOf, END, REQUEST_WORD, RESULT_WORD, wordsOf } from './sg-link.ts';

/** What the thread is started with. */
export interface DeviceThreadData {
  readonly shared: SharedArrayBuffer;
  readonly fd: number;
  readonly doneFd: number;
}

const { shared, fd, doneFd } = workerData as DeviceThreadData;
const words = wordsOf(shared);
const address = addressOf(shared);

function run(): void {
  let seen = 0;
  for (;;) {
    Atomics.wait(words, REQUEST_WORD, seen);
    const number = Atomics.load(words, REQUEST_WORD);
    if (number === END) return;
    if (number === seen) continue;
    seen = number;
    Atomics.store(words, RESULT_WORD, sgIo(fd, address[0] as number));
    signalEventFd(doneFd);
  }
}

run();
