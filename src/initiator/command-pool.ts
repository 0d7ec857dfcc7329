/** SRP commands of one connection, made when first needed and used again, each bound to the request it carries. */
import { SrpCommand } from '../transport/srp/initiator-command.ts';
import type { Request } from './request.ts';

export class CommandPool {
  readonly #free: SrpCommand[] = [];
  readonly #requests = new Map<SrpCommand, Request>();
  readonly #done: (command: SrpCommand) => void;

  /** `ended` is called when a command of this pool ends; the command goes back by `give`. */
  constructor(ended: (command: SrpCommand, request: Request) => void) {
    this.#done = (command) => {
      const request = this.#requests.get(command);
      if (request !== undefined) ended(command, request);
    };
  }

  take(request: Request): SrpCommand {
    const command = this.#free.pop() ?? this.#make();
    this.#requests.set(command, request);
    return command;
  }

  give(command: SrpCommand): void {
    this.#requests.delete(command);
    command.dataIn.clear();
    command.dataOut.clear();
    this.#free.push(command);
  }

  #make(): SrpCommand {
    const command = new SrpCommand();
    command.done = this.#done;
    return command;
  }
}
