/** Disks with protection information and 32-byte CDBs as initiators see them on every transport (SBC-3 4.22, SPC-4 4.3.3). */
import { strict as assert } from 'node:assert';
import type { CommandResult } from '../../src/initiator/request.ts';
import { copyCdb, copyList, cscd, segment } from '../support/copy-list.ts';
import { type Bench, describeOnEveryPort, sense, type TestInitiator } from '../support/ports.ts';
import { block, join, long } from '../support/protection.ts';

const CHECK = 0x20;
const KEEP = 0x60;

function protectedDisk(bench: Bench, type: 1 | 2 | 3): Promise<number> {
  return bench.disk(4 * 2 ** 20, undefined, { protection: type });
}

interface Data {
  readonly in?: number;
  readonly out?: Uint8Array;
}

function send(a: TestInitiator, cdb: readonly number[], data: Data = {}): Promise<CommandResult> {
  return a.initiator.execute({
    lun: a.lun,
    cdb: Uint8Array.from(cdb),
    ...(data.in === undefined ? {} : { dataInBytes: data.in }),
    ...(data.out === undefined ? {} : { dataOut: data.out }),
  });
}

/** The NAA designator of a unit, from its VPD page 83h. */
async function naa(a: TestInitiator): Promise<Uint8Array> {
  const { dataIn } = await a.run('12 01 83 00 ff 00', { dataInBytes: 255 });
  return dataIn.slice(8, 8 + (dataIn[7] as number));
}

const ten = (opcode: number, flags: number, lba: number, blocks: number): number[] => [
  ...[opcode, flags, 0, 0, 0, lba, 0],
  ...[blocks >> 8, blocks & 0xff, 0],
];

describeOnEveryPort('protection information', (bench) => {
  it('moves with the blocks and counts in residuals', async () => {
    const a = await bench().initiator(await protectedDisk(bench(), 1));
    const data = join(...Array.from({ length: 32 }, (_, i) => block(i, { reference: 8 + i })));
    const write = await send(a, ten(0x2a, CHECK, 8, 32), { out: data });
    assert.deepEqual([write.status, write.residualOut], [0, 0], sense(write));
    const read = await send(a, ten(0x28, CHECK, 8, 32), { in: data.length });
    assert.deepEqual([read.status, read.residualIn], [0, 0], sense(read));
    assert.deepEqual(read.dataIn, data);
    const longer = await send(a, ten(0x28, CHECK, 8, 1), { in: 1024 });
    assert.deepEqual([longer.dataIn.length, longer.residualIn], [520, 504]);
    const plain = await send(a, ten(0x28, 0, 9, 1), { in: 512 });
    assert.deepEqual(plain.dataIn, new Uint8Array(512).fill(1));
    const cut = await send(a, ten(0x28, CHECK, 8, 2), { in: 1024 });
    assert.deepEqual(cut.dataIn, data.slice(0, 1024));
    assert.ok(cut.residualIn < 0, 'an overrun');
  });

  it('the most blocks of one command move, information included', async () => {
    const a = await bench().initiator(await protectedDisk(bench(), 1));
    const limits = await a.run('12 01 b0 00 ff 00', { dataInBytes: 255 });
    const most = new DataView(limits.dataIn.buffer, limits.dataIn.byteOffset).getUint32(8);
    assert.equal(most, 2048);
    const data = new Uint8Array(most * 520);
    for (let i = 0; i < most; i += 1) data.set(block(i & 0xff, { reference: i }), i * 520);
    const write = await send(a, ten(0x2a, CHECK, 0, most), { out: data });
    assert.equal(write.status, 0, sense(write));
    const read = await send(a, ten(0x28, CHECK, 0, most), { in: data.length });
    assert.equal(read.status, 0, sense(read));
    assert.ok(Buffer.from(data).equals(Buffer.from(read.dataIn)));
  });

  it('a failed check is ABORTED COMMAND with the LBA, and the good blocks before it arrive', async () => {
    const a = await bench().initiator(await protectedDisk(bench(), 1));
    const bad = join(block(1, { reference: 8 }), block(2, { reference: 9, guard: 7 }));
    const refused = await send(a, ten(0x2a, CHECK, 8, 2), { out: bad });
    assert.equal(sense(refused), 'b/10/01');
    assert.equal(refused.sense?.information, 9);
    assert.equal((await send(a, ten(0x2a, KEEP, 8, 2), { out: bad })).status, 0);
    const read = await send(a, ten(0x28, CHECK, 8, 2), { in: 1040 });
    assert.equal(sense(read), 'b/10/01');
    assert.equal(read.sense?.information, 9);
    assert.deepEqual(read.dataIn, bad.slice(0, 520));
    const kept = await send(a, ten(0x28, KEEP, 8, 2), { in: 1040 });
    assert.deepEqual(kept.dataIn, bad);
  });

  it('READ CAPACITY tells the type, and a disk that grew has as much more', async () => {
    const lun = await protectedDisk(bench(), 3);
    const a = await bench().initiator(lun);
    const capacity = async (): Promise<readonly (number | undefined)[]> => {
      const { dataIn } = await a.run('9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00', {
        dataInBytes: 32,
      });
      const last = new DataView(dataIn.buffer, dataIn.byteOffset).getUint32(4);
      return [last, dataIn[12]];
    };
    assert.deepEqual(await capacity(), [8191, 0x05]);
    await bench().resizeDisk(lun, 6 * 2 ** 20);
    assert.deepEqual(await a.attentions(), ['6/2a/09']);
    assert.deepEqual(await capacity(), [12_287, 0x05]);
    assert.equal((await send(a, ten(0x28, CHECK, 0, 1), { in: 520 })).status, 0);
  });

  it('EXTENDED COPY copies user data from and to such a disk', async () => {
    const [lun, other] = [await protectedDisk(bench(), 1), await bench().disk()];
    const [a, b] = [await bench().initiator(lun), await bench().initiator(other)];
    const data = join(...[0, 1, 2].map((i) => block(0x40 + i, { reference: 10 + i })));
    assert.equal((await send(a, ten(0x2a, CHECK, 10, 3), { out: data })).status, 0);
    const list = copyList(
      [cscd(await naa(a)), cscd(await naa(b))],
      [
        segment({ source: 0, destination: 1, from: 10, to: 100, blocks: 3 }),
        segment({ source: 1, destination: 0, from: 101, to: 20, blocks: 1 }),
      ],
    );
    const { status } = await a.initiator.execute({ lun, cdb: copyCdb(list.length), dataOut: list });
    assert.equal(status, 0);
    for (const i of [0, 1, 2]) assert.equal(await b.byteAt(100 + i), 0x40 + i);
    const copied = await send(a, ten(0x28, KEEP, 20, 1), { in: 520 });
    assert.deepEqual(copied.dataIn, block(0x41, { reference: 20, application: 0xffff }));
  });

  it('injected medium errors name the block', async () => {
    const lun = await protectedDisk(bench(), 1);
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'read', firstLba: 20, lastLba: 20, fault: 'medium' });
    const r = await send(a, ten(0x28, CHECK, 16, 8), { in: 8 * 520 });
    assert.equal(sense(r), '3/11/00');
    assert.equal(r.sense?.information, 20);
  });
});

