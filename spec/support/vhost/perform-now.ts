/** A front end and its back end in one process and one turn. */
import { strict as assert } from 'node:assert';
import { checkReply, type FrontEnd } from '../../../src/initiator/vhost/front-end.ts';
import type { Steps } from '../../../src/initiator/vhost/handshake.ts';
import type { Reply } from '../../../src/initiator/vhost/message.ts';

/** Sends steps in a process that is the back end as well: `pump` lets it work. */
export function performNow(frontEnd: FrontEnd, steps: Steps, pump: () => void): void {
  let reply: Reply | null = null;
  for (;;) {
    const { value: step, done } = steps.next(reply);
    if (done === true) return;
    frontEnd.send(step);
    reply = null;
    pump();
    if (step.answer === 'none') continue;
    reply = frontEnd.socket.take();
    assert.ok(reply !== null, `request ${step.request} is answered`);
    checkReply(step, reply);
  }
}
