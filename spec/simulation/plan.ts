/** What kind of simulation a seed is: half of them plain, the others with the Control page fields that change the rules. */
import type { ModeValues } from './command.ts';
import type { Random } from './random.ts';
import { ACA, type Discipline, HEAD_OF_QUEUE, ORDERED, SIMPLE } from './task-set-model.ts';

export interface Plan {
  readonly steps: number;
  readonly nexuses: number;
  /** Blocks of each medium: the first is in the drive; a fixed disk has no other. */
  readonly media: readonly number[];
  /** Commands the task set has room for. */
  readonly room: number;
  readonly bounceBuffers: number;
  readonly discipline: Discipline;
  readonly mode: ModeValues;
  /** Chance of NACA = 1. */
  readonly naca: number;
  readonly attributes: readonly (readonly [number, number])[];
  /** Weight of task management functions; that of commands is 50. */
  readonly management: number;
  readonly faults: number;
  /** The capacity may grow. */
  readonly grows: boolean;
  /** Tags may be used twice. */
  readonly overlaps: boolean;
  /** Bytes of a data segment. */
  readonly split: number;
}

const PLAIN: Discipline = { tst: 0, qam: 0, qerr: 0, interlock: 0 };

function drawDiscipline(random: Random): Discipline {
  if (random.chance(0.55)) return PLAIN;
  return {
    tst: random.pick([0, 0, 1]),
    qam: random.pick([0, 0, 1]),
    qerr: random.pick([0, 0, 0, 1, 3]),
    interlock: random.pick([0, 0, 0, 2, 3]),
  };
}

export function drawPlan(random: Random): Plan {
  const discipline = drawDiscipline(random);
  // With QERR an ACA condition begins before its CHECK CONDITION is sent: the model could not tell what it may refuse.
  const naca = discipline.qerr === 0 && random.chance(0.25) ? 0.3 : 0;
  const late = discipline.qerr !== 0 || naca > 0;
  const mode: ModeValues = {
    ...discipline,
    tas: random.chance(0.5),
    swp: false,
    dSense: random.chance(0.2),
    wce: random.chance(0.7),
  };
  // With late statuses nobody knows which commands were sent for which medium.
  const removable = !late && random.chance(0.55);
  const mixed = random.chance(0.7);
  return {
    steps: 60 + random.below(180),
    nexuses: 2 + random.below(3),
    media: Array.from({ length: removable ? 2 + random.below(2) : 1 }, () => 32 + random.below(33)),
    room: random.chance(0.2) ? 2 + random.below(10) : 4096,
    bounceBuffers: random.chance(0.2) ? 1 + random.below(2) : 64,
    discipline,
    mode,
    naca,
    attributes: [
      [70, SIMPLE],
      [mixed ? 12 : 0, ORDERED],
      [mixed ? 8 : 0, HEAD_OF_QUEUE],
      [1, ACA],
    ],
    management: random.pick([0, 3, 3, 8]),
    faults: random.pick([0, 0, 0.02, 0.06]),
    grows: !late && random.chance(0.5),
    overlaps: discipline.qerr === 0,
    split: random.pick([512, 700, 65_536]),
  };
}
