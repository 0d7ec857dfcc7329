/** The tray of a drive whose medium can be removed, as commands move it (SBC-3 5.25, MMC-6 6.49). */
import { DONE, GONE, type StoreReply } from './contracts.ts';
import { ABORTED_OTHERWISE } from './log/self-test-results.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Medium } from './medium.ts';
import { unitOf } from './parameter-data.ts';
import { MEDIA_LOAD_OR_EJECT_FAILED, MEDIUM_NOT_PRESENT } from './sense-codes.ts';
import type { Task } from './task.ts';

/** Nothing is tested that was stopped or is gone (SPC-4 5.13.4.2). A good time to keep what was logged. */
export function quietens({ selfTest, logs }: LogicalUnit): void {
  selfTest.abort(ABORTED_OTHERWISE);
  logs.saveImplicitly();
}

/** Sends it out with the medium, which is flushed. What has begun beside it (a flush) still uses the store; then that is given back. */
export function moveOut(task: Task, medium: Medium): void {
  const unit = unitOf(task);
  if (!medium.loaded) {
    unit.finish(task);
    return;
  }
  medium.eject(unit, task.nexus);
  unit.target.rodTokens.revoke(unit);
  quietens(unit);
  unit.cachedWrites.stable(unit.cachedWrites.count);
  unit.whenMediumIdle(task, () => task.await(medium.changer?.ejected(task, unit) ?? DONE, ejected));
}

function ejected(task: Task, reply: StoreReply): void {
  if (reply !== DONE) task.check(MEDIA_LOAD_OR_EJECT_FAILED);
  unitOf(task).finish(task);
}

/** Takes it in, with what lies in it. */
export function moveIn(task: Task, medium: Medium): void {
  const unit = unitOf(task);
  if (medium.loaded) {
    unit.finish(task);
  } else if (medium.changer !== null) {
    task.await(medium.changer.load(task, unit), loaded);
  } else {
    medium.insert(unit, medium.generation + 1, task.nexus);
    unit.finish(task);
  }
}

function loaded(task: Task, reply: StoreReply): void {
  const unit = unitOf(task);
  if (reply === GONE) task.check(unit.medium?.absence || MEDIUM_NOT_PRESENT);
  else if (reply !== DONE) task.check(MEDIA_LOAD_OR_EJECT_FAILED);
  unit.finish(task);
}
