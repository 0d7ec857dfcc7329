/** The measuring loop: keeps `depth` I/Os going on a lane for a while and says what that took. */
import { performance } from 'node:perf_hooks';
import { Poller } from '../src/libc.ts';
import { cpuTime } from './cpu-time.ts';
import { type Lane, LaneError, type Operation } from './lane.ts';

export interface Workload {
  readonly name: string;
  readonly operation: Operation;
  /** Bytes of each I/O, a power of two; 0 for a round trip without I/O. */
  readonly bytes: number;
  readonly depth: number;
}

export interface Measurement {
  readonly iops: number;
  readonly medianUs: number;
  readonly p99Us: number;
  /** CPU time of each process per I/O; the server's is 0 when there is none. */
  readonly clientCpuUs: number;
  readonly serverCpuUs: number;
  /** Share of the time that client or server was ready to run and somebody else ran: over a few percent, a bad round. */
  readonly waited: number;
}

/** Polling without a result ends after this long, as a reactor's does at most; then the loop sleeps on the doorbell. */
const SPIN_MS = 0.05;
const POLLS_PER_CLOCK = 16;
const SLEEP_MS = 1000;
/** Without an end of anything for this long, nobody serves the lane any more. */
const STALLED_MS = 5000;
/** One I/O in this many is timed: reading the clock costs about as much as a ring round trip takes to publish. */
const TIMED_EVERY = 16;
const SAMPLES = 65536;
const ROUNDS_PER_CLOCK = 16;

/** Random positions, the same ones for every lane. */
class Positions {
  #state = 0x9e3779b9;
  readonly #mask: number;
  readonly #bytes: number;

  constructor(diskBytes: number, bytes: number) {
    this.#bytes = bytes;
    const count = bytes === 0 ? 1 : 2 ** Math.floor(Math.log2(diskBytes / bytes));
    this.#mask = count - 1;
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return ((x >>> 8) & this.#mask) * this.#bytes;
  }
}

/** Latencies of one slot in flight at a time, sampled. */
class Latencies {
  readonly #samples = new Float64Array(SAMPLES);
  #count = 0;
  #timed = -1;
  #startedMs = 0;
  #untilNext = 0;

  started(slot: number): void {
    this.#untilNext -= 1;
    if (this.#untilNext > 0 || this.#timed >= 0) return;
    this.#untilNext = TIMED_EVERY;
    this.#timed = slot;
    this.#startedMs = performance.now();
  }

  ended(slot: number): void {
    if (slot !== this.#timed) return;
    this.#samples[this.#count % SAMPLES] = performance.now() - this.#startedMs;
    this.#count += 1;
    this.#timed = -1;
  }

  /** Microseconds below which `share` of the samples lie. */
  percentileUs(share: number): number {
    const sorted = this.#samples.slice(0, Math.min(this.#count, SAMPLES)).sort();
    const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
    return (sorted[at] ?? 0) * 1000;
  }
}

export class Measuring {
  readonly #lane: Lane;
  readonly #diskBytes: number;
  readonly #poller: Poller | null = null;

  constructor(lane: Lane, diskBytes: number) {
    this.#lane = lane;
    this.#diskBytes = diskBytes;
    if (lane.doorbellFd >= 0) {
      this.#poller = new Poller();
      this.#poller.add(lane.doorbellFd);
    }
  }

  /** Runs a workload for `ms`. `serverPid` 0: there is no server. */
  run(workload: Workload, ms: number, serverPid: number): Measurement {
    this.#keep(workload, Math.min(ms / 4, 100), new Latencies());
    const latencies = new Latencies();
    const pids = serverPid === 0 ? [process.pid] : [process.pid, serverPid];
    const before = pids.map(cpuTime);
    const usage = process.cpuUsage();
    const startMs = performance.now();
    const count = this.#keep(workload, ms, latencies);
    const elapsedMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(usage);
    const spent = pids.map(cpuTime).map(({ usedUs, waitedUs }, i) => ({
      usedUs: usedUs - (before[i]?.usedUs ?? 0),
      waitedUs: waitedUs - (before[i]?.waitedUs ?? 0),
    }));
    return {
      iops: (count * 1000) / elapsedMs,
      medianUs: latencies.percentileUs(0.5),
      p99Us: latencies.percentileUs(0.99),
      clientCpuUs: (user + system) / count,
      serverCpuUs: (spent[1]?.usedUs ?? 0) / count,
      waited: Math.max(...spent.map(({ waitedUs }) => waitedUs)) / (elapsedMs * 1000),
    };
  }

  /** Keeps the lane full until the time is over, then lets it run empty. Returns how many I/Os ended. */
  #keep(workload: Workload, ms: number, latencies: Latencies): number {
    const lane = this.#lane;
    const { operation, bytes, depth } = workload;
    const positions = new Positions(this.#diskBytes, bytes);
    const endMs = performance.now() + ms;
    let inFlight = depth;
    let count = 0;
    let untilClock = ROUNDS_PER_CLOCK;
    let going = true;
    for (let slot = 0; slot < depth; slot += 1) {
      latencies.started(slot);
      lane.start(slot, operation, positions.next(), bytes);
    }
    lane.flush();
    while (inFlight > 0) {
      const ended = this.#wait();
      count += ended;
      untilClock -= 1;
      if (untilClock === 0) {
        untilClock = ROUNDS_PER_CLOCK;
        going = performance.now() < endMs;
      }
      for (let i = 0; i < ended; i += 1) {
        const slot = lane.ended[i] as number;
        latencies.ended(slot);
        if (!going) continue;
        latencies.started(slot);
        lane.start(slot, operation, positions.next(), bytes);
      }
      if (going) lane.flush();
      else inFlight -= ended;
    }
    return count;
  }

  /** Polls, then sleeps, until something ended. */
  #wait(): number {
    const lane = this.#lane;
    let ended = lane.poll();
    if (ended > 0) return ended;
    const startMs = performance.now();
    let spinEndMs = startMs + SPIN_MS;
    for (;;) {
      for (let i = 0; i < POLLS_PER_CLOCK && ended === 0; i += 1) ended = lane.poll();
      if (ended > 0) return ended;
      if (performance.now() < spinEndMs) continue;
      if (lane.arm()) this.#poller?.wait(SLEEP_MS);
      lane.disarm();
      spinEndMs = performance.now() + SPIN_MS;
      if (spinEndMs > startMs + STALLED_MS) throw new LaneError('Nothing ended for seconds');
    }
  }
}
