/** The 33 commands that Vista sends to a burner by the seed (S4, Q-5, Q-11): each is there, moves its data that way, and is answered. */
import { strict as assert } from 'node:assert';
import type { MediumKind } from '../../../src/scsi/mmc/burn/media.ts';
import { writeDrive } from '../../../src/scsi/mmc/optical-type.ts';
import { burner, selectWrite } from '../../support/burner.ts';
import { bytesOf } from '../../support/direct-port.ts';
import { dataDisc, optical } from '../../support/optical.ts';
import type { TestNexus } from '../../support/target.ts';
import { jsonVector } from '../../support/vectors.ts';

interface VistaCommand {
  /** Two hexadecimal digits. */
  readonly opcode: string;
  readonly name: string;
  readonly data: 'none' | 'in' | 'out';
  /** One that a drive with a finished CD-ROM gets. */
  readonly cdb: string;
  readonly dataIn: number;
  readonly dataOut: string;
}

const COMMANDS = jsonVector<readonly VistaCommand[]>('vista-commands.json');
const BLOCKS = 16;

/** Commands that need a disc that can be burnt; READ DVD STRUCTURE needs a DVD. */
const OF_BURNERS: Readonly<Record<string, MediumKind>> = {
  '04': 'cd-rw',
  '2a': 'cd-rw',
  '35': 'cd-rw',
  '54': 'cd-rw',
  '5b': 'cd-rw',
  '5c': 'cd-rw',
  a1: 'cd-rw',
  aa: 'cd-rw',
  ad: 'dvd-rw',
  b6: 'cd-rw',
};
/** A track at once of user data. */
const TRACK_AT_ONCE = '410408';

function nexusFor(opcode: string): TestNexus {
  const kind = OF_BURNERS[opcode];
  if (kind === undefined) {
    return optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048), { writes: true })
      .bed.nexus('a')
      .clear();
  }
  const { a } = burner(kind);
  if (kind === 'cd-rw') selectWrite(a, TRACK_AT_ONCE);
  return a;
}

describe('commands of Vista', () => {
  /** Without those that share an opcode by a service action: MAINTENANCE OUT is no REPORT KEY. */
  const rowsOf = (opcode: string) =>
    writeDrive.commands.filter(
      ({ row }) => row.opcode === Number.parseInt(opcode, 16) && row.serviceAction < 0,
    );

  it('are 33', () => {
    assert.equal(new Set(COMMANDS.map(({ opcode }) => opcode)).size, 33);
  });

  for (const { opcode, name, data, cdb, dataIn, dataOut } of COMMANDS) {
    it(`${opcode}h ${name}`, () => {
      const [command] = rowsOf(opcode);
      // VERIFY has data only with BYTCHK.
      if (opcode !== '2f') assert.equal(command?.row.data, data);
      const isWrite = opcode === '2a' || opcode === 'aa';
      const out = isWrite ? new Uint8Array(2048) : bytesOf(dataOut);
      const result = nexusFor(opcode).run(cdb, { in: 4096, out });
      assert.deepEqual([result.status, result.sense], [0, '']);
      assert.equal(result.dataIn.length, dataIn);
    });
  }
});
