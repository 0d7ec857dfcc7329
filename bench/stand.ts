/** The processes of a comparison: for each system a client, and the server it talks to. */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ClientMessage, System } from './client.ts';
import type { Measurement, Workload } from './measurement.ts';

const CLIENT = fileURLToPath(new URL('./client.js', import.meta.url));
const BLKIF_SERVER = fileURLToPath(new URL('./blkif/server.js', import.meta.url));
const DAEMON = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const START_MS = 10_000;
const LOOK_MS = 20;

export class StandError extends Error {
  readonly code = 'ERR_STAND';
}

export interface StandOptions {
  readonly system: System;
  readonly file: string;
  readonly fileBytes: number;
  /** For sockets. */
  readonly directory: string;
  /** Arguments for every Node process, such as --cpu-prof. */
  readonly execArgv: readonly string[];
}

async function startServer(
  options: StandOptions,
  socketPath: string,
): Promise<ChildProcess | null> {
  const { system, file, directory } = options;
  if (system === 'system calls') return null;
  const execArgv = [...options.execArgv];
  const server =
    system === 'blkif'
      ? fork(BLKIF_SERVER, [socketPath, file], { execArgv })
      : spawn(
          process.execPath,
          [
            ...execArgv,
            DAEMON,
            'serve',
            ...['--lun', `0:disk,path=${file}`],
            ...['--listen', `srp:${socketPath}`],
            ...['--control', join(directory, 'control.sock')],
          ],
          { stdio: ['ignore', 'ignore', 'pipe'] },
        );
  const said: string[] = [];
  server.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const deadline = performance.now() + START_MS;
  while (!existsSync(socketPath)) {
    if (server.exitCode !== null || performance.now() > deadline) {
      const why = `exit code ${server.exitCode}\n${said.join('')}`;
      throw new StandError(`Cannot start the ${system} server: ${why}`);
    }
    // biome-ignore lint/performance/noAwaitInLoops: the socket appears when it appears
    await sleep(LOOK_MS);
  }
  return server;
}

/**
 * Keeps every thread of a process on one CPU, from here on: a client and a server that the scheduler puts on the same
 * one wait for each other's time slices, and a round measures that. False when this machine has no way to do it.
 */
function pin(pid: number | undefined, cpu: number): boolean {
  if (pid === undefined || availableParallelism() < 2) return false;
  return spawnSync('taskset', ['-a', '-c', '-p', String(cpu), String(pid)]).status === 0;
}

export class Stand {
  readonly system: System;
  /** Client on the first CPU, server on the second. */
  pinned = false;
  readonly #client: ChildProcess;
  readonly #server: ChildProcess | null;

  constructor(system: System, client: ChildProcess, server: ChildProcess | null) {
    this.system = system;
    this.#client = client;
    this.#server = server;
  }

  /** Starts the processes and waits until the client is ready. */
  static async start(options: StandOptions): Promise<Stand> {
    const { system, file, fileBytes, directory } = options;
    const socketPath = join(directory, `${system.replace(' ', '-')}.sock`);
    const server = await startServer(options, socketPath);
    const address = server === null ? file : socketPath;
    const client = fork(CLIENT, [system, address, String(fileBytes)], {
      execArgv: [...options.execArgv],
    });
    const stand = new Stand(system, client, server);
    try {
      await stand.#message();
      // Not earlier: a reactor that starts on one CPU decides never to poll.
      stand.#pin();
    } catch (error) {
      await stand.stop();
      throw error;
    }
    return stand;
  }

  #pin(): void {
    this.pinned = pin(this.#client.pid, 0) && (this.#server === null || pin(this.#server.pid, 1));
  }

  async #message(): Promise<ClientMessage> {
    const ended = new AbortController();
    const exited = once(this.#client, 'exit', { signal: ended.signal }).then(() => {
      throw new StandError(`Cannot measure ${this.system}: its client ended`);
    });
    try {
      const [message] = await Promise.race([once(this.#client, 'message'), exited]);
      return message as ClientMessage;
    } finally {
      ended.abort();
      exited.catch(() => undefined);
    }
  }

  /** Runs a workload for `ms`. */
  async measure(workload: Workload, ms: number): Promise<Measurement> {
    this.#client.send({ workload, ms, serverPid: this.#server?.pid ?? 0 });
    const message = await this.#message();
    if (message.kind !== 'measured') throw new StandError('Cannot measure: no measurement came');
    return message.measurement;
  }

  /** Ends client and server. */
  async stop(): Promise<void> {
    if (this.#client.connected) this.#client.disconnect();
    if (this.#client.exitCode === null) await once(this.#client, 'exit');
    const server = this.#server;
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    if (this.system === 'srp') server.kill('SIGTERM');
    await exited;
  }
}
