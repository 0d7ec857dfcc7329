/** Operational parameters of a session: what an initiator offers, what this target answers, what holds then (RFC 7143 clause 13). */
import type { TextPairs } from './text-keys.ts';

/** Longest data segment this target takes, and the longest sequence it asks for or sends. */
export const MAX_RECEIVE_BYTES = 262_144;
/** Longest data segment of a login, and of any PDU until something else is declared (13.12). */
export const DEFAULT_RECEIVE_BYTES = 8192;
const MAX_BURST_BYTES = 1_048_576;
const MAX_OUTSTANDING_R2T = 8;
const MIN_BYTES = 512;
const MAX_BYTES = 0xffffff;
/** Sessions are not kept after their connection: nothing to wait for, nothing to come back to. */
const TIME_TO_WAIT = 2;
const TIME_TO_RETAIN = 0;
/** RFC 7144: what SAM-3 and later have besides. Level 1 is RFC 7143, and holds when nobody names the key. */
const PROTOCOL_LEVEL = 2;

export interface Parameters {
  headerDigest: boolean;
  dataDigest: boolean;
  initialR2T: boolean;
  immediateData: boolean;
  /** What the initiator takes in one data segment. */
  maxSendBytes: number;
  maxBurstBytes: number;
  firstBurstBytes: number;
  maxOutstandingR2T: number;
  protocolLevel: number;
}

/** The values that hold when nobody names a key. */
export function defaultParameters(): Parameters {
  return {
    headerDigest: false,
    dataDigest: false,
    initialR2T: true,
    immediateData: true,
    maxSendBytes: DEFAULT_RECEIVE_BYTES,
    maxBurstBytes: 262_144,
    firstBurstBytes: 65_536,
    maxOutstandingR2T: 1,
    protocolLevel: 1,
  };
}

type Answer = string | null;

/** Answers one key, or null for a declaration that needs none. */
type Rule = (value: string, parameters: Parameters) => Answer;

const REJECT = 'Reject';
const IRRELEVANT = 'Irrelevant';
const NOT_UNDERSTOOD = 'NotUnderstood';

/** Digits, or 0x and digits; NaN when it is no number. */
function parseNumber(value: string): number {
  return /^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(value) ? Number(value) : Number.NaN;
}

function number(least: number, most: number, choose: (offered: number, p: Parameters) => number) {
  return (value: string, parameters: Parameters): Answer => {
    const offered = parseNumber(value);
    if (!(offered >= least && offered <= most)) return REJECT;
    return String(choose(offered, parameters));
  };
}

function flag(choose: (offered: boolean, p: Parameters) => boolean) {
  return (value: string, parameters: Parameters): Answer => {
    if (value !== 'Yes' && value !== 'No') return REJECT;
    return choose(value === 'Yes', parameters) ? 'Yes' : 'No';
  };
}

/** The first of the offered values that is known. */
function digest(set: (on: boolean, p: Parameters) => void) {
  return (value: string, parameters: Parameters): Answer => {
    const chosen = value.split(',').find((offer) => offer === 'CRC32C' || offer === 'None');
    if (chosen === undefined) return REJECT;
    set(chosen === 'CRC32C', parameters);
    return chosen;
  };
}

