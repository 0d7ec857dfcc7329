/** Task management, unit attentions and residuals. */
import { blocks10 } from './capacity.ts';
import { type Check, expect, seen } from './check.ts';

export const TASK_CHECKS: readonly Check[] = [
  {
    command: 'INQUIRY',
    clause: 'SAM-5 5.4.2',
    check: 'a buffer larger than the data leaves a residual',
    async run(unit) {
      const { residualIn, dataIn } = await unit.run('12 00 00 00 24 00', { room: 100 });
      expect(residualIn === 64 && dataIn.length === 36, `residual ${residualIn} of 100`);
      return 'residual 64 of 100';
    },
  },
  {
    command: 'TEST UNIT READY',
    clause: 'SPC-4 6.47',
    check: 'a unit without attentions is ready, time after time',
    async run(unit) {
      for (let i = 0; i < 3; i += 1) {
        // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
        const result = await unit.plain('00 00 00 00 00 00');
        expect(result.status === 0, seen(result));
      }
      return 'GOOD';
    },
  },
  {
    command: 'READ(10)',
    clause: 'SAM-5 8.6',
    check: 'SIMPLE, ORDERED and HEAD OF QUEUE are taken',
    async run(unit) {
      const { blockBytes } = await unit.sizes();
      for (const attribute of ['simple', 'ordered', 'head'] as const) {
        const cdb = blocks10(0x28, 0, 1);
        const request = { lun: unit.lun, cdb, dataInBytes: blockBytes, attribute };
        // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
        const result = await unit.initiator.execute(request);
        expect(result.status === 0, `${attribute}: ${seen(result)}`);
      }
      return 'GOOD, each';
    },
  },
  {
    command: 'ABORT TASK SET',
    clause: 'SAM-5 7.3',
    check: 'completes with nothing to abort, and leaves no unit attention to its nexus',
    destructive: true,
    async run(unit) {
      await unit.initiator.abortTaskSet(unit.lun);
      const found = await unit.attentions();
      expect(found.length === 0, found.join(' '));
      return 'complete';
    },
  },
  {
    command: 'LOGICAL UNIT RESET',
    clause: 'SAM-5 7.7',
    check: 'completes, and its nexus gets one unit attention 6/29/xx',
    destructive: true,
    async run(unit) {
      await unit.initiator.logicalUnitReset(unit.lun);
      const found = await unit.attentions();
      expect(found.length === 1 && /^6\/29\//.test(found[0] ?? ''), found.join(' ') || 'none');
      return found.join(' ');
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SAM-5 5.14',
    check: 'neither reports nor clears a unit attention',
    destructive: true,
    async run(unit) {
      await unit.initiator.logicalUnitReset(unit.lun);
      const data = await unit.run('12 00 00 00 24 00', { room: 36 });
      expect(data.status === 0, `INQUIRY: ${seen(data)}`);
      const found = await unit.attentions();
      expect(/^6\/29\//.test(found[0] ?? ''), found.join(' ') || 'the attention is gone');
      return found.join(' ');
    },
  },
];
