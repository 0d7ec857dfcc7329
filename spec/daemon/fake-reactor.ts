/** A stand-in for the reactor thread: records what it is asked, answers as told. For the choreography of the daemon only. */
import { closeSync, fstatSync } from 'node:fs';
import type {
  ReactorEvent,
  ReactorHandle,
  ReactorReply,
  ReactorRequest,
} from '../../src/daemon/reactor-messages.ts';

export class FakeReactor implements ReactorHandle {
  readonly requests: ReactorRequest[] = [];
  readonly ended: Promise<number>;
  /** Answers of the kinds that are not answered with ok. */
  readonly answers = new Map<ReactorRequest['kind'], () => ReactorReply | Promise<ReactorReply>>();
  onEvent: (event: ReactorEvent) => void = () => undefined;
  #end: (code: number) => void = () => undefined;
  readonly #descriptors = new Map<number, number>();

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  readonly start = (options: {
    readonly onEvent: (event: ReactorEvent) => void;
  }): Promise<ReactorHandle> => {
    this.onEvent = options.onEvent;
    return Promise.resolve(this);
  };

  async call(request: ReactorRequest): Promise<ReactorReply> {
    this.requests.push(request);
    const reply = await (this.answers.get(request.kind)?.() ?? { ok: true as const });
    if (reply.ok) this.#act(request);
    return reply;
  }

  kinds(): string[] {
    return this.requests.map((request) => request.kind);
  }

  /** The thread ends, asked or not; its descriptors stay open, as those of a thread do. */
  end(code: number): void {
    this.#end(code);
  }

  #act(request: ReactorRequest): void {
    if (request.kind === 'addDisk' && 'fd' in request.disk.backing) {
      const { fd } = request.disk.backing;
      fstatSync(fd);
      this.#descriptors.set(request.disk.lun, fd);
    }
    if (request.kind === 'removeUnit') {
      const fd = this.#descriptors.get(request.lun);
      if (fd !== undefined) closeSync(fd);
      this.#descriptors.delete(request.lun);
    }
    if (request.kind === 'shutdown') this.end(0);
  }
}
