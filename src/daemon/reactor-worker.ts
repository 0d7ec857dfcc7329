/** What runs in a reactor thread: the target, its disks, its listeners and guests, served by one loop and one wait. */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { drainEventFd } from '../libc.ts';
import type { Removed } from '../luns/drive.ts';
import { Inventory, type UnitStatistics } from '../luns/inventory.ts';
import { PassthroughUnits } from '../luns/passthrough/units.ts';
import { IoQueue } from '../luns/store/io-queue.ts';
import { IoUring } from '../reactor/io-uring.ts';
import { Reactor } from '../reactor/reactor.ts';
import {
  DONE,
  GONE,
  type InformationStore,
  type LogStore,
  MEDIUM_WRITE,
  type OperationStore,
  type ParameterStore,
  PENDING,
  type ReservationStore,
} from '../scsi/contracts.ts';
import { Target } from '../scsi/target.ts';
import type { Task } from '../scsi/task.ts';
import { TraceRing } from '../trace.ts';
import { doorbellWords } from '../transport/doorbell.ts';
import { portOfTransportId } from '../transport/iscsi/names.ts';
import { GuestHouse } from './guest-house.ts';
import type { ReactorEvent, ReactorReply, ReactorRequest, SaveEvent } from './reactor-messages.ts';
import type { ReactorMessage, ReactorWorkerData } from './reactor-thread.ts';

/** Requests that can be under way at a time in one reactor; more are done at once. */
const RING_ENTRIES = 256;
const TRACE_ENTRIES = 16_384;
const TRACE_DRAIN_MS = 50;
/** How often an orderly end looks whether the last commands have ended. */
const SHUTDOWN_LOOK_MS = 5;

interface NumberedRequest {
  readonly id: number;
  readonly request: ReactorRequest;
}

const ANSWERS = { done: DONE, none: GONE, failed: MEDIUM_WRITE } as const;

/** The answer to a request that takes a medium out of its drive. */
function removed(answer: (reply: ReactorReply) => void): Removed {
  return (error, flushed) => {
    if (error === null) answer({ ok: true, value: { flushed } });
    else answer({ ok: false, code: error.code, message: error.message });
  };
}

class ReactorWorker {
  readonly #port: MessagePort;
  readonly #controlFd: number;
  readonly #reactor = new Reactor(availableParallelism());
  readonly #target: Target;
  readonly #inventory: Inventory;
  readonly #passthrough: PassthroughUnits;
  readonly #guests: GuestHouse;
  readonly #trace = new TraceRing(TRACE_ENTRIES);
  #tracing = false;
  /** Commands that wait until the main thread has saved their mode pages or reservations. */
  readonly #saving = new Map<number, Task>();
  #lastTicket = 0;
  /** Initiators that run a driver which must not be used. */
  readonly #refusedNames = new Set<string>();

