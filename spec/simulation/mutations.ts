/**
 * Bugs that the simulation has to find. Each is one change in a copy of the compiled core, made as text: nothing in the
 * core knows of it. A text that is not found fails loudly, so that the list keeps up with the core.
 */
import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MEDIA_MUTATIONS } from './media-mutations.ts';
import type * as run from './run.ts';

export interface Mutation {
  readonly name: string;
  /** Module of the core, below src/scsi. */
  readonly file: string;
  readonly original: string;
  readonly planted: string;
}

const CORE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'ORDERED does not wait for older commands',
    file: 'task-set.js',
    original: 'return task.previous === null;',
    planted: 'return true;',
  },
  {
    name: 'SIMPLE passes an older ORDERED command',
    file: 'task-set.js',
    original: 'if (older.attribute === ORDERED || conflict(older, task))',
    planted: 'if (conflict(older, task))',
  },
  {
    name: 'HEAD OF QUEUE waits like the others',
    file: 'task-set.js',
    original:
      'if (task.attribute === HEAD_OF_QUEUE)\n            return !this.#overlapsEnabled(task);',
    planted:
      'if (task.attribute === HEAD_OF_QUEUE)\n            return task.previous === null && !this.#overlapsEnabled(task);',
  },
  {
    name: 'unit attentions are kept by unit, not by nexus',
    file: 'unit-attention.js',
    original: 'take(nexusIndex) {',
    planted: 'take(_nexusIndex) { const nexusIndex = this.pending.findIndex((n) => n > 0);',
  },
  {
    name: 'MODE SELECT is reported to its causer',
    file: 'spc/mode-select.js',
    original: 'attentionForAll(MODE_PARAMETERS_CHANGED, nexusIndexOf(task))',
    planted: 'attentionForAll(MODE_PARAMETERS_CHANGED)',
  },
  {
    name: 'a reported unit attention is not cleared',
    file: 'task-set.js',
    original: 'this.#unit.attention.reported(nexus.index, sense);',
    planted: '',
  },
  {
    name: 'INQUIRY clears a unit attention',
    file: 'spc/inquiry.js',
    original: 'const unit = unitOf(task);',
    planted: 'const unit = unitOf(task); unit.attention.take(task.nexus.index);',
  },
  {
    name: 'a task management function is answered before what it aborts has ended',
    file: 'task-manager.js',
    original: 'taskSet.whenStopped(stopping, () => answer(request, FUNCTION_COMPLETE));',
    planted: 'answer(request, FUNCTION_COMPLETE);',
  },
  {
    name: 'CLEAR TASK SET sends no status to other nexuses with TAS = 1',
    file: 'task-set.js',
    original: '(task) => task.nexus !== nexus && taskAbortedStatus',
    planted: '() => false',
  },
  {
    name: 'TASK ABORTED is sent with TAS = 0',
    file: 'task-set.js',
    original: 'const { taskAbortedStatus, attention } = this.#unit;',
    planted: 'const { attention } = this.#unit; const taskAbortedStatus = true;',
  },
  {
    name: 'CLEAR TASK SET tells nobody with TAS = 0',
    file: 'task-set.js',
    original: 'attention.post(index, COMMANDS_CLEARED_BY_ANOTHER_INITIATOR);',
    planted: 'void attention;',
  },
  {
    name: 'overlapping commands change places',
    file: 'task-set.js',
    original: 'return writes(a) || writes(b);',
    planted: 'return false;',
  },
  {
    name: 'COMPARE AND WRITE is not exclusive',
    file: 'sbc/compare-and-write.js',
    original: 'extent: WRITES_EXTENT',
    planted: 'extent: 0',
  },
  {
    name: 'COMPARE AND WRITE writes whatever it finds',
    file: 'sbc/compare-and-write.js',
    original: 'if (different >= 0 || task.aborting) {',
    planted:
      'if (different >= 0) { const held = task.dataOut; held.get(half, bytes, 0, half); store.memory.set(bytes.subarray(0, half), position); }\n    if (different >= 0 || task.aborting) {',
  },
  {
    name: 'UNMAP does not hold up a later write',
    file: 'sbc/unmap.js',
    original: 'extent: WRITES_UNIT',
    planted: 'extent: 0',
  },
  {
    name: 'a command is executed although it reports a unit attention',
    file: 'device-server.js',
    original: 'if (attention !== 0) {',
    planted:
      'if (attention !== 0) { if (row?.writes && task.extentEnd === 1) unit.block.store.discard(task, 0, 512);',
  },
  {
    name: 'a command runs while a unit attention is pending',
    file: 'gates.js',
    original:
      "if (row !== null && row.attention !== 'report')\n        return 0;\n    return unit.attention.peek",
    planted:
      "if (row !== null && (row.attention !== 'report' || row.writes))\n        return 0;\n    return unit.attention.peek",
  },
  {
    name: 'the residual of a short read is wrong',
    file: 'sbc/read.js',
    original: 'task.dataInWanted = wanted;',
    planted: 'task.dataInWanted = Math.min(wanted, task.dataIn.bytes);',
  },
  {
    name: 'a reset does not tell nexus 0',
    file: 'logical-unit.js',
    original: 'this.attentionForAll(BUS_DEVICE_RESET_FUNCTION_OCCURRED);',
    planted: 'this.attentionForAll(BUS_DEVICE_RESET_FUNCTION_OCCURRED, 0);',
  },
  {
    name: 'a nexus that returns is not told of its loss',
    file: 'target.js',
    original: 'unit.attention.post(nexus.index, I_T_NEXUS_LOSS_OCCURRED);',
    planted: '',
  },
  {
    name: 'the slot of an aborted command is not given back',
    file: 'task-set.js',
    original: 'task.port.drop(task);',
    planted: '',
  },
  {
    name: 'a failed flush is told to nobody but who asked for it',
    file: 'sbc/store-fault.js',
    original: 'if (index !== told)',
    planted: 'if (index === told && index < 0)',
  },
  {
    name: 'a good flush leaves the writes before it suspect',
    file: 'sbc/cache.js',
    original: 'unit.cachedWrites.stable(task.position);',
    planted: '',
  },
  {
    name: 'a deferred error is told for ever',
    file: 'task-set.js',
    original: '!isDeferred && this.#unit.attentionInterlock !== INTERLOCK_NONE',
    planted: 'isDeferred || this.#unit.attentionInterlock !== INTERLOCK_NONE',
  },
  {
    name: 'SYNCHRONIZE CACHE does not flush',
    file: 'sbc/cache.js',
    original: 'block.store.flush(task)',
    planted: '0',
  },
  {
    name: 'FUA is ignored',
    file: 'sbc/write.js',
    original: 'const durable = forced || !unit.writeCacheEnabled;',
    planted: 'const durable = !unit.writeCacheEnabled;',
  },
  {
    name: 'the write cache is on whatever WCE says',
    file: 'sbc/write.js',
    original: 'const durable = forced || !unit.writeCacheEnabled;',
    planted: 'const durable = forced;',
  },
  {
    name: 'a failed write ends GOOD',
    file: 'sbc/write.js',
    original: 'if (reply === DONE) {',
    planted: 'if (reply !== 99) {',
  },
  {
    name: 'no space is a medium error',
    file: 'sbc/store-fault.js',
    original: 'return SPACE_ALLOCATION_FAILED_WRITE_PROTECT;',
    planted: 'return WRITE_ERROR;',
  },
  {
    name: 'a medium error names the block before',
    file: 'sbc/store-fault.js',
    original: 'Math.floor(bad / storedBlockBytes)',
    planted: 'Math.floor(bad / storedBlockBytes) - 1',
  },
  {
    name: 'software write protection is ignored',
    file: 'gates.js',
    original: 'return unit.softwareWriteProtect ?',
    planted: 'return false ?',
  },
  {
    name: 'a full task set says BUSY to everybody',
    file: 'task-set.js',
    original: 'ofNexus ? TASK_SET_FULL : BUSY',
    planted: 'BUSY',
  },
  {
    name: 'an overlapped tag runs as a second command',
    file: 'task-set.js',
    original: 'if (overlapped) {',
    planted: 'if (false) {',
  },
  {
    name: 'commands end while an ACA condition holds them',
    file: 'task-set.js',
    original:
      'if (this.#aca.active && this.#aca.blocks(task, this.#unit)) {\n                task.blocked = true;',
    planted: 'if (false) {\n                task.blocked = true;',
  },
  {
    name: 'a reset leaves the ACA condition',
    file: 'logical-unit.js',
    original: 'this.taskSet.clearAllAca();',
    planted: '',
  },
  {
    name: 'ORWRITE overwrites',
    file: 'sbc/or-write.js',
    original: 'bytes[i] = bytes[i] | piece[i];',
    planted: 'bytes[i] = piece[i];',
  },
  {
    name: 'looking at a unit attention takes it',
    file: 'gates.js',
    original: 'return unit.attention.peek(nexusIndex);\n}\n/** NOT READY',
    planted: 'return unit.attention.take(nexusIndex);\n}\n/** NOT READY',
  },
];

