/** The checks of protection information notice targets that do something else than SBC-3 4.22 says. */
import { strict as assert } from 'node:assert';
import type { CheckedInitiator } from '../../src/conformance/check.ts';
import { runChecks } from '../../src/conformance/run.ts';
import type { ExecuteRequest } from '../../src/initiator/initiator.ts';
import { IscsiInitiator } from '../../src/initiator/iscsi/initiator.ts';
import type { CommandResult } from '../../src/initiator/request.ts';
import type { IscsiServer } from '../../src/transport/iscsi/server.ts';
import { openServer } from '../transport/iscsi/rig.ts';

const LUN = 1;
const BLOCK = 512;
const GOOD = { status: 0, sense: null } as const;

type Lie = (request: ExecuteRequest, answer: CommandResult) => CommandResult;

const isRead = ({ cdb }: ExecuteRequest): boolean => cdb[0] === 0x28;
const isWrite = ({ cdb }: ExecuteRequest): boolean => cdb[0] === 0x2a;
const isProtectionError = ({ sense }: CommandResult): boolean => sense?.asc === 0x10;

const lies: readonly (readonly [string, Lie, readonly string[]])[] = [
  [
    'writes that are not checked',
    (request, answer) =>
      isWrite(request) && isProtectionError(answer) ? { ...answer, ...GOOD } : answer,
    [
      'WRPROTECT = 001b: a wrong guard is refused, and nothing is written',
      'WRPROTECT = 001b: a wrong reference tag is refused, and nothing is written',
    ],
  ],
  [
    'reads that are not checked',
    (request, answer) =>
      isRead(request) && isProtectionError(answer) ? { ...answer, ...GOOD } : answer,
    [
      'RDPROTECT = 001b: a wrong guard on the medium is found',
      'RDPROTECT = 001b: a wrong reference tag on the medium is found',
    ],
  ],
  [
    'information that is not moved',
    (request, answer) =>
      isRead(request) ? { ...answer, dataIn: answer.dataIn.slice(0, BLOCK) } : answer,
    [
      'information comes back as it was written, and not at all when RDPROTECT = 000b',
      'WRPROTECT = 011b writes information as it is, RDPROTECT = 011b reads it so',
      'tags of FFFFh leave a block unchecked',
    ],
  ],
  [
    'a PROTECT bit that says there is none',
    ({ cdb }, answer) => {
      if (cdb[0] === 0x12 && cdb[1] === 0) {
        answer.dataIn[5] = (answer.dataIn[5] as number) & ~1;
      }
      return answer;
    },
    ['PROT_EN = 1 goes with PROTECT = 1 of INQUIRY, and P_TYPE with SPT of VPD page 86h'],
  ],
];

describe('ringscsi conformance, protection information', () => {
  let server: IscsiServer;
  let initiator: IscsiInitiator;

  beforeEach(async () => {
    const opened = await openServer();
    server = opened.server;
    opened.backend.inventory.add({
      lun: LUN,
      backing: { kind: 'memory', bytes: 1024 * (BLOCK + 8) },
      readOnly: false,
      blockBytes: BLOCK,
      physicalBlockBytes: BLOCK,
      thin: false,
      protectionType: 1,
      writeCache: true,
      serial: 'PROTECTED',
      naa: Uint8Array.from([
        0x60, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0, 0, 0, 0, 0, 0, 0, 1,
      ]),
      savedPages: null,
      savable: false,
    });
    const initiatorName = 'iqn.2026-11.example.org:spec';
    initiator = await IscsiInitiator.open(`127.0.0.1:${server.port}`, { initiatorName });
  });
  afterEach(async () => {
    await initiator.close();
    await server.stop(0);
  });

  /** The checks that fail when the target tells this lie. */
  async function failing(lie: Lie): Promise<string[]> {
    const liar: CheckedInitiator = {
      execute: async (request) => lie(request, await initiator.execute(request)),
      abortTaskSet: (lun) => initiator.abortTaskSet(lun),
      logicalUnitReset: (lun) => initiator.logicalUnitReset(lun),
    };
    const results = await runChecks(liar, LUN, true);
    return results.filter(({ result }) => result === 'fail').map(({ check }) => check);
  }

  for (const [what, lie, checks] of lies) {
    it(`notices ${what}`, async () => {
      const seen = await failing(lie);
      for (const check of checks) assert.ok(seen.includes(check), `${check}: ${seen.join('\n')}`);
    });
  }

  it('has no complaint about a target that tells none', async () => {
    assert.deepEqual(await failing((_, answer) => answer), []);
  });
});
