/** Other people's software reads our responses: sg3_utils and sdparm, fed with hex. Run by `npm run test:judges`. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hex } from '../support/direct-port.ts';
import { disk } from '../support/target.ts';

/** What a tool says when it does not like what it reads; each seen in sg3_utils or sdparm sources. */
const COMPLAINTS =
  /too short|too long|malformed|unexpected|invalid|not supported|error|bad |truncated|expected/i;

describe('judges: sg3_utils and sdparm on our responses', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringscsi-judge-'));
  const bed = disk({ blocks: 2 ** 21, thin: true, serial: 'JUDGE-0001' });
  const nexus = bed.nexus('judge').clear();

  after(() => rmSync(folder, { recursive: true }));

  /** Runs a tool on the data-in of a command and returns what it printed. */
  function judge(cdb: string, tool: string, options: (file: string) => string[]): string {
    const outcome = nexus.run(cdb, { in: 0xffff });
    assert.equal(outcome.status, 0, `${cdb}: ${outcome.sense}`);
    const file = join(folder, 'response.hex');
    writeFileSync(file, `${hex(outcome.dataIn)}\n`);
    const ran = spawnSync(tool, options(file), { encoding: 'utf8' });
    assert.equal(ran.error, undefined, `${tool} runs`);
    assert.equal(ran.stderr, '', `${tool} has nothing to complain about`);
    assert.equal(ran.status, 0, `${tool} exits 0: ${ran.stdout}`);
    return ran.stdout;
  }

  it('sg_inq reads the standard INQUIRY data', () => {
    const said = judge('12 00 00 00 ff 00', 'sg_inq', (file) => [
      `--inhex=${file}`,
      '--descriptors',
    ]);
    assert.match(said, /PQual=0 +(Device_type|PDT)=0 /);
    assert.match(said, /version=0x06 +\[SPC-4\]/);
    assert.match(said, /NormACA=1 .*HiSUP=1 .*Resp_data_format=2/);
    assert.match(said, /CmdQue=1/);
    assert.match(said, /SAM-5 \(no version claimed\)/);
    assert.match(said, /SPC-4 \(no version claimed\)/);
    assert.match(said, /SBC-3 \(no version claimed\)/);
    assert.match(said, /Vendor identification: RINGSCSI/);
  });

  const pages: readonly (readonly [string, RegExp])[] = [
    ['00', /Supported VPD pages/],
    ['80', /Unit serial number: *JUDGE-0001/],
    ['83', /NAA|T10 vendor identification/],
    [
      '8f',
      /Populate token[\s\S]*copy manager LU \[0xffff\][\s\S]*point in time copy - change vulnerable[\s\S]*block device zero/,
    ],
    ['b0', /Maximum transfer length: [1-9]/],
    ['b1', /Non-rotating medium/],
    ['b2', /Unmap command supported \(LBPU\): 1/],
  ];
  for (const [page, expected] of pages) {
    it(`sg_vpd reads page ${page}h and has no complaint`, () => {
      const said = judge(`12 01 ${page} ff ff 00`, 'sg_vpd', (file) => [
        `--inhex=${file}`,
        `--page=0x${page}`,
      ]);
      assert.match(said, expected);
      // Brackets explain a zero: "0 [not reported]".
      assert.doesNotMatch(said.replace(/\[[^\]]*\]/g, ''), COMPLAINTS);
    });
  }

  const modes: readonly (readonly [string, RegExp])[] = [
    ['01', /AWRE +/],
    ['08', /WCE +1/],
    ['0a', /D_SENSE +0/],
    ['1c', /MRIE +/],
  ];
  for (const [page, expected] of modes) {
    it(`sdparm reads mode page ${page}h from MODE SENSE(10)`, () => {
      const said = judge(`5a 08 ${page} 00 00 00 00 ff ff 00`, 'sdparm', (file) => [
        '--long',
        '--all',
        `--inhex=${file}`,
      ]);
      assert.match(said, expected);
    });
    it(`sdparm reads mode page ${page}h from MODE SENSE(6)`, () => {
      const said = judge(`1a 08 ${page} 00 ff 00`, 'sdparm', (file) => [
        '--six',
        '--long',
        '--all',
        `--inhex=${file}`,
      ]);
      assert.match(said, expected);
    });
  }

  it('sg_decode_sense reads fixed sense with INFORMATION and field pointer', () => {
    const beyond = nexus.run('28 00 00 20 00 00 00 00 01 00', { in: 512 });
    const fixed = spawnSync('sg_decode_sense', hex(beyond.senseBytes).split(' '), {
      encoding: 'utf8',
    });
    assert.match(fixed.stdout, /Fixed format, current; *Sense key: Illegal Request/);
    assert.match(fixed.stdout, /Logical block address out of range/);
    assert.match(fixed.stdout, /0x200000|2097152/);
    const stray = nexus.run('28 20 00 00 00 00 00 00 01 00', { in: 512 });
    const pointed = spawnSync('sg_decode_sense', hex(stray.senseBytes).split(' '), {
      encoding: 'utf8',
    });
    assert.match(pointed.stdout, /Invalid field in cdb/);
    assert.match(pointed.stdout, /Error in Command: byte 1 bit 5/);
  });

  it('sg_decode_sense reads descriptor sense with 64-bit INFORMATION', () => {
    const page = nexus.run('1a 08 0a 00 ff 00', { in: 255 }).dataIn.slice();
    page[0] = 0;
    page[2] = 0;
    page[4 + 2] = (page[4 + 2] as number) | 0x04;
    const length = page.length.toString(16).padStart(2, '0');
    assert.equal(nexus.run(`15 10 00 00 ${length} 00`, { out: page }).status, 0);
    const far = nexus.run('88 00 00 00 00 12 34 56 78 9a 00 00 00 01 00 00', { in: 512 });
    const said = spawnSync('sg_decode_sense', hex(far.senseBytes).split(' '), { encoding: 'utf8' });
    assert.match(said.stdout, /Descriptor format, current; *Sense key: Illegal Request/);
    assert.match(said.stdout, /0x0*123456789a/);
  });
});
