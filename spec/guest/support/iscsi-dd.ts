/**
 * iscsi-dd of libiscsi, which Debian has as source only (examples/iscsi-dd.c): fetched by apt from where this machine's packages
 * come from, compiled into the cache, not installed.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { findCommand } from '../../../src/guest-image/commands.ts';
import { CACHE } from './places.ts';

const SOURCES = '/etc/apt/sources.list';
const SOURCE_PARTS = '/etc/apt/sources.list.d';
const SOURCE_PACKAGE = 'libiscsi';
const HEADERS = '/usr/include/iscsi';
/** The lists of a distribution's sources are some 10 MB. */
const STEP_MS = 180_000;
/** What the source expects of a configure run: newer ones ask for poll.h by name, older ones have a sign for what is not used. */
const CONFIGURED =
  '#define HAVE_POLL_H 1\n#ifndef _U_\n#define _U_ __attribute__((unused))\n#endif\n';

/** Where it is, or why it is not there. */
export type IscsiDd = { readonly path: string } | { readonly missing: string };

function run(command: string, args: readonly string[], directory: string): void {
  const ran = spawnSync(command, args, { cwd: directory, encoding: 'utf8', timeout: STEP_MS });
  if (ran.status === 0) return;
  const said = (ran.error?.message ?? ran.stderr).trim().split('\n').slice(0, 3).join('; ');
  throw new Error(`${command} ${args[0]} failed: ${said}`);
}

/** The next release, for mirrors that have no sources of the one that runs here. */
const NEXT_RELEASE = 'trixie';

/**
 * The machine's own sources of packages, as sources of source packages, of its own release or (a name) of another. Keys and options
 * stay with them.
 */
function sourceLists(directory: string, release: string | null): void {
  const parts = join(directory, 'parts');
  rmSync(parts, { recursive: true, force: true });
  mkdirSync(parts);
  const lists = existsSync(SOURCES) ? [SOURCES] : [];
  for (const name of existsSync(SOURCE_PARTS) ? readdirSync(SOURCE_PARTS) : []) {
    if (/\.(list|sources)$/.test(name)) lists.push(join(SOURCE_PARTS, name));
  }
  for (const list of lists) {
    let text = readFileSync(list, 'utf8')
      .replace(/^deb\s/gm, 'deb-src ')
      .replace(/^Types:.*$/gim, 'Types: deb-src');
    if (release !== null) {
      text = text
        .replace(/^(deb-src\s+(?:\[[^\]]*\]\s+)?\S+\s+)\S+/gm, `$1${release}`)
        .replace(/^Suites:.*$/gim, `Suites: ${release}`);
    }
    const name = list === SOURCES ? 'machine.list' : basename(list);
    writeFileSync(join(parts, name), text);
  }
}

/** apt with lists and files of its own: those of the machine stay as they are. */
function fetchSource(directory: string, release: string | null): void {
  for (const folder of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  sourceLists(directory, release);
  const options = [
    ...['-o', 'Dir::Etc::sourcelist=/dev/null'],
    ...['-o', `Dir::Etc::sourceparts=${join(directory, 'parts')}`],
    ...['-o', `Dir::State::lists=${join(directory, 'lists')}`],
    ...['-o', `Dir::Cache=${join(directory, 'cache')}`],
    ...['-o', 'APT::Sandbox::User='],
  ];
  // A source without source packages makes it fail although the others are there; what is fetched next tells.
  spawnSync('apt-get', ['update', '-qq', ...options], { cwd: directory, timeout: STEP_MS });
  const how = ['--tar-only', '--download-only', '-qq'];
  run('apt-get', ['source', ...how, ...options, SOURCE_PACKAGE], directory);
}

function compile(directory: string): string {
  const archive = readdirSync(directory).find((name) => name.includes('.orig.tar'));
  if (archive === undefined) throw new Error(`apt-get source brought no ${SOURCE_PACKAGE}`);
  run('tar', ['xf', archive, '--strip-components=1'], directory);
  writeFileSync(join(directory, 'config.h'), CONFIGURED);
  const include = ['-include', 'config.h', '-I.', `-I${HEADERS}`];
  const source = join('examples', 'iscsi-dd.c');
  run('gcc', ['-O1', '-w', ...include, source, '-liscsi', '-o', 'iscsi-dd'], directory);
  return join(directory, 'iscsi-dd');
}

/** The tool, made when it is not in the cache yet. A machine that has one in its PATH has no need of ours. */
export function iscsiDd(): IscsiDd {
  const installed = findCommand('iscsi-dd');
  if (installed !== null) return { path: installed };
  const path = join(CACHE, 'iscsi-dd');
  if (existsSync(path)) return { path };
  if (findCommand('gcc') === null || !existsSync(join(HEADERS, 'iscsi.h'))) {
    return { missing: 'apt-get install gcc libc6-dev libiscsi-dev' };
  }
  const directory = join(CACHE, 'iscsi-dd.part');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  try {
    try {
      fetchSource(directory, null);
    } catch {
      fetchSource(directory, NEXT_RELEASE);
    }
    copyFileSync(compile(directory), `${path}.new`);
    renameSync(`${path}.new`, path);
    return { path };
  } catch (error) {
    return { missing: `its source cannot be had: ${(error as Error).message}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