describeOnEveryPort('32-byte CDBs', (bench) => {
  const tags = { reference: 0x8000_0000, application: 0x1234, mask: 0xffff };

  it('arrive whole: every field acts', async () => {
    const a = await bench().initiator(await protectedDisk(bench(), 2));
    const data = join(
      ...[0, 1].map((i) => block(i, { reference: 0x8000_0000 + i, application: 0x1234 })),
    );
    const checked = { ...tags, protect: 1 };
    const write = await send(a, long(0x0b, 40, 2, checked), { out: data });
    assert.equal(write.status, 0, sense(write));
    const read = await send(a, long(0x09, 40, 2, checked), { in: 1040 });
    assert.equal(read.status, 0, sense(read));
    assert.deepEqual(read.dataIn, data);
    for (const [wrong, expected] of [
      [{ ...checked, reference: 0x8000_0001 }, 'b/10/03'],
      [{ ...checked, application: 0x1235 }, 'b/10/02'],
    ] as const) {
      assert.equal(sense(await send(a, long(0x09, 40, 2, wrong), { in: 1040 })), expected);
      assert.equal(sense(await send(a, long(0x0b, 40, 2, wrong), { out: data })), expected);
      assert.equal(sense(await send(a, long(0x0a, 40, 2, wrong))), expected);
    }
    const verify = { ...checked, flags: 0x02 };
    assert.equal((await send(a, long(0x0a, 40, 2, verify), { out: data })).status, 0);
    assert.equal((await send(a, long(0x0c, 50, 2, verify), { out: data })).status, 0);
    const same = await send(a, long(0x0d, 60, 3, checked), { out: data.slice(0, 520) });
    assert.equal(same.status, 0, sense(same));
    const back = await send(a, long(0x09, 62, 1, { ...checked, reference: 0x8000_0002 }), {
      in: 520,
    });
    assert.equal(back.dataIn[512 + 7], 2);
    const none = await send(a, long(0x09, 8191, 2), { in: 1024 });
    assert.equal(sense(none), '5/21/00');
  });

  it('with another type of protection, or none, do not exist', async () => {
    for (const type of [1, 3] as const) {
      const a = await bench().initiator(await protectedDisk(bench(), type));
      assert.equal(sense(await send(a, long(0x09, 0, 1), { in: 512 })), '5/20/00');
    }
    const a = await bench().initiator(await bench().disk());
    assert.equal(sense(await send(a, long(0x0b, 0, 1), { out: new Uint8Array(512) })), '5/20/00');
  });

  it('say how long they are', async () => {
    const a = await bench().initiator(await protectedDisk(bench(), 2));
    const cdb = long(0x09, 0, 1);
    cdb[7] = 0x10;
    assert.equal(sense(await send(a, cdb, { in: 512 })), '5/24/00');
  });
});
