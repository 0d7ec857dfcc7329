import { strict as assert } from 'node:assert';
import { disk, type Testbed } from '../../support/target.ts';
import {
  bytes,
  command,
  hex,
  manage,
  patched,
  type RawChannel,
  RawGuest,
  vector,
} from './raw-guest.ts';

const LIMIT = 6;
const READ = {
  cdb: '28000000 00000000 0100',
  formats: '01',
  descriptors: '00000000 00200000 00000000 00000200',
} as const;

/** How an initiator counts its credits (fact sheet 3.3). */
type Counting =
  /** As SRP says; nothing can reach it but responses. */
  | 'plain'
  /** As SRP says, and it takes CRED_REQ. */
  | 'cred-req'
  /** The Linux virtual SCSI client: adds one itself for each command its own function killed. */
  | 'linux';

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** An initiator that knows only what SRP tells it. */
class Model {
  readonly channel: RawChannel;
  readonly counting: Counting;
  credits = 0;
  /** Tags of commands in flight, and of functions with what they may kill. */
  readonly commands = new Set<string>();
  readonly functions = new Map<string, readonly string[]>();
  #tag = 0;
  #parked = 0;

  constructor(channel: RawChannel, counting: Counting) {
    this.channel = channel;
    this.counting = counting;
    channel.initialize();
    if (counting === 'linux') {
      channel.guest.put(0x2000, vector('M02'));
      channel.mad(patched(vector('M01'), 20, '00002000'));
      channel.received();
    }
    const answer = channel.ask(patched(vector('V01'), 26, counting === 'cred-req' ? '20' : '00'));
    this.credits = answer.readUInt32BE(4);
    assert.equal(this.credits, LIMIT);
    if (counting === 'cred-req') for (let i = 0; i < 3; i += 1) this.#park();
  }

  #park(): void {
    this.#parked += 1;
    const number = this.#parked.toString(16).padStart(8, '0');
    this.channel.park(`000000ee ${number}`, 0x4000 + (this.#parked % 4) * 0x400);
  }

  #spend(): string {
    assert(this.credits > 0);
    this.credits -= 1;
    this.#tag += 1;
    return `00000001 ${this.#tag.toString(16).padStart(8, '0')}`;
  }

  submit(held: boolean, attribute: string): void {
    const tag = this.#spend();
    this.commands.add(tag.replace(' ', ''));
    this.channel.send(command({ tag, attribute, ...(held ? READ : {}) }));
  }

  function(code: string, victim: string | undefined): void {
    const tag = this.#spend();
    const kills = code === '01' ? (victim === undefined ? [] : [victim]) : [...this.commands];
    this.functions.set(tag.replace(' ', ''), kills);
    this.channel.send(manage(code, { tag, managed: victim ?? '0'.repeat(16) }));
  }

  /** Reads what came; every rule an initiator can check is checked. */
  take(): void {
    for (const { element, iu } of this.channel.received()) {
      assert.equal(element.slice(0, 2), '80', 'the channel stays open');
      const tag = element.slice(16);
      const delta = iu.readInt32BE(4);
      this.credits += delta;
      assert(delta >= 1);
      if (iu[0] === 0x81) {
        this.channel.send(patched(vector('V51'), 8, tag));
        this.#park();
      } else {
        this.#answered(tag, iu);
      }
      assert(this.credits <= LIMIT, `${this.counting}: ${this.credits} credits of ${LIMIT}`);
    }
  }

  #answered(tag: string, iu: Buffer): void {
    const kills = this.functions.get(tag);
    if (kills === undefined) {
      assert(this.commands.delete(tag), `${tag} was not answered before`);
      return;
    }
    this.functions.delete(tag);
    assert.equal(hex(iu.subarray(36, 40)), '00000000');
    for (const victim of kills) {
      if (this.commands.delete(victim) && this.counting === 'linux') this.credits += 1;
    }
  }
}

