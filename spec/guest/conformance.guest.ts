/** iscsi-test-cu of libiscsi, family LINUX, on /dev/sg in the guest: ours held against a list of expectations, QEMU's own disk beside it. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { ROOT } from './support/places.ts';
import { note } from './support/report.ts';
import { type DiskSpec, QemuStorage, type Storage } from './support/storage.ts';

type Verdict = 'pass' | 'skip' | 'fail';

interface Expectation {
  readonly verdict: Exclude<Verdict, 'pass'>;
  readonly reason: string;
}

/** What is expected to be no pass, by test, and why. */
const EXPECTATIONS = JSON.parse(
  readFileSync(join(ROOT, 'spec', 'guest', 'conformance-expectations.json'), 'utf8'),
) as Readonly<Record<string, Expectation>>;

/** A disk for one test, which wants more of it than the standard does. */
interface Bed {
  readonly disk: DiskSpec;
  readonly label: string;
  readonly test: string;
  readonly why: string;
}

const DISK: DiskSpec = { lun: 0, sizeMiB: 200, serial: 'CONFORMANCE' };
const BEDS: readonly Bed[] = [
  {
    disk: { lun: 1, sizeMiB: 200, serial: 'CONFORMANCE-512N', physicalBytes: 512 },
    label: 'thin, physical blocks of 512 bytes',
    test: 'GetLBAStatus.UnmapSingle',
    why: 'asks for LBA i + 1 and wants a descriptor at i + blocks per physical block',
  },
  // Holes of an encrypted image read as noise.
  {
    disk: { lun: 2, sizeMiB: 200, serial: 'CONFORMANCE-NOISE', encrypted: true },
    label: 'thin, encrypted: LBPRZ = 0',
    test: 'WriteSame10.UnmapUntilEnd',
    why: 'unmaps by a block of FFh and wants zeros where LBPRZ = 1; such a block is written (SBC-3 5.43)',
  },
];
const RUN_MS = 400_000;
/** Bug T4 of the tool: over /dev/sg the right status of these is an error to it. */
const CONDITION_MET = [
  'Prefetch10.Flags',
  'Prefetch10.Simple',
  'Prefetch16.Flags',
  'Prefetch16.Simple',
];
/** Tests in the family, as conformance runs of other targets count them. */
const FAMILY = 155;

/**
 * One process for each test: some leave the tool in a state that fails those after them. CUnit counts skipped tests as
 * passed, so a test that says [SKIPPED] once its suite has begun is skipped here. Tests over several paths get two, those
 * with a bed of their own its disk. One line a test: NAME VERDICT LUN, then lines that begin with # about a failure.
 */
const runFamily = (beds: readonly Bed[]): string => `
cd /tmp
paths() { ls -d /sys/class/scsi_device/*:0:0:$1/device/scsi_generic/* | sed 's,.*/,/dev/,'; }
for test in $(iscsi-test-cu -l | sed -n 's/^LINUX\\.\\(.*\\..*\\)/\\1/p'); do
  lun=0
  ${beds.map(({ test, disk }) => `[ $test = ${test} ] && lun=${disk.lun}`).join('\n  ')}
  set -- $(paths $lun)
  devices=$1
  case $test in MultipathIO.*)
    devices="$1 $2"
    # What earlier tests changed through one path waits as a unit attention on the other; and the tool compares LBA 256
    # with zeros, but writes zeros up to LBA 255 only.
    { for i in 1 2 3 4; do sg_turs $2; done; dd if=/dev/zero of=$(disk 0) bs=4096 seek=32 count=1 conv=fsync; } > prepared 2>&1
  esac
  timeout 60 iscsi-test-cu -d -S -v -V -t LINUX.$test $devices > log 2>&1
  sed -n '/^Suite: /,$p' log > told
  verdict=pass
  grep -q '\\[SKIPPED\\]' told && verdict=skip
  [ "$(awk '$1 == "tests" { print $5 }' told)" = 0 ] || verdict=fail
  echo $test $verdict $lun
  if [ $verdict = fail ]; then { grep -E '\\[FAILED\\]|^ +[0-9]+\\. ' told || tail -3 log; } | head -4 | sed 's/^/# /'; fi
done
`;

