/** GET EVENT STATUS NOTIFICATION, polled: what has become of the disc since the nexus asked last (MMC-6). */
import { assert } from '../../../assert.ts';
import { bits, field, u } from '../../cdb.ts';
import { command, TOUCHES_NOTHING } from '../../command-table.ts';
import { answer, nexusIndexOf, unitOf } from '../../parameter-data.ts';
import { refuseField } from '../../sbc/access.ts';
import type { Task } from '../../task.ts';
import {
  CLASSES,
  MEDIA_CLASS,
  type MediaEvents,
  NO_CHANGE,
  type NotificationClass,
} from './media-events.ts';

const POLLED = bits(1, 0, 0);
const CLASS_REQUEST = u(4, 1);
const ALLOCATION_LENGTH = u(7, 2);

export const GET_EVENT_STATUS_NOTIFICATION = command(
  0x4a,
  'GET EVENT STATUS NOTIFICATION',
  10,
  { polled: POLLED, classes: CLASS_REQUEST, allocationLength: ALLOCATION_LENGTH },
  {
    data: 'in',
    medium: 'none',
    // Its events are no unit attentions, and it is how hosts poll.
    attention: 'ignore',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'MMC-6 6',
  },
);

/** Event header: what follows its first two bytes, NEA or the class, the classes there are. */
const HEADER_BYTES = 4;
const LENGTH_BYTES = 2;
/** Header and the one event descriptor. Windows gives the command up for good when it is less. */
const REPLY_BYTES = 8;
/** NEA: no event available, none of the classes is there. */
const NO_EVENT_AVAILABLE = 0x80;
const SUPPORTED = CLASSES.reduce((mask: number, each) => mask | (1 << each), 0);

/** Event parameters of the operational change class. */
const PERSISTENT_PREVENTED = 0x80;
const FEATURE_CHANGE = 0x0001;
/** Media status. */
const TRAY_OPEN = 0x01;
const MEDIA_PRESENT = 0x02;

/** Asynchronous notification is not there: POLLED is 1. */
export function getEventStatusNotification(task: Task): void {
  const { cdb } = task;
  if (field(cdb, POLLED) === 0) {
    refuseField(task, POLLED);
    return;
  }
  const events = unitOf(task).mediaEvents;
  assert(events !== null, 'an optical unit has events');
  const nexusIndex = nexusIndexOf(task);
  const allocationLength = field(cdb, ALLOCATION_LENGTH);
  const notificationClass = events.classFor(nexusIndex, field(cdb, CLASS_REQUEST));
  const reply = new Uint8Array(REPLY_BYTES);
  reply[3] = SUPPORTED;
  if (notificationClass === null) {
    reply[1] = HEADER_BYTES - LENGTH_BYTES;
    reply[2] = NO_EVENT_AVAILABLE;
    answer(task, reply, HEADER_BYTES, allocationLength);
    return;
  }
  reply[1] = REPLY_BYTES - LENGTH_BYTES;
  reply[2] = notificationClass;
  describe(reply, events, notificationClass, events.peek(nexusIndex, notificationClass));
  // Who asks for the header alone has not seen the event.
  if (allocationLength >= REPLY_BYTES && task.dataIn.bytes >= REPLY_BYTES) {
    events.told(nexusIndex, notificationClass);
  }
  answer(task, reply, REPLY_BYTES, allocationLength);
}

/** The event descriptor: the event, and how things are now. */
function describe(
  reply: Uint8Array,
  { medium }: MediaEvents,
  notificationClass: NotificationClass,
  event: number,
): void {
  reply[4] = event;
  if (notificationClass === MEDIA_CLASS) {
    const tray = medium?.place === 'tray' ? TRAY_OPEN : 0;
    reply[5] = tray | (medium?.loaded === true ? MEDIA_PRESENT : 0);
  } else {
    reply[5] = medium?.preventedPersistently === true ? PERSISTENT_PREVENTED : 0;
    reply[7] = event === NO_CHANGE ? 0 : FEATURE_CHANGE;
  }
}
