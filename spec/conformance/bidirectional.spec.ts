/** A bidirectional command, XDWRITEREAD(10), on every transport: data in both directions and both residuals (SAM-5 5.1, SBC-3 5.50). */
import { strict as assert } from 'node:assert';
import type { CommandResult } from '../../src/initiator/request.ts';
import {
  describeOnEveryPort,
  describeOnSrpPorts,
  sense,
  type TestInitiator,
} from '../support/ports.ts';

const DISABLE_WRITE = 0x04;

function xd(
  a: TestInitiator,
  lba: number,
  dataOut: Uint8Array,
  options: { readonly blocks?: number; readonly flags?: number; readonly in?: number } = {},
): Promise<CommandResult> {
  const { blocks = dataOut.length / 512, flags = 0 } = options;
  const cdb = Uint8Array.of(0x53, flags, 0, 0, 0, lba, 0, blocks >> 8, blocks & 0xff, 0);
  return a.initiator.execute({
    lun: a.lun,
    cdb,
    dataOut,
    dataInBytes: options.in ?? blocks * 512,
  });
}

const bytes = (length: number, factor: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * factor + (i >> 9)) & 0xff);

describeOnEveryPort('bidirectional commands', (bench) => {
  it('XDWRITEREAD writes the new data and returns old XOR new', async () => {
    const a = await bench().initiator(await bench().disk());
    const old = bytes(64 * 512, 7);
    const disk = await a.initiator.disk(a.lun);
    await disk.write(16, old);
    const young = bytes(64 * 512, 11);
    const expected = young.map((byte, i) => byte ^ (old[i] as number));
    const dry = await xd(a, 16, young, { flags: DISABLE_WRITE });
    assert.equal(dry.status, 0, sense(dry));
    assert.deepEqual(dry.dataIn, expected);
    assert.deepEqual(await disk.read(16, 64), old);
    const r = await xd(a, 16, young);
    assert.deepEqual([r.status, r.residualIn, r.residualOut], [0, 0, 0], sense(r));
    assert.deepEqual(r.dataIn, expected);
    assert.deepEqual(await disk.read(16, 64), young);
  });

  it('half a mebibyte each way', async () => {
    const a = await bench().initiator(await bench().disk());
    const data = bytes(1024 * 512, 13);
    const r = await xd(a, 0, data);
    assert.deepEqual([r.status, r.residualIn, r.residualOut], [0, 0, 0], sense(r));
    assert.ok(Buffer.from(r.dataIn).equals(Buffer.from(data)));
    const again = await xd(a, 0, data);
    assert.ok(again.dataIn.every((byte) => byte === 0));
  });

  it('many at a time on one disk', async () => {
    const a = await bench().initiator(await bench().disk());
    const data = bytes(8 * 512, 3);
    const results = await Promise.all(Array.from({ length: 24 }, () => xd(a, 40, data)));
    const changed = results.filter(({ dataIn }) => dataIn.some((byte) => byte !== 0));
    assert.equal(changed.length, 1, 'the first one changes the blocks, the others find them so');
    assert.deepEqual(changed[0]?.dataIn, data);
  });

  it('one that is refused moves nothing in either direction', async () => {
    const a = await bench().initiator(await bench().disk());
    const r = await a.run('53 00 00 00 1f ff 00 00 02 00', {
      dataOut: new Uint8Array(1024).fill(1),
      dataInBytes: 1024,
    });
    assert.equal(sense(r), '5/21/00');
    assert.equal(r.dataIn.length, 0);
    assert.equal(await a.byteAt(8191), 0);
  });
});

describeOnSrpPorts('bidirectional commands over SRP', (bench) => {
  it('have a residual for each direction', async () => {
    const a = await bench().initiator(await bench().disk());
    const out = new Uint8Array(1536).fill(5);
    const r = await xd(a, 0, out, { blocks: 1, in: 1024 });
    assert.deepEqual([r.residualIn, r.residualOut, r.dataIn.length], [512, 1024, 512]);
    const short = await xd(a, 8, out, { blocks: 4, in: 100 });
    assert.deepEqual([short.residualIn, short.residualOut], [100 - 2048, 1536 - 2048]);
    assert.deepEqual(short.dataIn, new Uint8Array(100).fill(5));
  });
});
