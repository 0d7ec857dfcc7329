/** Who is there while the steps of the demo run: the cast, and its guests from when they are needed. */
import type { Cast, GuestProcess } from './demo-cast.ts';

export class Stage {
  readonly cast: Cast;
  #first: GuestProcess | null = null;
  #second: GuestProcess | null = null;

  constructor(cast: Cast) {
    this.cast = cast;
  }
  get first(): GuestProcess {
    this.#first ??= this.cast.guest('guest-1');
    return this.#first;
  }
  get second(): GuestProcess {
    this.#second ??= this.cast.guest('guest-2');
    return this.#second;
  }
}
