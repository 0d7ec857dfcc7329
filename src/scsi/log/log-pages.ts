/** The log pages of a disk (SPC-4 7.3, SBC-3 6.4). No parameter has a threshold. */
import type { LogicalUnit } from '../logical-unit.ts';
import {
  ACTIVE,
  type Condition,
  IDLE_A,
  IDLE_B,
  IDLE_C,
  STANDBY_Y,
  STANDBY_Z,
} from '../power-condition.ts';
import {
  ASCII_LIST,
  BINARY_LIST,
  BOUNDED_COUNTER,
  type LogPage,
  type LogParameter,
  UNBOUNDED_COUNTER,
} from './log-page.ts';
import { RESULT_BYTES, RESULTS } from './self-test-results.ts';
import {
  BYTES_READ,
  BYTES_RECEIVED,
  BYTES_TRANSMITTED,
  BYTES_WRITTEN,
  IDLE_TIME,
  READ_COMMANDS,
  READ_ERRORS,
  READ_TIME,
  WRITE_COMMANDS,
  WRITE_ERRORS,
  WRITE_TIME,
} from './unit-logs.ts';

const TWO_32 = 2 ** 32;

function u64(count: number): Uint8Array {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(Math.floor(count)));
  return value;
}

function u32(count: number): Uint8Array {
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, Math.min(count, TWO_32 - 1));
  return value;
}

/** A count that LOG SELECT can set to any number we can count from. */
function settable({ logs }: LogicalUnit, code: number, index: number): LogParameter {
  return {
    code,
    format: BOUNDED_COUNTER,
    value: u64(logs.count(index)),
    set: (value) => {
      const wanted = Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0));
      if (wanted > Number.MAX_SAFE_INTEGER) return false;
      logs.setCount(index, wanted);
      return true;
    },
    reset: () => logs.setCount(index, 0),
  };
}

const binary = (code: number, value: Uint8Array): LogParameter => ({
  code,
  format: BINARY_LIST,
  value,
});

/** Parameter codes of the error counter pages (SPC-4 table 360). */
const TOTAL_BYTES_PROCESSED = 0x0005;
const TOTAL_UNCORRECTED_ERRORS = 0x0006;

const WRITE_ERROR_COUNTERS: LogPage = {
  code: 0x02,
  name: 'Write error counters',
  savable: true,
  parameters: (unit) => [
    settable(unit, TOTAL_BYTES_PROCESSED, BYTES_WRITTEN),
    settable(unit, TOTAL_UNCORRECTED_ERRORS, WRITE_ERRORS),
  ],
};

const READ_ERROR_COUNTERS: LogPage = {
  code: 0x03,
  name: 'Read error counters',
  savable: true,
  parameters: (unit) => [
    settable(unit, TOTAL_BYTES_PROCESSED, BYTES_READ),
    settable(unit, TOTAL_UNCORRECTED_ERRORS, READ_ERRORS),
  ],
};

/** No temperature is known. */
const NO_TEMPERATURE = 0xff;

const TEMPERATURE: LogPage = {
  code: 0x0d,
  name: 'Temperature',
  savable: false,
  parameters: () => [binary(0x0000, Uint8Array.of(0, NO_TEMPERATURE))],
};

const ACCOUNTING_DATE = 0x0002;
const START_STOP_CYCLES = 0x0004;
const LOAD_UNLOAD_CYCLES = 0x0006;
const isPrintable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

/** When it was made, and what it was made for, nobody knows: those parameters are not there. */
const START_STOP_CYCLE_COUNTER: LogPage = {
  code: 0x0e,
  name: 'Start-stop cycle counter',
  savable: true,
  parameters: ({ logs, medium }) => [
    {
      code: ACCOUNTING_DATE,
      format: ASCII_LIST,
      value: logs.date,
      set: (value) => {
        if (!value.every(isPrintable)) return false;
        logs.date = value;
        return true;
      },
    },
    binary(START_STOP_CYCLES, u32(logs.startStopCycles)),
    ...(medium === null ? [] : [binary(LOAD_UNLOAD_CYCLES, u32(logs.loadUnloadCycles))]),
  ],
};

