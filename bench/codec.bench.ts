/** Codecs of the hot path, benny: SRP_CMD by buffer-layout and by derived offsets, sense encoding, CDB usage check. */
import { Buffer } from 'node:buffer';
import { add, configure, suite } from 'benny';
import { bits, field, firstStrayBit, u, usageMap } from '../src/scsi/cdb.ts';
import {
  cdbPointer,
  encodeDescriptorSense,
  encodeFixedSense,
  packSense,
} from '../src/scsi/sense.ts';
import { CMD } from '../src/transport/srp/iu.ts';

export interface CodecResult {
  readonly suite: string;
  readonly name: string;
  /** Of one operation. */
  readonly nanoseconds: number;
  /** Relative margin of error in percent. */
  readonly margin: number;
}

/** Operations of one timed call, so that the clock of the harness does not count. */
const BATCH = 1000;
const { at: AT } = CMD;

const IU = Buffer.from(
  '0200000000010001' +
    '0000000112345678' +
    '00000000' +
    '0001000000000000' +
    '00000000' +
    '28000000100000000800000000000000',
  'hex',
);

const READ_10 = usageMap('READ(10)', 0x28, -1, 10, {
  rdprotect: bits(1, 7, 5),
  dpo: bits(1, 4, 4),
  fua: bits(1, 3, 3),
  lba: u(2, 4),
  group: bits(6, 4, 0),
  transferLength: u(7, 2),
  control: u(9, 1),
});
const LBA = u(2, 4);

/** What the measured code makes ends here, so that it cannot be left out. */
export let sink = 0;

type Step = (i: number) => number;

function batched(step: Step): () => void {
  return () => {
    let sum = 0;
    for (let i = 0; i < BATCH; i += 1) sum += step(i);
    sink = sum;
  };
}

function commandCases(): Record<string, Step> {
  const iu = Buffer.from(IU);
  const data = new DataView(iu.buffer, iu.byteOffset, iu.length);
  const out = Buffer.alloc(CMD.size);
  const outData = new DataView(out.buffer, out.byteOffset, out.length);
  const decoded = CMD.layout.decode(iu);
  return {
    'decode, buffer-layout': (i) => {
      iu[7] = i;
      const command = CMD.layout.decode(iu);
      return command.tagLow + command.formats + command.dataInCount;
    },
    'decode, derived offsets': (i) => {
      iu[7] = i;
      return (
        data.getUint8(AT.type) +
        data.getUint8(AT.flags) +
        data.getUint8(AT.formats) +
        data.getUint8(AT.dataOutCount) +
        data.getUint8(AT.dataInCount) +
        data.getUint32(AT.tagHigh) +
        data.getUint32(AT.tagLow) +
        data.getUint32(AT.lun) +
        data.getUint32(AT.lun + 4) +
        data.getUint8(AT.attribute) +
        data.getUint8(AT.additionalCdb) +
        data.getUint32(AT.cdb) +
        data.getUint32(AT.cdb + 4) +
        data.getUint32(AT.cdb + 8) +
        data.getUint32(AT.cdb + 12)
      );
    },
    'encode, buffer-layout': (i) => {
      CMD.layout.encode({ ...decoded, tagLow: i }, out);
      return out[15] as number;
    },
    'encode, derived offsets': (i) => {
      outData.setUint8(AT.type, 2);
      outData.setUint8(AT.flags, 0);
      outData.setUint8(AT.formats, 1);
      outData.setUint8(AT.dataOutCount, 0);
      outData.setUint8(AT.dataInCount, 1);
      outData.setUint32(AT.tagHigh, 1);
      outData.setUint32(AT.tagLow, i);
      outData.setUint32(AT.lun, 0x00010000);
      outData.setUint32(AT.lun + 4, 0);
      outData.setUint8(AT.attribute, 0);
      outData.setUint8(AT.additionalCdb, 0);
      outData.setUint32(AT.cdb, 0x28000000);
      outData.setUint32(AT.cdb + 4, i);
      outData.setUint32(AT.cdb + 8, 0);
      outData.setUint32(AT.cdb + 12, 0);
      return out[15] as number;
    },
  };
}

function senseCases(): Record<string, Step> {
  const bytes = new Uint8Array(64);
  const data = new DataView(bytes.buffer);
  const outOfRange = packSense(5, 0x21, 0);
  const invalidField = packSense(5, 0x24, 0);
  return {
    'fixed, information': (i) => encodeFixedSense(data, 0, outOfRange, i, -1),
    'fixed, field pointer': (i) =>
      encodeFixedSense(data, 0, invalidField, -1, cdbPointer(i & 15, 7)),
    'descriptor, information': (i) => encodeDescriptorSense(data, 0, outOfRange, i, -1),
  };
}

function cdbCases(): Record<string, Step> {
  const cdb = new Uint8Array(16);
  cdb.set([0x28, 0, 0, 0, 0x10, 0, 0, 0, 8, 0]);
  return {
    'READ(10), no stray bit': (i) => {
      cdb[5] = i;
      return firstStrayBit(READ_10, cdb);
    },
    'READ(10), LBA field': (i) => {
      cdb[5] = i;
      return field(cdb, LBA);
    },
  };
}

async function run(
  name: string,
  cases: Record<string, Step>,
  quick: boolean,
): Promise<CodecResult[]> {
  const options = quick ? { minSamples: 5, maxTime: 0.2 } : { minSamples: 20, maxTime: 1 };
  const summary = await suite(
    name,
    configure({ cases: options }),
    ...Object.entries(cases).map(([label, step]) => add(label, batched(step))),
  );
  return summary.results.map(({ name: label, details }) => ({
    suite: name,
    name: label,
    nanoseconds: (details.mean * 1e9) / BATCH,
    margin: details.relativeMarginOfError,
  }));
}

/** Runs every suite; `quick` in about two seconds. */
export async function codecBench(quick: boolean): Promise<CodecResult[]> {
  return [
    ...(await run('SRP_CMD', commandCases(), quick)),
    ...(await run('sense', senseCases(), quick)),
    ...(await run('CDB', cdbCases(), quick)),
  ];
}
