/** One thread per process that sleeps on the doorbells of every open initiator, so that the event loop need not poll them. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { createEventFd, signalEventFd } from '../libc.ts';
import type { WaiterData, WaiterReport, WaiterRequest } from './doorbell-messages.ts';

export interface DoorbellWatch {
  /** Ends the watch; resolves when the descriptors may be closed. */
  end(): Promise<void>;
}

interface Watcher {
  readonly wake: () => void;
  readonly gone: (why: string) => void;
  ended: (() => void) | null;
}

class DoorbellWaiter {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #controlFd = createEventFd();
  readonly #watchers = new Map<number, Watcher>();
  #lastId = 0;
  dead = false;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    const workerData: WaiterData = { port: port2, controlFd: this.#controlFd };
    this.#port = port1;
    this.#worker = new Worker(new URL('./doorbell-waiter-thread.js', import.meta.url), {
      workerData,
      transferList: [port2],
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on('error', () => this.#died());
    this.#worker.on('exit', () => this.#died());
    port1.on('message', (report: WaiterReport) => this.#report(report));
    port1.unref();
    // A thread inside a system call would hold up the end of the process.
    process.once('exit', () => this.#ask({ kind: 'end' }));
  }

  add(
    callFds: readonly number[],
    socketFd: number,
    wake: () => void,
    gone: (why: string) => void,
  ): DoorbellWatch {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#watchers.set(id, { wake, gone, ended: null });
    // An open initiator keeps its process alive, as an open socket does.
    this.#port.ref();
    this.#ask({ kind: 'watch', id, callFds, socketFd });
    return { end: () => this.#end(id) };
  }

  #end(id: number): Promise<void> {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined || this.dead) return Promise.resolve();
    return new Promise((resolve) => {
      watcher.ended = resolve;
      this.#ask({ kind: 'unwatch', id });
    });
  }

  #ask(request: WaiterRequest): void {
    if (this.dead) return;
    this.#port.postMessage(request);
    signalEventFd(this.#controlFd);
  }

  #report(report: WaiterReport): void {
    const watcher = this.#watchers.get(report.id);
    if (watcher === undefined) return;
    if (report.kind === 'unwatched') {
      this.#watchers.delete(report.id);
      if (this.#watchers.size === 0) this.#port.unref();
      watcher.ended?.();
    } else if (watcher.ended !== null) return;
    else if (report.kind === 'wake') watcher.wake();
    else watcher.gone('the target closed the connection');
  }

  #died(): void {
    if (this.dead) return;
    this.dead = true;
    for (const watcher of this.#watchers.values()) {
      if (watcher.ended === null) watcher.gone('the doorbell waiter thread ended');
      else watcher.ended();
    }
    this.#watchers.clear();
  }
}

let waiter: DoorbellWaiter | null = null;

/**
 * Calls `wake` whenever one of the eventfds rings and `gone` once when the socket becomes readable, until the watch is
 * ended. The descriptors must stay open until `end` has resolved.
 */
export function watchDoorbells(
  callFds: readonly number[],
  socketFd: number,
  wake: () => void,
  gone: (why: string) => void,
): DoorbellWatch {
  if (waiter === null || waiter.dead) waiter = new DoorbellWaiter();
  return waiter.add(callFds, socketFd, wake, gone);
}
