/** `ringscsi conformance`: a good target passes, and each kind of check notices a target that does something else. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckedInitiator } from '../../src/conformance/check.ts';
import { CHECKS, type CheckResult, junit, runChecks } from '../../src/conformance/run.ts';
import type { ExecuteRequest } from '../../src/initiator/initiator.ts';
import { IscsiInitiator } from '../../src/initiator/iscsi/initiator.ts';
import type { CommandResult } from '../../src/initiator/request.ts';
import type { IscsiServer } from '../../src/transport/iscsi/server.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { openServer, TARGET } from '../transport/iscsi/rig.ts';
import { ringscsi } from './command.ts';

interface Report {
  readonly pass: number;
  readonly fail: number;
  readonly results: readonly CheckResult[];
}

const GOOD = { status: 0, sense: null, residualIn: 0, residualOut: 0 } as const;

/** A target that answers what `lie` makes of the answer. */
function liar(
  real: IscsiInitiator,
  lie: (request: ExecuteRequest, answer: CommandResult) => CommandResult,
): CheckedInitiator {
  return {
    execute: async (request) => lie(request, await real.execute(request)),
    abortTaskSet: (lun) => real.abortTaskSet(lun),
    logicalUnitReset: (lun) => real.logicalUnitReset(lun),
  };
}

function failed(results: readonly CheckResult[]): string[] {
  return results.filter(({ result }) => result === 'fail').map(({ command }) => command);
}

describe('ringscsi conformance', function () {
  this.timeout(30_000);

  it('without a target: a daemon of its own, every check, exit code 0, JUnit beside it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-spec-'));
    try {
      const file = join(directory, 'junit.xml');
      const { code, out } = await ringscsi(directory, 'conformance', '--json', '--junit', file);
      const report = JSON.parse(out) as Report;
      assert.deepEqual(failed(report.results), []);
      assert.equal(report.results.length, CHECKS.length);
      assert.equal(code, 0);
      const xml = readFileSync(file, 'utf8');
      assert.equal(xml.match(/<testcase /g)?.length, CHECKS.length);
      assert.match(xml, /failures="0"/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('refuses a target it cannot read with exit code 2', async () => {
    for (const target of ['iscsi://host/x', 'vhost-user:', 'x']) {
      assert.equal((await ringscsi(tmpdir(), 'conformance', '--connect', target)).code, 2, target);
    }
  });

  it('over vhost-user: every check passes, and a back end that is not there is named', async () => {
    const daemon = await DaemonProcess.start(['3:disk,memory=16M'], ['vhost-user:v.sock']);
    try {
      const target = `vhost-user:${daemon.path('v.sock')},lun=3`;
      const words = ['conformance', '--json', '--destructive', '--connect', target];
      const { code, out } = await ringscsi(daemon.directory, ...words);
      const report = JSON.parse(out) as Report;
      assert.deepEqual(failed(report.results), []);
      assert.equal(report.results.length, CHECKS.length);
      assert.equal(code, 0);
      const missing = await ringscsi(tmpdir(), 'conformance', '--connect', 'vhost-user:none.sock');
      assert.equal(missing.code, 1);
      assert.match(missing.err, /none\.sock/);
    } finally {
      await daemon.end();
    }
  });

  it('JUnit escapes what targets say about themselves', () => {
    const row = {
      command: 'A',
      clause: 'B',
      check: 'C',
      result: 'fail',
      seen: '<"&\u0001',
    } as const;
    assert.match(junit([row]), /<failure message="&lt;&quot;&amp;\?"\/>/);
  });

  describe('over iSCSI', () => {
    let server: IscsiServer;
    let initiator: IscsiInitiator;
    beforeEach(async () => {
      ({ server } = await openServer());
      const initiatorName = 'iqn.2026-11.example.org:spec';
      initiator = await IscsiInitiator.open(`127.0.0.1:${server.port}`, { initiatorName });
    });
    afterEach(async () => {
      await initiator.close();
      await server.stop(0);
    });

    it('a target by its URL; nothing is written without --destructive', async () => {
      const cdb = Uint8Array.from([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
      await initiator.execute({ lun: 0, cdb: new Uint8Array(6) });
      const dataOut = new Uint8Array(512).fill(0x5a);
      assert.equal((await initiator.execute({ lun: 0, cdb, dataOut })).status, 0);
      const url = `iscsi://127.0.0.1:${server.port}/${TARGET}/0`;
      const { code, out } = await ringscsi(tmpdir(), 'conformance', '--json', '--connect', url);
      const report = JSON.parse(out) as Report;
      assert.deepEqual([code, report.fail], [0, 0]);
      assert.equal(report.results.length, CHECKS.filter((one) => !one.destructive).length);
      cdb[0] = 0x28;
      const read = await initiator.execute({ lun: 0, cdb, dataInBytes: 512 });
      assert.deepEqual(read.dataIn, dataOut);
    });

    const lies: readonly (readonly [string, Parameters<typeof liar>[1], readonly string[]])[] = [
      [
        'a wrong ADDITIONAL LENGTH',
        ({ cdb }, answer) => {
          if (cdb[0] === 0x12 && cdb[1] === 0 && answer.dataIn.length > 36) answer.dataIn[4] = 9;
          return answer;
        },
        ['INQUIRY', 'INQUIRY'],
      ],
      [
        'reads beyond the last block that are GOOD',
        ({ cdb }, answer) =>
          cdb[0] === 0x28 && answer.sense?.asc === 0x21
            ? { ...answer, ...GOOD, dataIn: new Uint8Array(512) }
            : answer,
        ['READ(10)', 'READ(10)'],
      ],
      [
        'blocks that are not as written',
        ({ cdb }, answer) => {
          if (cdb[0] === 0x28 && answer.dataIn.length > 0) {
            answer.dataIn[answer.dataIn.length - 1] = (answer.dataIn.at(-1) as number) ^ 1;
          }
          return answer;
        },
        ['WRITE(10)', 'COMPARE AND WRITE', 'WRITE SAME(16)'],
      ],
      [
        'unit attentions that are swallowed',
        (_, answer) =>
          answer.sense?.key === 6 ? { ...answer, ...GOOD, dataIn: new Uint8Array() } : answer,
        ['LOGICAL UNIT RESET', 'INQUIRY'],
      ],
      [
        'an unknown command that is GOOD',
        ({ cdb }, answer) => (cdb[0] === 0xff ? { ...answer, ...GOOD } : answer),
        ['an unknown operation code'],
      ],
    ];
    for (const [what, lie, commands] of lies) {
      it(`notices ${what}`, async () => {
        const results = await runChecks(liar(initiator, lie), 0, true);
        assert.deepEqual(failed(results), commands);
      });
    }
  });
});
