/** One attachment as SRP sees it: its memory, how it spells LUNs, and the I_T nexuses of its channels (SRP r16a 4.5). */
import { assert } from '../../assert.ts';
import type { LunPresentation } from '../../scsi/lun.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import type { Target } from '../../scsi/target.ts';
import type { GuestMemory } from '../memory.ts';
import {
  CHANNELS_KEPT,
  CHANNELS_TERMINATED,
  MULTI_CHANNEL_SINGLE,
  NO_OTHER_CHANNEL,
  REJECT_CHANNEL_LIMIT,
  REJECT_NO_MULTI_CHANNEL,
  REJECT_NO_RESOURCES,
  REJECT_UNASSOCIABLE,
} from './iu.ts';
import type { LoginRequest } from './login.ts';
import { NO_PORT_IDENTIFIER } from './port-identifier.ts';

/** What a session asks of the channels it groups. */
export interface SessionChannel {
  /** Another login of the same nexus said single channel: log out with reason 4. Calls `leave` before it returns. */
  terminate(): void;
}

/** The channels of one I_T nexus. */
export interface SessionNexus {
  readonly nexus: Nexus;
  readonly key: string;
  readonly initiatorPort: string;
  readonly channels: Set<SessionChannel>;
}

export interface SrpSessionOptions {
  /** The guest's own name; may be empty. It is the identity of initiators without a port identifier. */
  readonly name: string;
  readonly memory: GuestMemory;
  readonly lunPresentation: LunPresentation;
  readonly target: Target;
  /** Most channels of one nexus; 1 refuses multi-channel logins. */
  readonly channelLimit?: number;
}

const DEFAULT_CHANNEL_LIMIT = 16;
const SRP_IDENTITY = 'srp:';

/** Numbers the identities of initiators that nothing identifies. */
let anonymousCount = 0;

export class SrpSession {
  readonly name: string;
  readonly memory: GuestMemory;
  readonly lunPresentation: LunPresentation;
  readonly target: Target;
  readonly #channelLimit: number;
  readonly #nexuses = new Map<string, SessionNexus>();
  /** MULTI-CHANNEL RESULT of the last successful `join`. */
  multiChannelResult = NO_OTHER_CHANNEL;

  constructor(options: SrpSessionOptions) {
    this.name = options.name;
    this.memory = options.memory;
    this.lunPresentation = options.lunPresentation;
    this.target = options.target;
    this.#channelLimit = options.channelLimit ?? DEFAULT_CHANNEL_LIMIT;
  }

  /** Initiator port identifiers (32 hexadecimal digits) of the nexuses that are logged in. */
  initiatorPorts(): string[] {
    return [...this.#nexuses.values()].map((joined) => joined.initiatorPort);
  }

  /** Nexus records of this session that are logged in. */
  nexuses(): Nexus[] {
    return [...this.#nexuses.values()].map((joined) => joined.nexus);
  }

  /** Takes a channel into the nexus its login names. Returns it, or the LOGIN_REJ reason. */
  join(channel: SessionChannel, request: LoginRequest): SessionNexus | number {
    if (!this.target.admits(this.name)) return REJECT_UNASSOCIABLE;
    const key = `${request.initiatorPort}:${request.targetPort}`;
    const existing = this.#nexuses.get(key);
    const single = request.multiChannelAction === MULTI_CHANNEL_SINGLE;
    if (!single && this.#channelLimit === 1) return REJECT_NO_MULTI_CHANNEL;
    if (!single && existing !== undefined) {
      if (existing.channels.size >= this.#channelLimit) return REJECT_CHANNEL_LIMIT;
      existing.channels.add(channel);
      this.multiChannelResult = CHANNELS_KEPT;
      return existing;
    }
    if (this.#isElsewhere(request.initiatorPort)) return REJECT_UNASSOCIABLE;
    if (existing !== undefined) for (const other of [...existing.channels]) other.terminate();
    const nexus = this.#login(key, request.initiatorPort);
    if (nexus === null) return REJECT_NO_RESOURCES;
    const { initiatorPort } = request;
    const joined: SessionNexus = { nexus, key, initiatorPort, channels: new Set([channel]) };
    this.#nexuses.set(key, joined);
    this.multiChannelResult = existing === undefined ? NO_OTHER_CHANNEL : CHANNELS_TERMINATED;
    return joined;
  }

  /** Takes a channel out of its nexus; the nexus is lost with its last channel. */
  leave(channel: SessionChannel, joined: SessionNexus): void {
    assert(joined.channels.delete(channel), 'a channel leaves the nexus it joined');
    if (joined.channels.size > 0) return;
    this.#nexuses.delete(joined.key);
    this.target.nexusLost(joined.nexus);
  }

  /** A port identifier names one initiator: while it is logged in through another attachment, nobody else may use it. */
  #isElsewhere(initiatorPort: string): boolean {
    if (initiatorPort === NO_PORT_IDENTIFIER) return false;
    const prefix = `${SRP_IDENTITY}${initiatorPort}:`;
    const own = new Set(this.nexuses());
    for (const nexus of this.target.nexuses.all()) {
      if (nexus.present && !own.has(nexus) && nexus.identity.startsWith(prefix)) return true;
    }
    return false;
  }

  /** Port identifiers identify; without them the attachment's name does; without that, or with it in use, nothing does. */
  #login(key: string, initiatorPort: string): Nexus | null {
    const { target, name } = this;
    const label = name === '' ? 'unnamed' : name;
    if (initiatorPort !== NO_PORT_IDENTIFIER)
      return target.login(`${SRP_IDENTITY}${key}`, label, false, initiatorPort);
    const identity = `name:${name}`;
    if (name !== '' && target.nexuses.find(identity)?.present !== true) {
      return target.login(identity, label, false);
    }
    anonymousCount += 1;
    return target.login(`anonymous:${anonymousCount}`, label, true);
  }
}
