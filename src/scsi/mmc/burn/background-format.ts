/** A format that goes on while the disc is used (DVD+RW, MMC-6 4.5.6): it comes to its end by itself, if nobody stops it. */
import type { LogicalUnit } from '../../logical-unit.ts';
import { driveOf } from '../optical-drive.ts';
import { factsOf } from './media.ts';
import type { RecordableDisc } from './recordable-disc.ts';

export class BackgroundFormat {
  #cancel: (() => void) | null = null;

  /** It goes on, if the disc is being formatted; `busy` says when it has to wait for what a command does. */
  goOn(unit: LogicalUnit, disc: RecordableDisc, busy: () => boolean): void {
    this.stop();
    if (disc.state.format?.background !== 'running') return;
    const { timers } = unit.target;
    const drive = driveOf(unit);
    const end = (): void => {
      this.#cancel = null;
      const { format } = disc.state;
      if (format?.background !== 'running') return;
      if (busy()) {
        wait(AGAIN_MS);
        return;
      }
      // Kept with what is kept next: a disc that is found again as one that was stopped is legal.
      disc.adopt({ ...disc.state, format: { ...format, background: 'complete' } });
      drive.events.formatCompleted();
    };
    const wait = (ms: number): void => {
      const timer = timers.after(ms, end);
      this.#cancel = () => timers.cancel(timer);
    };
    // It takes its time in every drive: hosts see that it is under way, and go on with it.
    wait(drive.laserMs(factsOf(disc.state.kind).blocks));
  }

  /** Nobody formats this disc any more: it has left, or it was stopped. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

const AGAIN_MS = 1000;