function step(
  bed: Testbed,
  model: Model,
  other: RawChannel,
  next: (below: number) => number,
): void {
  const { held } = bed.store;
  const can = model.credits > 0 && !(model.counting === 'linux' && model.functions.size > 0);
  const victims = [...model.commands];
  const choice = next(10);
  if (choice < 5 && can) model.submit(next(3) > 0, next(4) === 0 ? '02' : '00');
  else if (choice === 5 && can) model.function('01', victims[next(Math.max(1, victims.length))]);
  else if (choice === 6 && can) {
    const codes = model.counting === 'linux' ? ['08'] : ['02', '04', '08'];
    model.function(codes[next(codes.length)] as string, undefined);
  } else if (choice === 7) {
    bed.unit.taskAbortedStatus = next(2) === 0;
    other.send(manage(next(2) === 0 ? '04' : '08'));
  } else if (held.length > 0) bed.store.releaseAt(next(held.length));
  model.take();
  other.received();
}

function run(counting: Counting, seed: number): void {
  const bed = disk({ blocks: 64 });
  const presentation = counting === 'linux' ? 'vscsi' : 'native';
  const guest = new RawGuest(bed, {
    name: 'a',
    presentation,
    requestLimit: LIMIT,
    slots: LIMIT + 2,
  });
  const neighbour = new RawGuest(bed, { name: 'b', requestLimit: 100, slots: 120 });
  neighbour.channel.open();
  const model = new Model(guest.channel, counting);
  const next = random(seed);
  bed.store.hold = true;
  for (let i = 0; i < 150; i += 1) step(bed, model, neighbour.channel, next);
  bed.store.hold = false;
  bed.store.releaseAll();
  model.take();
  assert.equal(model.functions.size, 0, 'every function was answered');
  assert.equal(model.credits, LIMIT, `seed ${seed}: no credit is lost`);
  if (counting === 'plain') assert.deepEqual([...model.commands], [], 'every command has an end');
  assert(guest.channel.port.idle());
  assert.deepEqual(guest.breaks, []);
  guest.close();
  neighbour.close();
}

describe('SRP credits: never exceeded, never lost', () => {
  for (const counting of ['plain', 'cred-req', 'linux'] as const) {
    it(`50 random histories of an initiator that counts the ${counting} way`, () => {
      for (let seed = 1; seed <= 50; seed += 1) run(counting, seed);
    });
  }

  it('a dropped command of an initiator nothing else reaches is told TASK ABORTED', () => {
    const bed = disk({ blocks: 64 });
    bed.unit.taskAbortedStatus = false;
    const a = new RawGuest(bed, { name: 'a' });
    const b = new RawGuest(bed, { name: 'b' });
    for (const guest of [a, b]) guest.channel.open();
    a.channel.clear('0000');
    bed.store.hold = true;
    a.channel.send(command(READ));
    b.channel.send(manage('04'));
    bed.store.releaseAll();
    const [answer] = a.channel.received();
    assert.equal(
      hex(answer?.iu.subarray(0, 20) ?? Buffer.alloc(0)),
      `c100000000000001${'00000000'}00000c99${'00000040'}`,
    );
    for (const guest of [a, b]) guest.close();
  });

  it('the parked buffer that is left is kept for T_LOGOUT', () => {
    const bed = disk({ blocks: 64 });
    bed.unit.taskAbortedStatus = false;
    const a = new RawGuest(bed, { name: 'a' });
    const b = new RawGuest(bed, { name: 'b' });
    b.channel.open();
    a.channel.open(patched(vector('V01'), 26, '20'));
    a.channel.clear('0000');
    a.channel.park('000000ee 00000001', 0x4000);
    bed.store.hold = true;
    a.channel.send(command(READ));
    b.channel.send(manage('04'));
    bed.store.releaseAll();
    assert.equal(a.channel.received()[0]?.iu[19], 0x40, 'one buffer is not enough for CRED_REQ');
    a.channel.element(bytes('80010000 00000010 00000001 00000000'));
    assert.equal(a.channel.received()[0]?.iu[0], 0x80);
    for (const guest of [a, b]) guest.close();
  });
});
