/** Which command may run when (SAM-5 clause 8, 5.9; SPC-4 7.5.8 TST, QERR and QUEUE ALGORITHM MODIFIER). */
import { conflict, type ModelTask } from './model-task.ts';

export const SIMPLE = 0;
export const HEAD_OF_QUEUE = 1;
export const ORDERED = 2;
export const ACA = 4;

/** Control page fields that a simulation keeps from its begin to its end. */
export interface Discipline {
  readonly tst: number;
  readonly qam: number;
  readonly qerr: number;
  readonly interlock: number;
}

export class TaskSetModel {
  readonly discipline: Discipline;
  /** Commands that have not ended, in order of arrival. */
  readonly live: ModelTask[] = [];
  /** Nexuses whose ACA condition lasts. */
  readonly faulted = new Set<number>();

  constructor(discipline: Discipline) {
    this.discipline = discipline;
  }

  remove(task: ModelTask): void {
    this.live.splice(this.live.indexOf(task), 1);
  }

  liveOf(nexus: number): ModelTask[] {
    return this.live.filter((task) => task.nexus === nexus);
  }

  /** The faulted nexus of the ACA condition that commands of `nexus` meet, or -1. */
  governing(nexus: number): number {
    if (this.faulted.has(nexus)) return nexus;
    if (this.discipline.tst === 1) return -1;
    for (const faulted of this.faulted) return faulted;
    return -1;
  }

  /** Whether an ACA condition keeps the command from running and from ending. */
  held(task: ModelTask): boolean {
    const faulted = this.governing(task.nexus);
    return faulted >= 0 && !(task.nexus === faulted && task.attribute === ACA);
  }

  /** What an arriving command has to be answered at once, or nothing. */
  refusal(task: ModelTask, capacity: number): string {
    const faulted = this.governing(task.nexus);
    if (faulted >= 0 && task.nexus !== faulted) return task.command.naca ? '30' : '08';
    if (faulted >= 0) {
      const there = this.liveOf(faulted).some((other) => other.attribute === ACA);
      if (task.attribute !== ACA || there) return '30';
    }
    const own = this.liveOf(task.nexus);
    if (own.some((other) => other.tag === task.tag)) return 'b/4e/00';
    if (this.live.length >= capacity) return own.length > 0 ? '28' : '08';
    return task.attribute === ACA && faulted < 0 ? '5/49/00' : '';
  }

  /** A command whose effects may reach the medium now: no other one may touch its blocks. */
  runs(task: ModelTask): boolean {
    return task.started && !task.heldBack;
  }

  /**
   * Whether the rules let a command run now. `strict`: and the target has no liberty to let it wait. Between overlapping
   * commands of different nexuses no order is promised, but this target keeps the one of arrival (QAM = 0), and takes an
   * UNMAP to be about the whole unit.
   */
  mayRun(task: ModelTask, strict: boolean): boolean {
    if (task.aborted !== null || task.refusal !== '' || this.held(task)) return false;
    const busy = this.live.some(
      (other) => other !== task && this.runs(other) && conflict(task, other, strict),
    );
    if (busy) return false;
    if (task.attribute === HEAD_OF_QUEUE || task.attribute === ACA) return true;
    return this.live.every((other) => other === task || !this.#waitsFor(task, other, strict));
  }

  /** Whether `task`, which is SIMPLE or ORDERED, has to wait for the end of `other`. */
  #waitsFor(task: ModelTask, other: ModelTask, strict: boolean): boolean {
    // What was refused is no task of the set; this target keeps it there until it may be answered.
    if (other.refusal !== '' && !strict) return false;
    const sameNexus = other.nexus === task.nexus;
    if (this.discipline.tst === 1 && !sameNexus) return false;
    // An ACA command may outlive its ACA condition when it is aborted.
    if (other.attribute === HEAD_OF_QUEUE || (strict && other.attribute === ACA)) return true;
    if (other.id > task.id) return false;
    if (task.attribute === ORDERED || other.attribute === ORDERED) return true;
    if (this.discipline.qam === 1 || !(strict || sameNexus)) return false;
    return conflict(task, other, strict);
  }
}