const NO_TEST = new Uint8Array(RESULT_BYTES);

const SELF_TEST_RESULTS: LogPage = {
  code: 0x10,
  name: 'Self-test results',
  savable: true,
  parameters: ({ logs }) =>
    Array.from({ length: RESULTS }, (_, i) => binary(i + 1, logs.selfTests.all[i] ?? NO_TEST)),
};

/** General Access Statistics and Performance (SPC-4 7.3.6.2). */
const ACCESS_STATISTICS = 0x0001;
const STATISTICS_BYTES = 64;
/** Idle Time (SPC-4 7.3.6.3), and Time Interval (7.3.5.7): 1 * 10^-6 s. */
const IDLE = 0x0002;
const TIME_INTERVAL = 0x0003;
const MICROSECOND = Uint8Array.of(0, 0, 0, 6, 0, 0, 0, 1);
const INTERVALS_PER_MS = 1000;
const STATISTICS = [
  ...[READ_COMMANDS, WRITE_COMMANDS, BYTES_RECEIVED, BYTES_TRANSMITTED],
  ...[READ_TIME, WRITE_TIME],
];

/** Commands, blocks, and how long they took. The weighted fields are zero: commands have no priority here (SPC-4 7.3.6.2). */
const GENERAL_STATISTICS: LogPage = {
  code: 0x19,
  name: 'General statistics and performance',
  savable: true,
  parameters: ({ logs, block }) => {
    const value = new Uint8Array(STATISTICS_BYTES);
    const blockBytes = block?.blockBytes ?? 1;
    value.set(u64(logs.count(READ_COMMANDS)), 0);
    value.set(u64(logs.count(WRITE_COMMANDS)), 8);
    value.set(u64(logs.count(BYTES_RECEIVED) / blockBytes), 16);
    value.set(u64(logs.count(BYTES_TRANSMITTED) / blockBytes), 24);
    value.set(u64(logs.count(READ_TIME) * INTERVALS_PER_MS), 32);
    value.set(u64(logs.count(WRITE_TIME) * INTERVALS_PER_MS), 40);
    const reset = (): void => {
      for (const index of STATISTICS) logs.setCount(index, 0);
    };
    return [
      { code: ACCESS_STATISTICS, format: UNBOUNDED_COUNTER, value, reset },
      {
        code: IDLE,
        format: UNBOUNDED_COUNTER,
        value: u64(logs.count(IDLE_TIME) * INTERVALS_PER_MS),
        reset: () => logs.setCount(IDLE_TIME, 0),
      },
      binary(TIME_INTERVAL, MICROSECOND),
    ];
  },
};

/** Parameter codes of accumulated transitions (SPC-4 7.3.14). */
const TRANSITIONS: readonly (readonly [number, Condition])[] = [
  [0x0001, ACTIVE],
  [0x0002, IDLE_A],
  [0x0003, IDLE_B],
  [0x0004, IDLE_C],
  [0x0008, STANDBY_Z],
  [0x0009, STANDBY_Y],
];

const POWER_CONDITION_TRANSITIONS: LogPage = {
  code: 0x1a,
  name: 'Power condition transitions',
  savable: true,
  parameters: ({ logs }) =>
    TRANSITIONS.map(([code, condition]) => ({
      code,
      format: UNBOUNDED_COUNTER,
      value: u32(logs.transitionsTo(condition)),
    })),
};

const INFORMATIONAL_EXCEPTIONS: LogPage = {
  code: 0x2f,
  name: 'Informational exceptions',
  savable: false,
  parameters: ({ exceptions }) => [
    binary(0x0000, Uint8Array.of(exceptions.code, exceptions.qualifier, NO_TEMPERATURE, 0)),
  ],
};

/** In ascending order of page code. */
export const LOG_PAGES: readonly LogPage[] = [
  WRITE_ERROR_COUNTERS,
  READ_ERROR_COUNTERS,
  TEMPERATURE,
  START_STOP_CYCLE_COUNTER,
  SELF_TEST_RESULTS,
  GENERAL_STATISTICS,
  POWER_CONDITION_TRANSITIONS,
  INFORMATIONAL_EXCEPTIONS,
];