  constructor(data: ReactorWorkerData) {
    this.#port = data.port;
    this.#controlFd = data.controlFd;
    const { name, managementAddresses } = data;
    const { timers, time } = this.#reactor;
    this.#target = new Target({ name, managementAddresses, timers, time });
    this.#reactor.onTime = () => this.#target.clock.pass();
    this.#target.admits = (name) => !this.#refusedNames.has(name);
    this.#target.transportIds.portOf = portOfTransportId;
    this.#target.onInternalError = (error) => {
      const text = error instanceof Error ? error.stack : String(error);
      this.#log('error', `internal target failure: ${text}`);
    };
    const parameters: ParameterStore = {
      save: (task, lun, pages) => this.#save(task, lun, 'pages', pages),
    };
    const reservations: ReservationStore = {
      save: (task, lun, state) => this.#save(task, lun, 'reservations', state),
    };
    const operations: OperationStore = {
      save: (task, lun, state) => this.#save(task, lun, 'sanitize', state),
    };
    const information: InformationStore = {
      save: (task, lun, state) => this.#save(task, lun, 'information', state),
    };
    const logs: LogStore = { save: (task, lun, state) => this.#save(task, lun, 'logs', state) };
    const queue = this.#openQueue();
    this.#inventory = new Inventory({
      target: this.#target,
      timers,
      parameters,
      reservations,
      operations,
      information,
      logs,
      media: {
        ejected: (lun, generation) => this.#emit({ kind: 'mediumEjected', lun, generation }),
        wanted: (lun) => this.#emit({ kind: 'mediumWanted', lun }),
      },
      queue,
    });
    this.#passthrough = new PassthroughUnits({
      target: this.#target,
      timers,
      watcher: this.#reactor,
      onGone: (lun) => this.#log('error', `LUN ${lun}: its device is gone`),
    });
    this.#guests = new GuestHouse({
      reactor: this.#reactor,
      target: this.#target,
      trace: this.#trace,
      emit: (event) => this.#emit(event),
    });
    this.#reactor.onTurn = () => {
      this.#inventory.turn();
      return this.#guests.tidy();
    };
    this.#reactor.watch(this.#controlFd, () => this.#control());
  }

  /** Reads and syncs are done together by an io_uring; where the kernel refuses one, each by its own system call. */
  #openQueue(): IoQueue | null {
    const ring = IoUring.open(RING_ENTRIES);
    if (ring === null) {
      this.#log('info', 'io_uring is not to be had here: a slow disk delays every guest');
      return null;
    }
    const queue = new IoQueue(ring);
    this.#reactor.settle = () => queue.settle();
    // What woke the reactor is settled with everything else of that look.
    this.#reactor.watch(ring.fd, () => drainEventFd(ring.fd));
    return queue;
  }

  run(): void {
    this.#send({ doorbellWords: doorbellWords.buffer });
    this.#reactor.run();
    this.#reactor.unwatch(this.#controlFd);
    this.#reactor.close();
    this.#port.close();
  }

  #send(message: ReactorMessage): void {
    this.#port.postMessage(message);
  }

  #emit(event: ReactorEvent): void {
    this.#send({ event });
  }

  #log(level: 'info' | 'warn' | 'error', text: string): void {
    this.#emit({ kind: 'log', level, text });
  }

  #control(): void {
    drainEventFd(this.#controlFd);
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      const { id, request } = received.message as NumberedRequest;
      this.#serve(request, (reply) => this.#send({ id, reply }));
    }
  }

  /** Answers a request: now, or when what it asks for has happened. */
  #serve(request: ReactorRequest, answer: (reply: ReactorReply) => void): void {
    this.#answering(answer, () => this.#act(request, answer));
  }

  /** Does `work`; what it throws is the answer. */
  #answering(answer: (reply: ReactorReply) => void, work: () => void): void {
    try {
      work();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_INTERNAL';
      const message = error instanceof Error ? error.message : String(error);
      answer({ ok: false, code, message });
    }
  }

  /** Takes a disk away; may be called from a timer, so what it throws is answered. */
  #remove(lun: number, answer: (reply: ReactorReply) => void): void {
    this.#answering(answer, () => {
      if (this.#passthrough.has(lun)) {
        this.#passthrough.remove(lun, () => answer({ ok: true }));
        return;
      }
      this.#inventory.remove(lun, (flushed) => {
        if (!flushed) this.#log('error', `LUN ${lun}: its last writes could not be flushed`);
        answer({ ok: true });
      });
    });
  }

  #act(request: ReactorRequest, answer: (reply: ReactorReply) => void): void {
    switch (request.kind) {
      case 'removeUnit':
        this.#guests.unitLeaving(request.lun, () => this.#remove(request.lun, answer));
        return;
      case 'standbyUnit':
        this.#inventory.standBy(request.lun, (flushed) => {
          if (flushed) answer({ ok: true });
          else answer({ ok: false, code: 'ERR_FLUSH', message: `Cannot flush LUN ${request.lun}` });
        });
        return;
      case 'loadMedium':
        this.#inventory.loadMedium(request.lun, request.spec, request, removed(answer));
        return;
      case 'ejectMedium':
        this.#inventory.ejectMedium(request.lun, request.force, removed(answer));
        return;
      case 'drives':
        answer({ ok: true, value: this.#inventory.drives() });
        return;
      case 'guests':
        answer({ ok: true, value: this.#guests.status() });
        return;
      case 'stats':
        answer({
          ok: true,
          value: {
            commands: this.#target.commands,
            loops: this.#reactor.loops,
            sleeps: this.#reactor.sleeps,
            doorbells: this.#guests.doorbells,
            units: this.#statistics(),
            guests: this.#guests.status(),
          },
        });
        return;
      case 'shutdown':
        this.#shutDown(request.graceMs, answer);
        return;
      default:
        this.#change(request);
        answer({ ok: true });
    }
  }

  #change(
    request: Exclude<
      ReactorRequest,
      {
        readonly kind:
          | 'removeUnit'
          | 'standbyUnit'
          | 'loadMedium'
          | 'ejectMedium'
          | 'drives'
          | 'guests'
          | 'stats'
          | 'shutdown';
      }
    >,
  ): void {
    switch (request.kind) {
      case 'addDevice':
        this.#passthrough.add(request.device);
        this.#guests.unitAdded(request.device.lun);
        return;
      case 'addDisk':
        this.#inventory.add(request.disk);
        this.#guests.unitAdded(request.disk.lun);
        return;
      case 'resizeUnit':
        this.#inventory.resize(request.lun, request.bytes);
        this.#guests.capacityChanged(request.lun);
        return;
      case 'activateUnit':
        this.#inventory.activate(request.lun, request.bytes);
        // Linux looks at the disk again when it hears this, and it may have grown.
        this.#guests.capacityChanged(request.lun);
        return;
      case 'requestMedium':
        this.#inventory.requestMedium(request.lun, request.silently);
        return;
      case 'lockMedium':
        this.#inventory.lockMedium(request.lun, request.locked);
        return;
      case 'mediumAnswered':
        this.#inventory.answerMedium(request.lun, ANSWERS[request.outcome]);
        return;
      case 'inject':
        this.#inventory.inject(request.lun, request.rules);
        return;
      case 'listen':
        this.#guests.listen(request.listen.kind, request.listen.path);
        return;
      case 'namePort':
        this.#target.transportIds.name(request.port, request.transportId);
        return;
      case 'admitGuest':
        if (request.admitted) this.#refusedNames.delete(request.name);
        else this.#refusedNames.add(request.name);
        return;
      case 'kickGuest':
        this.#guests.kick(request.id);
        return;
      case 'trace':
        this.#setTracing(request.on);
        return;
      case 'saved':
        this.#saved(request.ticket, request.ok);
        return;
    }
  }

  #save(task: Task, lun: number, what: SaveEvent['what'], bytes: Uint8Array): typeof PENDING {
    this.#lastTicket += 1;
    this.#saving.set(this.#lastTicket, task);
    this.#emit({ kind: 'save', ticket: this.#lastTicket, lun, what, bytes: bytes.slice() });
    return PENDING;
  }

  #saved(ticket: number, ok: boolean): void {
    const task = this.#saving.get(ticket);
    this.#saving.delete(ticket);
    task?.stored(ok ? DONE : MEDIUM_WRITE);
  }

  #statistics(): UnitStatistics[] {
    const all = [...this.#inventory.statistics(), ...this.#passthrough.statistics()];
    return all.sort((a, b) => a.lun - b.lun);
  }

  #setTracing(on: boolean): void {
    const was = this.#tracing;
    this.#tracing = on;
    this.#guests.setTracing(on);
    if (on && !was) this.#drainTrace();
  }

  #drainTrace(): void {
    if (this.#trace.waiting) this.#emit({ kind: 'traced', entries: this.#trace.drain() });
    if (this.#tracing) this.#reactor.timers.after(TRACE_DRAIN_MS, () => this.#drainTrace());
  }

  /** No new commands; what runs may end for `graceMs`, then it is aborted; flush; guests are logged out; the loop ends. */
  #shutDown(graceMs: number, answer: (reply: ReactorReply) => void): void {
    this.#guests.closeToNewCommands();
    const until = performance.now() + graceMs;
    let aborted = false;
    const look = (): void => {
      if (!this.#guests.idle()) {
        if (!aborted && performance.now() >= until) {
          aborted = true;
          for (const unit of this.#target.units()) unit.taskSet.abortAll();
          this.#log('warn', `commands that did not end within ${graceMs} ms were aborted`);
        }
        this.#reactor.timers.after(SHUTDOWN_LOOK_MS, look);
        return;
      }
      const failed = this.#inventory.flushAll();
      this.#guests.logOut();
      if (failed.length === 0) answer({ ok: true });
      else
        answer({ ok: false, code: 'ERR_FLUSH', message: `Cannot flush LUN ${failed.join(', ')}` });
      this.#reactor.stop();
    };
    look();
  }
}

/**
 * The path of a command is one call after another through small functions of many files; the default budget (920 bytes of
 * bytecode) ends in the middle of it. With this one a READ of 4 KiB costs about 0.25 us less (bench/).
 */
setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000');

new ReactorWorker(workerData as ReactorWorkerData).run();
