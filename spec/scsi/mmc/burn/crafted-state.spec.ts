/** Files of recordable discs that somebody has made up: each is refused as an image that is none, or is a legal disc; nothing else ever comes of it. */
import { strict as assert } from 'node:assert';
import {
  burnStoreBytes,
  newBurnStoreBytes,
  readBurnStore,
  SlotJournal,
} from '../../../../src/luns/disc/burn-store.ts';
import { DiscImageError } from '../../../../src/luns/disc/disc-image.ts';
import {
  type DiscState,
  decodeDiscState,
  encodeDiscState,
} from '../../../../src/scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import { faultOf } from '../../../../src/scsi/mmc/burn/state-fault.ts';
import { newPrivateTask } from '../../../../src/scsi/private-task.ts';
import { burner, selectWrite, writeBlocks } from '../../../support/burner.ts';
import { plainSlotMemory } from '../../../support/burnt-file.ts';
import { SparseStore } from '../../../support/sparse-store.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';

type Json = Record<string, unknown>;

/** A disc with a closed session, an open one with a track, and a track of it that is reserved or open. */
function burnt(kind: MediumKind): DiscState {
  const { a, disc } = burner(kind);
  selectWrite(a, '40c508');
  writeBlocks(a, 0, 64);
  for (const cdb of [SYNC, '5b 00 01 00 00 ff 00 00 00 00', CLOSE_SESSION]) a.run(cdb);
  a.run('53 00 00 00 00 00 00 00 80 00');
  writeBlocks(a, disc.tracks.find(({ state }) => state === 'reserved')?.start ?? 0, 32);
  a.run(SYNC);
  return disc.state;
}

const STATES: readonly DiscState[] = [
  burnt('cd-r'),
  burnt('dvd-r'),
  burnt('bd-r'),
  burner('dvd-ram').disc.state,
];

const UNLIKELY: readonly unknown[] = [undefined, null, 'x', -1, 1.5, 2 ** 53, [null], {}];

/** Every path to a value in `value`. */
function paths(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inside = Object.entries(value).flatMap(([key, each]) => paths(each, [...path, key]));
  return path.length === 0 ? inside : [path, ...inside];
}

function changed(state: DiscState, path: readonly string[], to: unknown): Json {
  const copy = structuredClone(state) as unknown as Json;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Json;
  const last = path.at(-1) as string;
  if (to === undefined) delete at[last];
  else at[last] = to;
  return copy;
}

/** Opens the file of a medium whose state is `value`: DiscImageError, or what was found. */
function opened(kind: MediumKind, value: unknown): DiscState | DiscImageError {
  const store = new SparseStore(burnStoreBytes(kind));
  store.begin(newBurnStoreBytes(kind));
  const read = (position: number, length: number): Uint8Array => store.memory.get(position, length);
  const found = readBurnStore('made-up.disc', read, burnStoreBytes(kind));
  const task = newPrivateTask();
  const bytes = encodeDiscState(value as DiscState);
  assert.equal(new SlotJournal(store, found, plainSlotMemory()).save(task, bytes), 0);
  try {
    return readBurnStore('made-up.disc', read, burnStoreBytes(kind)).state;
  } catch (error) {
    if (error instanceof DiscImageError) return error;
    throw error;
  }
}

/** Burns on with a disc, which must neither fail inside nor become illegal. */
function burnOn(state: DiscState): void {
  const { a, disc, bed } = burner(state.kind, { state });
  bed.target.onInternalError = (error) => assert.fail(String(error));
  selectWrite(a, '40c508');
  for (const { nextWritable } of disc.tracks) {
    if (nextWritable !== null) writeBlocks(a, nextWritable, 32);
  }
  for (const cdb of [
    SYNC,
    '5b 00 01 00 00 01 00 00 00 00',
    CLOSE_SESSION,
    '43 00 00 00 00 00 00 00 ff 00',
    '51 00 00 00 00 00 00 00 22 00',
    '28 00 00 00 00 00 00 00 01 00',
  ]) {
    a.run(cdb, { in: 2048 });
  }
  assert.equal(faultOf(disc.state), null);
}

describe('a file of a recordable disc that somebody has made up', () => {
  for (const state of STATES) {
    it(`${state.kind}: any field of it replaced by what does not belong there`, () => {
      assert.deepEqual(opened(state.kind, state), state);
      let refused = 0;
      for (const path of paths(state)) {
        for (const to of UNLIKELY) {
          const found = opened(state.kind, changed(state, path, to));
          if (found instanceof DiscImageError) refused += 1;
          else burnOn(found);
        }
      }
      assert.ok(refused > 100, `${refused} were refused`);
    });
  }

  it('is told what is wrong', () => {
    const [state] = STATES as [DiscState];
    const says = (path: string, to: unknown): string =>
      String(opened('cd-r', changed(state, path.split(' '), to)));
    assert.match(says('tracks', [null]), /the disc\.tracks\[0\] is not described/);
    assert.match(says('format', undefined), /the disc\.format is not described/);
    assert.match(says('runs 0 first', 'x'), /the disc\.runs\[0\]\.first is no number of blocks/);
    assert.match(says('tracks 0 isrc', 12), /the disc\.tracks\[0\]\.isrc is no such text/);
    assert.match(says('kind', 'cd-x'), /the disc\.kind is no medium/);
    assert.match(says('final', 'no'), /neither true nor false/);
  });

  it('is refused with sectors where the next is to be written, and behind its tracks', () => {
    const [state] = STATES as [DiscState];
    const last = state.tracks.at(-1);
    assert(last !== undefined && last.next < last.end);
    const run = { blocks: 1, form: 'mode1', stored: 'user', sub: false };
    for (const [first, what] of [
      [last.next + 1, /has sectors where the next is to be written/],
      [last.end + 200, /it has sectors behind its last track/],
    ] as const) {
      const found = opened('cd-r', changed(state, ['runs'], [...state.runs, { first, ...run }]));
      assert.match(String(found), what);
    }
  });

  it('is legal with a reserved track that is full, and joins the next', () => {
    const { a, disc, bed } = burner('dvd+r');
    bed.target.onInternalError = (error) => assert.fail(String(error));
    a.run('53 00 00 00 00 00 00 00 10 00');
    writeBlocks(a, 16, 16);
    a.run('5b 00 01 00 00 02 00 00 00 00');
    writeBlocks(a, 0, 16);
    assert.equal(disc.state.runs.length, 1);
    assert.equal(faultOf(disc.state), null);
    assert.equal(a.run(SYNC).sense, '');
  });

  it('is no state at all', () => {
    for (const bytes of ['', '{', 'null', '[]', '1', '{"layout":1}', '{"layout":2}', '\u00ff']) {
      assert.equal(typeof decodeDiscState(Buffer.from(bytes, 'latin1')), 'string', bytes);
    }
  });
});