function declareReceive(value: string, parameters: Parameters): Answer {
  const bytes = parseNumber(value);
  if (!(bytes >= MIN_BYTES && bytes <= MAX_BYTES)) return REJECT;
  parameters.maxSendBytes = bytes;
  return null;
}

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  [
    'HeaderDigest',
    digest((on, p) => {
      p.headerDigest = on;
    }),
  ],
  [
    'DataDigest',
    digest((on, p) => {
      p.dataDigest = on;
    }),
  ],
  ['MaxConnections', number(1, 65535, () => 1)],
  [
    'InitialR2T',
    flag((offered, p) => {
      p.initialR2T = offered;
      return offered;
    }),
  ],
  [
    'ImmediateData',
    flag((offered, p) => {
      p.immediateData = offered;
      return offered;
    }),
  ],
  ['MaxRecvDataSegmentLength', declareReceive],
  [
    'MaxBurstLength',
    number(MIN_BYTES, MAX_BYTES, (offered, p) => {
      p.maxBurstBytes = Math.min(offered, MAX_BURST_BYTES);
      return p.maxBurstBytes;
    }),
  ],
  [
    'FirstBurstLength',
    number(MIN_BYTES, MAX_BYTES, (offered, p) => {
      p.firstBurstBytes = Math.min(offered, MAX_RECEIVE_BYTES);
      return p.firstBurstBytes;
    }),
  ],
  [
    'MaxOutstandingR2T',
    number(1, 65535, (offered, p) => {
      p.maxOutstandingR2T = Math.min(offered, MAX_OUTSTANDING_R2T);
      return p.maxOutstandingR2T;
    }),
  ],
  ['DefaultTime2Wait', number(0, 3600, (offered) => Math.max(offered, TIME_TO_WAIT))],
  ['DefaultTime2Retain', number(0, 3600, () => TIME_TO_RETAIN)],
  ['DataPDUInOrder', flag(() => true)],
  ['DataSequenceInOrder', flag(() => true)],
  ['ErrorRecoveryLevel', number(0, 2, () => 0)],
  [
    'iSCSIProtocolLevel',
    number(0, 31, (offered, p) => {
      p.protocolLevel = Math.min(offered, PROTOCOL_LEVEL);
      return p.protocolLevel;
    }),
  ],
  ['TaskReporting', (value) => (value.split(',').includes('RFC3720') ? 'RFC3720' : REJECT)],
  ['IFMarker', flag(() => false)],
  ['OFMarker', flag(() => false)],
  ['IFMarkInt', () => REJECT],
  ['OFMarkInt', () => REJECT],
]);

/** Keys that mean nothing in a discovery session (RFC 7143 clause 13, "Irrelevant when: SessionType=Discovery"). */
const NORMAL_ONLY: ReadonlySet<string> = new Set([
  'MaxConnections',
  'InitialR2T',
  'ImmediateData',
  'MaxBurstLength',
  'FirstBurstLength',
  'MaxOutstandingR2T',
  'DataPDUInOrder',
  'DataSequenceInOrder',
  'TaskReporting',
]);

/** Keys that only describe who speaks, and are handled by the login itself. */
const DECLARATIONS: ReadonlySet<string> = new Set([
  'InitiatorName',
  'InitiatorAlias',
  'TargetName',
  'SessionType',
]);

/** One negotiation, over as many requests as it takes. A key is negotiated once. */
export class Negotiation {
  readonly parameters: Parameters = defaultParameters();
  readonly #discovery: boolean;
  readonly #seen = new Set<string>();
  #declared = false;

  constructor(discovery: boolean) {
    this.#discovery = discovery;
  }

  /**
   * Answers to a request; in the operational stage this end declares its own values with the first of them. Null when a key
   * was negotiated before: the login fails (6.3).
   */
  answer(offers: TextPairs, operational: boolean): [string, string][] | null {
    const answers: [string, string][] = [];
    for (const [key, value] of offers) {
      if (DECLARATIONS.has(key)) continue;
      if (this.#seen.has(key)) return null;
      this.#seen.add(key);
      const answer = this.#answerOne(key, value);
      if (answer !== null) answers.push([key, answer]);
    }
    this.#settle();
    if (operational && !this.#declared) {
      this.#declared = true;
      answers.push(['MaxRecvDataSegmentLength', String(MAX_RECEIVE_BYTES)]);
    }
    return answers;
  }

  #answerOne(key: string, value: string): Answer {
    if (value === REJECT || value === IRRELEVANT || value === NOT_UNDERSTOOD) return null;
    const rule = RULES.get(key);
    if (rule === undefined) return NOT_UNDERSTOOD;
    if (this.#discovery && NORMAL_ONLY.has(key)) return IRRELEVANT;
    return rule(value, this.parameters);
  }

  /** FirstBurstLength never exceeds MaxBurstLength (13.14). */
  #settle(): void {
    const { parameters } = this;
    parameters.firstBurstBytes = Math.min(parameters.firstBurstBytes, parameters.maxBurstBytes);
  }
}

/** Answers a text request of the full feature phase, where only a few keys may be declared anew (13.12). */
export function renegotiate(offers: TextPairs, parameters: Parameters): [string, string][] {
  const answers: [string, string][] = [];
  for (const [key, value] of offers) {
    if (key === 'MaxRecvDataSegmentLength') {
      const answer = declareReceive(value, parameters);
      if (answer !== null) answers.push([key, answer]);
    } else if (RULES.has(key) || DECLARATIONS.has(key)) answers.push([key, REJECT]);
    else answers.push([key, NOT_UNDERSTOOD]);
  }
  return answers;
}
