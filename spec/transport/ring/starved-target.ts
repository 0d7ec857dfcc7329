/** A target process with hardly any descriptors: echoes elements until its first guest detaches, then reports. */
import { drainEventFd, Poller } from '../../../src/libc.ts';
import type { RingAttachment } from '../../../src/transport/ring/attachment.ts';
import { RingListener } from '../../../src/transport/ring/listener.ts';
import { emptyElement, openFds } from './rig.ts';

const [path = ''] = process.argv.slice(2);
const listener = new RingListener({
  path,
  name: 'starved',
  maxRequestBytes: 1024,
  maxResponseBytes: 512,
});
const poller = new Poller();
poller.add(listener.fd);
const attachments = new Map<number, RingAttachment>();
const kicks = new Map<number, RingAttachment>();
const element = emptyElement();
let first: RingAttachment | null = null;
let ended = false;
process.stdout.write('listening\n');
// After the first use of standard output, which opens descriptors of its own.
const base = openFds();

function serve(attachment: RingAttachment): void {
  for (const pair of attachment.queuePairs) {
    do {
      while (pair.take(element)) pair.send(0x80, 1, 0, 0, 36, element.high, element.low);
      pair.flush();
    } while (!pair.arm());
  }
}

function receive(attachment: RingAttachment): void {
  const before = attachment.state;
  attachment.receive();
  if (before === 'greeting' && attachment.state === 'attached') {
    first ??= attachment;
    for (const fd of attachment.kickFds) {
      kicks.set(fd, attachment);
      poller.add(fd);
    }
    serve(attachment);
  }
  if (attachment.state !== 'gone') return;
  poller.remove(attachment.fd);
  attachments.delete(attachment.fd);
  for (const fd of attachment.kickFds) {
    poller.remove(fd);
    kicks.delete(fd);
  }
  attachment.close();
  if (attachment === first) ended = true;
}

while (!ended) {
  const ready = poller.wait(10_000);
  if (ready === 0) process.exit(5);
  for (let i = 0; i < ready; i += 1) {
    const fd = poller.readable(i);
    const kicked = kicks.get(fd);
    const attachment = attachments.get(fd);
    if (kicked !== undefined) {
      drainEventFd(fd);
      serve(kicked);
    } else if (attachment !== undefined) receive(attachment);
    else if (fd === listener.fd) {
      for (let next = listener.accept(); next !== null; next = listener.accept()) {
        attachments.set(next.fd, next);
        poller.add(next.fd);
      }
    }
  }
}
process.stdout.write(`${JSON.stringify({ base, end: openFds(), refusals: listener.refusals })}\n`);
listener.close();
