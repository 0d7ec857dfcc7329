/** The reactor: bounded spinning, timers, doorbells, sleep without lost work. Real eventfds, one thread. */
import { strict as assert } from 'node:assert';
import { close, createEventFd, signalEventFd } from '../../src/libc.ts';
import { Reactor, type Source } from '../../src/reactor/reactor.ts';
import { MAX_SPIN_US, SpinBudget } from '../../src/reactor/spin-budget.ts';
import { Timers } from '../../src/reactor/timers.ts';

class Queue implements Source {
  readonly doorbellFd = createEventFd();
  entries = 0;
  handled = 0;
  flushes = 0;
  armed = false;
  largestTake = 0;
  onHandled: () => void = () => undefined;

  poll(budget: number): number {
    const took = Math.min(budget, this.entries);
    this.entries -= took;
    this.handled += took;
    this.largestTake = Math.max(this.largestTake, took);
    if (took > 0) this.onHandled();
    return took;
  }
  flush(): void {
    this.flushes += 1;
  }
  arm(): boolean {
    this.armed = this.entries === 0;
    return this.armed;
  }
  disarm(): void {
    this.armed = false;
  }
  /** What a peer does: publish, then ring if asked to. */
  publish(count: number): void {
    this.entries += count;
    if (this.armed) signalEventFd(this.doorbellFd);
  }
}

describe('reactor', () => {
  it('serves what is there, at most a budget at a time, then sleeps until a doorbell', () => {
    const reactor = new Reactor(2);
    const queue = new Queue();
    queue.entries = 100;
    reactor.add(queue);
    let rung = false;
    const ring = (): void => {
      if (!queue.armed) {
        reactor.timers.after(5, ring);
        return;
      }
      rung = true;
      queue.publish(3);
    };
    reactor.timers.after(5, ring);
    queue.onHandled = () => {
      if (queue.handled === 103) reactor.stop();
    };
    reactor.run();
    assert.equal(rung, true);
    assert.ok(queue.largestTake <= 32);
    assert.ok(reactor.sleeps >= 1);
    reactor.remove(queue);
    close(queue.doorbellFd);
    reactor.close();
  });

  it('tidies after timers, before the next block', () => {
    const reactor = new Reactor(1);
    const sleepsAt: number[] = [];
    let due = false;
    reactor.timers.after(5, () => {
      due = true;
      sleepsAt.push(reactor.sleeps);
      // Not by stopping in the timer: the loop must come to the tidying by itself.
      reactor.timers.after(200, () => reactor.stop());
    });
    reactor.onTurn = () => {
      if (due && sleepsAt.length === 1) sleepsAt.push(reactor.sleeps);
      return false;
    };
    reactor.run();
    assert.deepEqual(sleepsAt[1], sleepsAt[0]);
    reactor.close();
  });

  it('settles after a source was polled and before it is flushed, and flushes every source for what came late', () => {
    const reactor = new Reactor(1);
    const [first, second] = [new Queue(), new Queue()];
    const order: string[] = [];
    first.entries = 1;
    first.onHandled = () => order.push('polled');
    reactor.settle = () => {
      if (order.length === 1) order.push(`settled, ${first.flushes} flushes`);
      return true;
    };
    reactor.onTurn = () => {
      if (first.handled > 0) reactor.stop();
      return false;
    };
    reactor.add(first);
    reactor.add(second);
    reactor.run();
    assert.deepEqual(order, ['polled', 'settled, 0 flushes']);
    assert.ok(first.flushes >= 1 && second.flushes >= 1);
    for (const queue of [first, second]) {
      reactor.remove(queue);
      close(queue.doorbellFd);
    }
    reactor.close();
  });

  it('settles and flushes what tidying let run before it sleeps, then tidies up after that', () => {
    const reactor = new Reactor(1);
    const queue = new Queue();
    const order: string[] = [];
    let untidy = true;
    reactor.onTurn = () => {
      order.push(`tidied after ${reactor.sleeps} sleeps`);
      const was = untidy;
      untidy = false;
      return was;
    };
    reactor.settle = () => {
      if (order.length === 1) order.push(`settled after ${reactor.sleeps} sleeps`);
      return false;
    };
    reactor.add(queue);
    reactor.timers.after(5, () => reactor.stop());
    queue.onHandled = () => undefined;
    queue.entries = 1;
    reactor.run();
    assert.deepEqual(order.slice(0, 3), [
      'tidied after 0 sleeps',
      'settled after 0 sleeps',
      'tidied after 0 sleeps',
    ]);
    assert.ok(queue.flushes >= 2, 'once for its entry, once for what tidying let run');
    reactor.remove(queue);
    close(queue.doorbellFd);
    reactor.close();
  });

  it('goes on when an entry came between the last look and arming', () => {
    const reactor = new Reactor(1);
    const queue = new Queue();
    let late = true;
    const arm = queue.arm.bind(queue);
    queue.arm = () => {
      if (late) {
        late = false;
        queue.entries = 1;
      }
      return arm();
    };
    queue.onHandled = () => reactor.stop();
    reactor.add(queue);
    reactor.run();
    assert.equal(queue.handled, 1);
    reactor.remove(queue);
    close(queue.doorbellFd);
    reactor.close();
  });

  it('T3: a source that never stops does not starve another, nor timers and descriptors', () => {
    const reactor = new Reactor(2);
    const greedy = new Queue();
    const modest = new Queue();
    greedy.entries = Number.MAX_SAFE_INTEGER;
    modest.entries = 1;
    const control = createEventFd();
    let heard = false;
    reactor.add(greedy);
    reactor.add(modest);
    reactor.watch(control, () => {
      heard = true;
    });
    signalEventFd(control);
    reactor.timers.after(20, () => reactor.stop());
    reactor.run();
    assert.equal(modest.handled, 1);
    assert.equal(heard, true);
    for (const queue of [greedy, modest]) {
      reactor.remove(queue);
      close(queue.doorbellFd);
    }
    reactor.unwatch(control);
    close(control);
    reactor.close();
  });

  it('arms a source that stays empty while another is busy, and hears it again', () => {
    const reactor = new Reactor(2);
    const busy = new Queue();
    const idle = new Queue();
    busy.entries = Number.MAX_SAFE_INTEGER;
    reactor.add(busy);
    reactor.add(idle);
    // No time is set by which it must be armed: a first turn can take longer than any.
    let published = false;
    busy.onHandled = () => {
      if (published || !idle.armed) return;
      published = true;
      idle.publish(1);
    };
    idle.onHandled = () => reactor.stop();
    reactor.timers.after(10_000, () => reactor.stop());
    reactor.run();
    assert.equal(published, true, 'it was armed while the other was busy');
    assert.equal(idle.handled, 1);
    for (const queue of [busy, idle]) {
      reactor.remove(queue);
      close(queue.doorbellFd);
    }
    reactor.close();
  });
});

