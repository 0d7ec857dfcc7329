/** The 33 commands that Vista sends to a burner by the seed (S4, Q-5, Q-11): each is there, moves its data that way, and is answered. */
import { strict as assert } from 'node:assert';
import { dataDisc, optical } from '../../support/optical.ts';
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
  /** `good`, or `known`: what becomes of it depends on the disc, but it is not 5/20/00. */
  readonly ends: 'good' | 'known';
}

const COMMANDS = jsonVector<readonly VistaCommand[]>('vista-commands.json');
const BLOCKS = 16;

/** Opcodes that no table has. */
const ABSENT: readonly string[] = ['04', '2a', '35', '54', '5b', '5c', 'a1', 'aa'];

function bench() {
  const { bed, unit } = optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048));
  return { a: bed.nexus('a').clear(), commands: unit.deviceType.commands };
}

describe('commands of Vista', () => {
  const { commands } = bench();
  /** Without those that share an opcode by a service action: MAINTENANCE OUT is no REPORT KEY. */
  const rowsOf = (opcode: string) =>
    commands.filter(
      ({ row }) => row.opcode === Number.parseInt(opcode, 16) && row.serviceAction < 0,
    );

  it('are 33', () => {
    assert.equal(new Set(COMMANDS.map(({ opcode }) => opcode)).size, 33);
  });

  it('are all there but for those that are named here', () => {
    const missing = COMMANDS.filter(({ opcode }) => rowsOf(opcode).length === 0);
    assert.deepEqual(
      missing.map(({ opcode }) => opcode),
      ABSENT,
    );
  });

  for (const { opcode, name, data, cdb, dataIn, dataOut, ends } of COMMANDS) {
    if (ABSENT.includes(opcode)) continue;
    it(`${opcode}h ${name}`, () => {
      const { a } = bench();
      const [command] = rowsOf(opcode);
      // VERIFY has data only with BYTCHK.
      if (opcode !== '2f') assert.equal(command?.row.data, data);
      const result = a.run(cdb, { in: 4096, out: Buffer.from(dataOut.replaceAll(' ', ''), 'hex') });
      if (ends === 'known') {
        assert.notEqual(result.sense, '5/20/00');
        return;
      }
      assert.deepEqual([result.status, result.sense], [0, '']);
      assert.equal(result.dataIn.length, dataIn);
    });
  }
});
