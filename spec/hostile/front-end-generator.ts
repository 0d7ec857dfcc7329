/** Hostile front ends by the number: case `index` of a seed is the same whatever ran before it. */
import { BackEnd, Pair } from '../support/vhost/back-end.ts';
import { Seeded } from '../transport/control/seeded.ts';
import { checkHealthy, DescriptorCount } from './generated-case.ts';
import { MessageGenerator } from './generated-messages.ts';
import { RingGenerator } from './generated-rings.ts';

/** One case of so many is about messages, the others are about rings. */
const MESSAGES_ONE_IN = 16;
/** The healthy guest works, and descriptors are counted, after so many cases. */
const CHECK_EVERY = 64;
const SLOW_MS = 10;

/** A case that failed, with what it takes to see it again. */
export class HostileCaseError extends Error {
  constructor(seed: number, index: number, cause: unknown) {
    const text = cause instanceof Error ? cause.stack : String(cause);
    super(`case ${index} of seed ${seed} (--seed ${seed} --index ${index}): ${text}`, { cause });
  }
}

export class FrontEndGenerator {
  readonly #seed: number;
  readonly #backEnd = new BackEnd();
  readonly #healthy: Pair;
  readonly #messages: MessageGenerator;
  readonly #rings: RingGenerator;
  readonly #descriptors: DescriptorCount;

  constructor(seed: number) {
    this.#seed = seed;
    this.#healthy = new Pair(this.#backEnd).attach();
    const slow = { operation: 'read', firstLba: 4096, lastLba: 8191, delayMs: SLOW_MS } as const;
    this.#backEnd.inventory.inject(0, [slow]);
    this.#messages = new MessageGenerator(this.#backEnd);
    this.#rings = new RingGenerator(this.#backEnd);
    this.#messages.run(new Seeded(0));
    this.#descriptors = new DescriptorCount();
  }

  /** Runs cases `from` to `to` - 1. Throws HostileCaseError. */
  run(from: number, to: number): void {
    for (let index = from; index < to; index += 1) {
      try {
        this.#case(index);
        if (index % CHECK_EVERY === 0 || index === to - 1) {
          checkHealthy(this.#backEnd, this.#healthy);
        }
      } catch (error) {
        throw new HostileCaseError(this.#seed, index, error);
      }
    }
  }

  end(): void {
    this.#messages.end();
    this.#rings.end();
    this.#healthy.end();
    this.#backEnd.end();
  }

  #case(index: number): void {
    const random = new Seeded(Math.imul(this.#seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
    if (index % MESSAGES_ONE_IN === 0) {
      this.#messages.run(random);
      this.#descriptors.check();
    } else {
      this.#rings.run(random);
    }
  }
}
