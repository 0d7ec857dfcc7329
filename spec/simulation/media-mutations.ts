/** Bugs of drives: simulations whose medium can be removed have to find them, and no others can. */
import type { Mutation } from './mutations.ts';

export const MEDIA_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a command of an old medium is not stopped',
    file: 'gates.js',
    original: 'return task.mediumGeneration === unit.medium.generation ? 0 : MEDIUM_NOT_PRESENT;',
    planted: 'return 0;',
  },
  {
    name: 'SYNCHRONIZE CACHE of an old medium is about the new one',
    file: 'gates.js',
    original: '(row.extent === TOUCHES_NOTHING && row.lba === null)',
    planted: '(row.extent === TOUCHES_NOTHING)',
  },
  {
    name: 'a command that needs a medium does not look for it',
    file: 'gates.js',
    original: 'const absence = unit.medium?.absence ?? 0;',
    planted: 'const absence = 0;',
  },
  {
    name: 'the generation does not grow',
    file: 'medium.js',
    original: "this.#place = 'drive';\n        this.#generation = generation;",
    planted: "this.#place = 'drive';",
  },
  {
    name: 'nobody is told that the medium may have changed',
    file: 'medium.js',
    original:
      'unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED, by?.index ?? -1);',
    planted: '',
  },
  {
    name: 'a load is told to the nexus that asked for it',
    file: 'medium.js',
    original: 'by?.index ?? -1',
    planted: '-1',
  },
  {
    name: 'a medium that stays is no news',
    file: 'medium.js',
    original: 'unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED);',
    planted: '',
  },
  {
    name: 'commands begin on a medium that leaves',
    file: 'medium.js',
    original: "return this.#place === 'drive' && !this.#leaving;",
    planted: "return this.#place === 'drive';",
  },
  {
    name: 'a medium that the operator has lies in the tray',
    file: 'medium.js',
    original: "return this.#place === 'tray' ? MEDIUM_NOT_PRESENT_TRAY_OPEN :",
    planted: "return this.#place !== 'drive' ? MEDIUM_NOT_PRESENT_TRAY_OPEN :",
  },
  {
    name: 'REQUEST SENSE does not say that there is no medium',
    file: 'spc/request-sense.js',
    original: 'const absence = unit.medium?.absence ?? 0;',
    planted: 'const absence = 0;',
  },
  {
    name: 'an eject does not look at prevention',
    file: 'sbc/start-stop.js',
    original: 'else if (moves && medium?.prevented === true)',
    planted: 'else if (false)',
  },
  {
    name: 'an eject does not look at prevention again after its flush',
    file: 'sbc/start-stop.js',
    original: 'if (movesMedium(task) && isHeldFast(task))',
    planted: 'if (false)',
  },
  {
    name: 'an eject does not flush',
    file: 'sbc/start-stop.js',
    original: 'else if (quiets(task, condition) &&',
    planted: 'else if (!moves && quiets(task, condition) &&',
  },
  {
    name: 'an eject that was aborted goes on after its flush',
    file: 'sbc/start-stop.js',
    original: 'if (reply === DONE && !task.aborting) {',
    planted: 'if (reply === DONE) {',
  },
  {
    name: 'an eject does not wait for a flush beside it',
    file: 'tray.js',
    original: 'unit.whenMediumIdle(task, () => task.await(',
    planted: '((idle) => idle())(() => task.await(',
  },
  {
    name: 'an eject passes commands that work on the medium',
    file: 'sbc/start-stop.js',
    original: 'extent: WRITES_UNIT',
    planted: 'extent: 0',
  },
  {
    name: 'START = 0 stops a drive',
    file: 'sbc/start-stop.js',
    original: 'else if (unit.medium === null) {',
    planted: 'else if (unit.medium === null || field(task.cdb, LOEJ) === 0) {',
  },
  {
    name: 'MODE SELECT flushes a medium that leaves',
    file: 'spc/mode-select.js',
    original: 'block !== null && medium?.loaded !== false',
    planted: 'block !== null',
  },
  {
    name: 'a reset leaves the medium prevented',
    file: 'logical-unit.js',
    original: 'this.medium?.allow(null);',
    planted: '',
  },
  {
    name: 'a lost nexus leaves the medium prevented',
    file: 'target.js',
    original: 'unit.medium?.allow(nexus);',
    planted: '',
  },
  {
    name: 'the end of one prevention is that of all',
    file: 'medium.js',
    original: 'if (nexus === null)\n            this.#holders.clear();',
    planted: 'if (nexus !== undefined)\n            this.#holders.clear();',
  },
  {
    name: 'the operator does not wait for commands that have begun',
    file: '../luns/drive.js',
    original: 'unit.whenMediumIdle(null, () => {',
    planted: '((idle) => idle())(() => {',
  },
  {
    name: 'the operator does not look at prevention again after the flush',
    file: '../luns/drive.js',
    original: '!force && medium.prevented',
    planted: 'false',
  },
  {
    name: 'the operator’s medium does not wait for an eject that goes on',
    file: '../luns/drive.js',
    original: "mediumOf(unit).place === 'tray' && this.#disk.backing.kind !== 'none'",
    planted: 'false',
  },
  {
    name: 'a late answer of the operator is one to the next question',
    file: '../luns/drive.js',
    original: 'question.task = null;',
    planted: 'this.#asked.splice(this.#asked.indexOf(question), 1);',
  },
];
