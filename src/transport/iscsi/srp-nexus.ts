/**
 * The SRP initiator behind one iSCSI session: a link to the target, its initiator port, and memory for data. Everything an
 * iSCSI initiator does enters the core through it.
 */
import { Arena } from '../arena.ts';
import type { Link, LinkQueue } from '../link.ts';
import type { MemoryRegion } from '../memory.ts';
import { CRQ_COMMAND, FORMAT_MESSAGE, STATUS_PING } from '../srp/channel.ts';
import type { SrpCommand, SrpManagement } from '../srp/initiator-command.ts';
import { DEFAULT_SLOT_BYTES, initiatorPortBytes, SrpInitiatorPort } from '../srp/initiator-port.ts';

const POLL_BUDGET = 64;
/** How long the queue is polled after the last answer before the doorbell is armed. */
const SPIN_MS = 0.1;

export interface SrpNexusOptions {
  readonly link: Link;
  /** Text for the target's operator. */
  readonly name: string;
  /** Port identifiers, 16 bytes each. */
  readonly initiatorPort: Uint8Array;
  readonly targetPort: Uint8Array;
  /** Commands that can be with the target. */
  readonly commands: number;
}

/** The target did not take the login. */
export class NexusRefusedError extends Error {
  readonly code = 'ERR_NEXUS';
  /** Reason of the LOGIN_REJ, or 0. */
  readonly reason: number;
  constructor(reason: number, text: string) {
    super(`Cannot log in to the target: ${text}`);
    this.reason = reason;
  }
}

export class SrpNexus {
  readonly arena: Arena;
  readonly region: MemoryRegion;
  /** Called after answers have come in: there may be credits and memory again. */
  onTurn: () => void = () => undefined;
  /** The nexus is gone, without having been asked to; everything outstanding has ended with LOST. */
  onLost: (why: string) => void = () => undefined;
  readonly #link: Link;
  readonly #queue: LinkQueue;
  readonly #port: SrpInitiatorPort;
  #scheduled = false;
  #armed = false;
  #over = false;
  #spinUntilMs = 0;
  #opened: (() => void) | null = null;
  #refused: ((error: Error) => void) | null = null;
  #ponged: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  private constructor(options: SrpNexusOptions) {
    const { link, commands } = options;
    const portBytes = initiatorPortBytes(commands);
    this.#link = link;
    this.#queue = link.queuePairs[0] as LinkQueue;
    this.region = link.memory.regions[0] as MemoryRegion;
    this.arena = new Arena(link.arenaOffset + portBytes, link.arenaBytes - portBytes);
    this.#port = new SrpInitiatorPort(this.#queue, {
      iuOffset: link.arenaOffset,
      slotBytes: DEFAULT_SLOT_BYTES,
      commands,
      initiatorPort: options.initiatorPort,
      targetPort: options.targetPort,
      name: options.name,
      events: {
        onOpen: () => this.#opened?.(),
        onRefused: (_port, reason, text) => this.#refused?.(new NexusRefusedError(reason, text)),
        // Not from inside the port's own `poll`.
        onLost: (_port, text) => setImmediate(() => this.#lost(text)),
        onAsynchronousEvent: () => undefined,
        onPong: () => this.#ponged?.(),
      },
    });
    link.watch(
      () => this.#wake(),
      (why) => this.#port.lose(why),
    );
  }

  /** Logs in. Rejects with NexusRefusedError; the link is closed then. */
  static async open(options: SrpNexusOptions): Promise<SrpNexus> {
    const nexus = new SrpNexus(options);
    try {
      await new Promise<void>((resolve, reject) => {
        nexus.#opened = resolve;
        nexus.#refused = reject;
        nexus.#port.start();
        nexus.kick();
      });
    } catch (error) {
      await nexus.close();
      throw error;
    }
    return nexus;
  }

  /** Sends a command; false when it must wait for the next turn. */
  submit(command: SrpCommand): boolean {
    if (this.#over || !this.#port.submit(command)) return false;
    this.kick();
    return true;
  }

  /** Sends a task management function; false when it must wait for the next turn. */
  manage(request: SrpManagement): boolean {
    if (this.#over || !this.#port.manage(request)) return false;
    this.kick();
    return true;
  }

  /** Logs out; resolves when the target has ended the nexus and everything that went with it, or is gone itself. */
  async logout(): Promise<void> {
    if (this.#over) return;
    await new Promise<void>((resolve) => {
      this.#ponged = resolve;
      this.#port.logout();
      // No answer to a logout is defined; a PING behind it is answered when the target has acted on it.
      if (!this.#queue.send(CRQ_COMMAND, FORMAT_MESSAGE, STATUS_PING, 0, 0, 0, 0)) resolve();
      this.kick();
    });
    await this.close();
  }

  /** Ends it at once. No byte of the memory may be touched after this call. Outstanding commands are not called back. */
  close(): Promise<void> {
    this.#over = true;
    this.#ponged?.();
    this.#closing ??= this.#link.close();
    return this.#closing;
  }

  /** Looks for answers soon, and rings the target's doorbell for what was sent. */
  kick(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    if (this.#armed) this.#disarm();
    this.#spinUntilMs = performance.now() + SPIN_MS;
    setImmediate(() => this.#turn());
  }

  #lost(why: string): void {
    this.#refused?.(new NexusRefusedError(0, why));
    this.#ponged?.();
    if (!this.#over) this.onLost(why);
  }

  #wake(): void {
    this.#armed = false;
    this.kick();
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#over) return;
    this.#port.flush();
    const handled = this.#port.poll(POLL_BUDGET);
    if (this.#over) return;
    if (handled > 0) this.onTurn();
    if (this.#over) return;
    this.#port.flush();
    const nowMs = performance.now();
    if (handled > 0) this.#spinUntilMs = nowMs + SPIN_MS;
    if (this.#scheduled) return;
    if (handled > 0 || (this.#port.outstanding > 0 && nowMs < this.#spinUntilMs)) this.#again();
    else this.#arm();
  }

  #again(): void {
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #arm(): void {
    if (this.#queue.arm()) {
      this.#armed = true;
      return;
    }
    this.#disarm();
    this.#again();
  }

  #disarm(): void {
    this.#armed = false;
    this.#queue.disarm();
  }
}
