/** A state directory as a daemon would have left it that has changed media very often. */
import { strict as assert } from 'node:assert';
import { StateDirectory } from '../../src/daemon/state.ts';

/** The medium of this drive has this generation for whoever starts with the directory next. No daemon may use it meanwhile. */
export function setGeneration(directory: string, lun: number, generation: number): void {
  const state = StateDirectory.open(directory);
  try {
    const inventory = state.readInventory();
    assert(inventory, 'a daemon has kept its units');
    const luns = inventory.luns.map((entry) =>
      entry.disk.lun === lun && entry.medium !== null
        ? { ...entry, medium: { ...entry.medium, generation } }
        : entry,
    );
    state.writeInventory({ ...inventory, luns });
  } finally {
    state.close();
  }
}