export const MUTATIONS: readonly Mutation[] = [...CORE_MUTATIONS, ...MEDIA_MUTATIONS];

/** dist/spec/simulation/mutations.js → dist. */
const DIST = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const PARTS = [
  'src/scsi',
  'src/luns',
  'src/assert.js',
  'src/record.js',
  'spec/simulation',
  'spec/support',
];

/** How often the text that a mutation changes is in its module. */
export function occurrences({ file, original }: Mutation): number {
  return readFileSync(join(DIST, 'src/scsi', file), 'utf8').split(original).length - 1;
}

/** Runs `use` with a copy of core and simulation in which the mutation is planted. */
async function planted<T>(mutation: Mutation, use: (simulation: typeof run) => T): Promise<T> {
  // Beside the original, so that it finds the same packages.
  const folder = mkdtempSync(join(DIST, 'mutation-'));
  try {
    mkdirSync(join(folder, 'src'));
    for (const part of PARTS) {
      const filter = (from: string): boolean => !/\.(map|d\.ts)$/.test(from);
      cpSync(join(DIST, part), join(folder, part), { recursive: true, filter });
    }
    // Foreign functions are declared once in a process.
    const libc = JSON.stringify(pathToFileURL(join(DIST, 'src/libc.js')).href);
    writeFileSync(join(folder, 'src/libc.js'), `export * from ${libc};\n`);
    const path = join(folder, 'src/scsi', mutation.file);
    assert.equal(occurrences(mutation), 1, `"${mutation.name}" has one place in ${mutation.file}`);
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text.replace(mutation.original, () => mutation.planted),
    );
    const url = pathToFileURL(join(folder, 'spec/simulation/run.js')).href;
    return use((await import(url)) as typeof run);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The first of `seeds` seeds that finds the mutation, with what it says; null when none does. */
export function hunt(
  mutation: Mutation,
  seeds: number,
): Promise<{ readonly seed: number; readonly message: string } | null> {
  return planted(mutation, ({ runSeed }) => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const failure = runSeed(seed);
      if (failure !== null) return { seed, message: failure.error.message };
    }
    return null;
  });
}
