/** The main thread's end of a reactor thread: requests by message and control eventfd, replies and events by message. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { close, createEventFd, signalEventFd } from '../libc.ts';
import type { ManagementAddress } from '../scsi/management-address.ts';
import { DoorbellWatchdog } from '../transport/doorbell-watchdog.ts';
import type {
  ReactorEvent,
  ReactorHandle,
  ReactorReply,
  ReactorRequest,
} from './reactor-messages.ts';

export interface ReactorOptions {
  readonly onEvent: (event: ReactorEvent) => void;
  /** What initiators are told is at this end. */
  readonly name: string;
  /** Where people manage the daemon. */
  readonly managementAddresses: readonly ManagementAddress[];
}

/** What the worker is started with. */
export interface ReactorWorkerData {
  readonly port: MessagePort;
  readonly controlFd: number;
  readonly name: string;
  readonly managementAddresses: readonly ManagementAddress[];
}

/** What the worker sends: first the words for the doorbell watchdog, then replies to numbered requests, and events. */
export type ReactorMessage =
  | { readonly doorbellWords: SharedArrayBuffer }
  | { readonly id: number; readonly reply: ReactorReply }
  | { readonly event: ReactorEvent };

const WATCHDOG_MS = 1000;

interface Waiting {
  readonly resolve: (reply: ReactorReply) => void;
  readonly reject: (error: Error) => void;
}

/** A call to a reactor thread that has ended. */
export class ReactorGoneError extends Error {
  readonly code = 'ERR_REACTOR_GONE';
}

class ReactorThread implements ReactorHandle {
  readonly ended: Promise<number>;
  readonly #port: MessagePort;
  readonly #controlFd: number;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #running = true;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: ReactorOptions) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#controlFd = createEventFd();
    const workerData: ReactorWorkerData = {
      port: port2,
      controlFd: this.#controlFd,
      name: options.name,
      managementAddresses: options.managementAddresses,
    };
    const worker = new Worker(new URL('./reactor-worker.js', import.meta.url), {
      workerData,
      transferList: [port2],
    });
    port1.on('message', (message: ReactorMessage) => this.#receive(message, options.onEvent));
    worker.on('error', (error) => {
      options.onEvent({ kind: 'log', level: 'error', text: `reactor: ${error.stack ?? error}` });
    });
    this.ended = new Promise((resolve) => {
      worker.once('exit', (code) => {
        clearInterval(this.#ticker);
        this.#end();
        resolve(code);
      });
    });
  }

  call(request: ReactorRequest): Promise<ReactorReply> {
    return new Promise((resolve, reject) => {
      if (!this.#running) {
        reject(new ReactorGoneError(`Cannot ask the reactor for ${request.kind}: it has ended`));
        return;
      }
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve, reject });
      this.#port.postMessage({ id: this.#lastId, request });
      signalEventFd(this.#controlFd);
    });
  }

  #receive(message: ReactorMessage, onEvent: (event: ReactorEvent) => void): void {
    if ('event' in message) {
      onEvent(message.event);
      return;
    }
    if ('doorbellWords' in message) {
      const watchdog = new DoorbellWatchdog(new Int32Array(message.doorbellWords));
      this.#ticker = setInterval(() => watchdog.tick(), WATCHDOG_MS);
      this.#ticker.unref();
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    waiting?.resolve(message.reply);
  }

  #end(): void {
    this.#running = false;
    this.#port.close();
    close(this.#controlFd);
    for (const { reject } of this.#waiting.values()) {
      reject(new ReactorGoneError('The reactor ended before it answered'));
    }
    this.#waiting.clear();
  }
}

/** Starts a reactor thread and waits until it answers. */
export async function startReactor(options: ReactorOptions): Promise<ReactorHandle> {
  const thread = new ReactorThread(options);
  await thread.call({ kind: 'guests' });
  return thread;
}
