/** Who holds which authentication grant: a nexus uses only those it was given (MMC-6 REPORT KEY, SEND KEY). */
import { bits, field } from '../../scsi/cdb.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import type { Task } from '../../scsi/task.ts';
import { type Refusal, refusedField } from './filter.ts';

const REPORT_KEY = 0xa4;
const AGID = bits(10, 7, 6);
const FORMAT = bits(10, 5, 0);
/** Formats of REPORT KEY that name no grant: asking for one, and the region state. */
const ASK_FOR_GRANT = 0x00;
const REGION_STATE = 0x08;
const INVALIDATE = 0x3f;
const REPLY_AGID_AT = 7;
const REPLY_BYTES = 8;

export class KeyOwners {
  readonly #owners: (Nexus | null)[] = [null, null, null, null];

  /** 5/24/00 when the grant belongs to another nexus that is still there. */
  refusal(cdb: Uint8Array, nexus: Nexus): Refusal | null {
    const format = field(cdb, FORMAT);
    if (cdb[0] === REPORT_KEY && (format === ASK_FOR_GRANT || format === REGION_STATE)) return null;
    const owner = this.#owners[field(cdb, AGID)] ?? null;
    return owner === null || owner === nexus || !owner.present ? null : refusedField(AGID);
  }

  /** A command has succeeded: a grant was given, or ended. */
  heard(cdb: Uint8Array, task: Task, nexus: Nexus): void {
    const format = field(cdb, FORMAT);
    if (cdb[0] !== REPORT_KEY) return;
    if (format === INVALIDATE) {
      this.#owners[field(cdb, AGID)] = null;
    } else if (format === ASK_FOR_GRANT && task.dataInMoved >= REPLY_BYTES) {
      const reply = new Uint8Array(REPLY_BYTES);
      task.dataIn.get(0, reply, 0, REPLY_BYTES);
      this.#owners[(reply[REPLY_AGID_AT] as number) >> 6] = nexus;
    }
  }
}