interface Outcome {
  readonly verdict: Verdict;
  readonly lun: number;
  /** What the tool said about a failure. */
  readonly why: string[];
}

function parse(output: string): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  let last: Outcome | null = null;
  for (const line of output.split('\n')) {
    const [, test = '', verdict = '', lun = ''] =
      /^(\w+\.[\w-]+) (pass|skip|fail) (\d+)$/.exec(line) ?? [];
    if (test !== '') {
      last = { verdict: verdict as Verdict, lun: Number(lun), why: [] };
      outcomes.set(test, last);
    } else if (line.startsWith('#')) {
      last?.why.push(line.slice(1).trim());
    }
  }
  return outcomes;
}

async function judge(storage: Storage, beds: readonly Bed[]): Promise<Map<string, Outcome>> {
  const adapters = ['scsi0', 'scsi1'].flatMap((id) => storage.adapter({ id }));
  const guest = await Guest.boot({ options: adapters });
  try {
    return parse((await guest.run(runFamily(beds), RUN_MS)).output);
  } finally {
    await guest.kill();
    await storage.end();
  }
}

function counts(outcomes: ReadonlyMap<string, Outcome>): string {
  const of = (verdict: Verdict): number =>
    [...outcomes.values()].filter((outcome) => outcome.verdict === verdict).length;
  return `${of('pass')} pass, ${of('skip')} skip, ${of('fail')} fail of ${outcomes.size}`;
}

describe('iscsi-test-cu in the guest', function () {
  this.timeout(2 * RUN_MS);
  let ours: Map<string, Outcome>;

  before(async () => {
    const disks = [DISK, ...BEDS.map(({ disk }) => disk)];
    ours = await judge(await DaemonStorage.start(disks), BEDS);
    const theirs = await judge(new QemuStorage([DISK]), []);
    const table = [...theirs]
      .filter(([test, { verdict }]) => verdict !== ours.get(test)?.verdict)
      .map(([test, { verdict }]) => `  ${test}: ${ours.get(test)?.verdict}, QEMU ${verdict}`);
    const elsewhere = BEDS.map(
      ({ test, disk, label, why }) =>
        `  ${test}: ${ours.get(test)?.verdict} on LUN ${disk.lun} (${label}): the tool ${why}`,
    );
    note(
      `iscsi-test-cu, family LINUX, a process a test\n  ringscsi       ${counts(ours)}\n` +
        `  QEMU scsi-hd   ${counts(theirs)}\n${[...elsewhere, ...table].join('\n')}`,
    );
  });

  it('runs the whole family', () => {
    assert.equal(ours.size, FAMILY);
  });

  it('fails no test, and skips those whose commands are expected to be missing', () => {
    const surprises = [...ours].flatMap(([test, { verdict, why }]) => {
      const expected = EXPECTATIONS[test]?.verdict ?? 'pass';
      return verdict === expected
        ? []
        : [`${test}: ${verdict}, expected ${expected}`, ...why.map((line) => `  ${line}`)];
    });
    assert.deepEqual(surprises, []);
  });

  it('runs each test that a disk of its own is for on that disk', () => {
    for (const { test, disk } of BEDS) assert.equal(ours.get(test)?.lun, disk.lun, test);
  });

  it('fails where the tool takes CONDITION MET for an error, and nowhere else', () => {
    const failing = [...ours].filter(([, { verdict }]) => verdict === 'fail').map(([test]) => test);
    assert.deepEqual(failing.sort(), CONDITION_MET);
  });

  it('has a reason for every expectation, and none for a test that is not there', () => {
    for (const [test, { reason }] of Object.entries(EXPECTATIONS)) {
      assert.ok(ours.has(test), `${test} is in the family`);
      assert.ok(reason.length > 10, `${test} has a reason`);
    }
  });
});
