/** Files of recordable discs: made, kept, found again, and refused when they are not what they should be. */
import { strict as assert } from 'node:assert';
import {
  closeSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import {
  createBurnStore,
  openBurnStore,
  SlotJournal,
  slotMemory,
} from '../../../src/luns/disc/burn-store.ts';
import { DiscImageError } from '../../../src/luns/disc/disc-image.ts';
import { FileStore } from '../../../src/luns/store/file.ts';
import { encodeDiscState, newDiscState } from '../../../src/scsi/mmc/burn/disc-state.ts';
import { MEDIUM_KINDS } from '../../../src/scsi/mmc/burn/media.ts';
import { newPrivateTask } from '../../../src/scsi/private-task.ts';
import { inDirectory } from '../../support/burnt-file.ts';

describe('files of recordable discs', () => {
  it('are blank media of every kind, sparse, and found again', () => {
    inDirectory((path) => {
      for (const kind of MEDIUM_KINDS) {
        const file = path(`${kind}.disc`);
        createBurnStore(file, kind);
        const { state, sequence } = openBurnStore(file);
        assert.deepEqual([state, sequence], [newDiscState(kind), 1]);
        assert.ok(statSync(file).blocks < 4096, kind);
      }
    });
  });

  it('never take the place of a file', () => {
    inDirectory((path) => {
      writeFileSync(path('a'), 'mine');
      assert.throws(() => createBurnStore(path('a'), 'cd-r'), DiscImageError);
      assert.equal(readFileSync(path('a'), 'utf8'), 'mine');
    });
  });

  it('keep states in turn, through the system calls of a file store', () => {
    inDirectory((path) => {
      createBurnStore(path('a'), 'dvd+r');
      const found = openBurnStore(path('a'));
      const store = new FileStore({
        fd: openSync(path('a'), 'r+'),
        bytes: found.bytes,
        readOnly: false,
      });
      const journal = new SlotJournal(store, found, slotMemory());
      for (const layerBreak of [16, 32, 48]) {
        const state = { ...found.state, layerBreak };
        assert.equal(journal.save(newPrivateTask(), encodeDiscState(state)), 0);
        const { state: again, sequence } = openBurnStore(path('a'));
        assert.deepEqual([again, sequence], [state, 1 + layerBreak / 16]);
      }
      store.close();
    });
  });

  function refusal(change: (file: string) => void): string {
    let message = '';
    inDirectory((path) => {
      createBurnStore(path('a'), 'cd-r');
      change(path('a'));
      assert.throws(
        () => openBurnStore(path('a')),
        (error) => {
          assert.ok(error instanceof DiscImageError);
          assert.ok(error.message.startsWith(`Cannot use the recordable disc "${path('a')}": `));
          message = error.message.slice(error.message.indexOf('": ') + 3);
          return true;
        },
      );
    });
    return message;
  }

  function patch(file: string, position: number, bytes: Uint8Array | string): void {
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.from(bytes as string), 0, bytes.length, position);
    closeSync(fd);
  }

  it('are refused with what is wrong and what helps', () => {
    assert.equal(
      refusal((file) => writeFileSync(file, 'CD001 something else')),
      'it is the file of no recordable disc, make one with media create',
    );
    assert.match(
      refusal((file) => patch(file, 20, 'x')),
      /^its header is damaged/,
    );
    assert.match(
      refusal((file) => truncateSync(file, 3_000_000)),
      /^it has 3000000 bytes, not \d+: it was cut/,
    );
    assert.match(
      refusal((file) => patch(file, 65536 + 60, 'torn')),
      /^neither of its states is whole/,
    );
  });
});
