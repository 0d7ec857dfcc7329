/**
 * Bugs that real targets have had, planted one at a time into a copy of the compiled core: the simulation has to find each.
 * A text that is not found any more is an error here, so the list stays true.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Mutation {
  readonly name: string;
  /** Compiled file below dist/src. */
  readonly file: string;
  readonly text: string;
  readonly becomes: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'an ORDERED command does not wait for older ones',
    file: 'scsi/task-set.js',
    text: 'return task.previous === null;',
    becomes: 'return true;',
  },
  {
    name: 'a younger command passes an ORDERED one',
    file: 'scsi/task-set.js',
    text: 'if (older.attribute === ORDERED || conflict(older, task))',
    becomes: 'if (conflict(older, task))',
  },
  {
    name: 'a HEAD OF QUEUE command runs beside one that overlaps',
    file: 'scsi/task-set.js',
    text: 'if (task.attribute === HEAD_OF_QUEUE)\n            return !this.#overlapsEnabled(task);\n        if (this.#headOfQueue > 0)',
    becomes:
      'if (task.attribute === HEAD_OF_QUEUE)\n            return true;\n        if (this.#headOfQueue > 0)',
  },
  {
    name: 'overlapping commands change places',
    file: 'scsi/task-set.js',
    text: 'if (a.extentFirst >= b.extentEnd || b.extentFirst >= a.extentEnd)',
    becomes: 'if (true)',
  },
  {
    name: 'a function is answered while an aborted write is still in the store',
    file: 'scsi/task-manager.js',
    text: 'taskSet.whenStopped(stopping, () => answer(request, FUNCTION_COMPLETE));',
    becomes: 'answer(request, FUNCTION_COMPLETE);',
  },
  {
    name: 'CLEAR TASK SET forgets the commands of other nexuses',
    file: 'scsi/task-manager.js',
    text: 'return (task) => !unit.taskSetPerNexus || task.nexus === nexus;',
    becomes: 'return (task) => task.nexus === nexus;',
  },
  {
    name: 'TASK ABORTED although TAS is 0',
    file: 'scsi/task-set.js',
    text: '(task) => task.nexus !== nexus && taskAbortedStatus',
    becomes: '(task) => task.nexus !== nexus',
  },
  {
    name: 'an aborted command of the asking nexus gets a status',
    file: 'scsi/task-set.js',
    text: 'else {\n            task.port.drop(task);\n        }',
    becomes: 'else {\n            task.port.respond(task);\n        }',
  },
  {
    name: 'a unit attention is the unit’s instead of the nexus’s',
    file: 'scsi/unit-attention.js',
    text: 'reported(nexusIndex, sense) {',
    becomes:
      'reported(nexusIndex, sense) { for (const each of this.#queues.keys()) this.#set(each, []);',
  },
  {
    name: 'a unit attention is never cleared',
    file: 'scsi/unit-attention.js',
    text: 'queue.filter((other) => other !== sense)',
    becomes: 'queue',
  },
  {
    name: 'MODE SELECT tells the nexus that sent it',
    file: 'scsi/spc/mode-select.js',
    text: 'unitOf(task).attentionForAll(MODE_PARAMETERS_CHANGED, nexusIndexOf(task));',
    becomes: 'unitOf(task).attentionForAll(MODE_PARAMETERS_CHANGED);',
  },
  {
    name: 'a command that reports a unit attention is executed as well',
    file: 'scsi/device-server.js',
    text: 'if (attention !== 0) {\n        refuse(task, unit, attention, NONE);\n    }',
    becomes:
      'if (attention !== 0) {\n        task.check(attention, NONE, NONE); if (run !== null) run(task); else refuse(task, unit, attention, NONE);\n    }',
  },
  {
    name: 'a reset tells everybody but the nexus that asked',
    file: 'scsi/task-manager.js',
    text: 'unit.reset();',
    becomes: 'unit.reset(); unit.attention.forget(request.nexus.index);',
  },
  {
    name: 'COMPARE AND WRITE holds nobody off',
    file: 'scsi/sbc/compare-and-write.js',
    text: 'extent: WRITES_EXTENT',
    becomes: 'extent: 0',
  },
  {
    name: 'an ACA condition does not stop what was about to begin',
    file: 'scsi/task-set.js',
    text: 'else if (this.#aca.active && this.#aca.blocks(task, this.#unit))\n                this.#disable(task);',
    becomes: '',
  },
  {
    name: 'an aborted ACA command is overtaken',
    file: 'scsi/task-set.js',
    text: 'task.attribute === HEAD_OF_QUEUE || task.attribute === ACA',
    becomes: 'task.attribute === HEAD_OF_QUEUE',
  },
];

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const WORK = join(ROOT, '.cache', 'mutants');

/** Plants one bug and simulates. Returns how the simulation ended: the seed that found it, or null. */
function findsIt(mutation: Mutation, seeds: number): string | null {
  const copy = join(WORK, `${process.pid}`);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const part of ['src', join('spec', 'simulation'), join('spec', 'support')]) {
    cpSync(join(ROOT, 'dist', part), join(copy, part), { recursive: true });
  }
  const file = join(copy, 'src', mutation.file);
  const text = readFileSync(file, 'utf8');
  if (text.split(mutation.text).length !== 2) {
    throw new Error(`"${mutation.name}": its text is not once in ${mutation.file}, mend the list`);
  }
  writeFileSync(
    file,
    text.replace(mutation.text, () => mutation.becomes),
  );
  const main = join(copy, 'spec', 'simulation', 'main.js');
  const ran = spawnSync(process.execPath, [main, '--seeds', String(seeds)], { encoding: 'utf8' });
  rmSync(copy, { recursive: true, force: true });
  if (ran.status === 0) return null;
  return /violation in world (\d+)/.exec(ran.stdout)?.[1] ?? `a crash: ${ran.stderr.slice(0, 400)}`;
}

/** Plants every bug in turn; returns how many were not found. */
export function runMutations(seeds: number, print: (line: string) => void): number {
  let missed = 0;
  for (const mutation of MUTATIONS) {
    const found = findsIt(mutation, seeds);
    if (found === null) missed += 1;
    print(`${found === null ? 'MISSED' : `found by world ${found}`}: ${mutation.name}`);
  }
  rmSync(WORK, { recursive: true, force: true });
  print(`${MUTATIONS.length - missed} of ${MUTATIONS.length} planted bugs found`);
  return missed;
}
