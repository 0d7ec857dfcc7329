/** A target inside a Node process: the daemon without its command line. */
import { resolve } from 'node:path';
import { parseAnyLunSpec, parseListenSpec } from './config.ts';
import { Daemon } from './daemon.ts';
import type { Log } from './log.ts';
import { startReactor } from './reactor-thread.ts';

export interface TargetOptions {
  /** Logical units as the command line has them: `0:disk,path=a.img,size=1G`, `1:disk,memory=64M`. */
  readonly luns?: readonly string[];
  /** Where guests attach: `srp:PATH`. */
  readonly listen?: readonly string[];
  /** Path of a control socket, for the `ringscsi` command. */
  readonly control?: string;
  /** Directory that keeps LUNs, sizes and mode pages over restarts. */
  readonly state?: string;
  /** What initiators are told is at this end. */
  readonly name?: string;
  /** How long running commands may take when the target stops. */
  readonly graceMs?: number;
  /** Where log lines go; nowhere when absent. */
  readonly log?: Log;
}

const SILENT: Log = { write: () => undefined };

/**
 * Opens the logical units, starts the reactor thread and listens. Resolves with the running target; `stop()` ends it
 * orderly. Rejects with ConfigError (a spec), DiskFileError or LunError (a disk), ListenError (a socket).
 * Relative paths start at the working directory.
 */
export async function createTarget(options: TargetOptions): Promise<Daemon> {
  const directory = process.cwd();
  const place = (path: string | undefined): string | null =>
    path === undefined ? null : resolve(directory, path);
  const { name, graceMs } = options;
  const target = new Daemon({
    config: {
      state: place(options.state),
      control: place(options.control),
      listen: (options.listen ?? []).map((spec) => parseListenSpec(spec, directory)),
      luns: (options.luns ?? []).map((spec) => parseAnyLunSpec(spec, directory)),
    },
    startReactor,
    log: options.log ?? SILENT,
    ...(name === undefined ? {} : { name }),
    ...(graceMs === undefined ? {} : { graceMs }),
  });
  await target.start();
  return target;
}