describe('timers', () => {
  it('run in order of time, once, and not before', () => {
    let now = 0;
    const timers = new Timers(() => now);
    const ran: string[] = [];
    timers.after(30, () => ran.push('c'));
    timers.after(10, () => ran.push('a'));
    const b = timers.after(20, () => ran.push('b'));
    timers.after(10, () => {
      ran.push('a2');
      timers.after(0, () => ran.push('later'));
    });
    assert.equal(timers.untilNextMs(), 10);
    now = 10;
    assert.equal(timers.run(), 2);
    timers.cancel(b);
    now = 40;
    assert.equal(timers.run(), 2);
    assert.deepEqual(ran, ['a', 'a2', 'later', 'c']);
    assert.equal(timers.untilNextMs(), -1);
  });

  it('a timer that another one cancels is not called, though both are due', () => {
    let now = 0;
    const timers = new Timers(() => now);
    const ran: string[] = [];
    timers.after(10, () => {
      timers.cancel(victim);
      ran.push('first');
    });
    const victim = timers.after(10, () => ran.push('victim'));
    timers.after(10, () => ran.push('last'));
    now = 10;
    timers.run();
    assert.deepEqual(ran, ['first', 'last']);
  });
});

describe('spin budget', () => {
  it('grows on hits to its bound, shrinks to nothing on misses, and is off on one core', () => {
    const budget = new SpinBudget(2);
    assert.equal(budget.us, 0);
    for (let i = 0; i < 20; i += 1) budget.hit();
    assert.equal(budget.us, MAX_SPIN_US);
    for (let i = 0; i < 20; i += 1) budget.miss();
    assert.equal(budget.us, 0);
    budget.slept(20);
    assert.ok(budget.us > 0);
    const single = new SpinBudget(1);
    single.hit();
    assert.equal(single.us, 0);
  });
});
