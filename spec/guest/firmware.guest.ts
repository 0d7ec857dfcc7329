/** Firmware boots from a logical unit: SeaBIOS finds it, reads its first block and runs what is there. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Machine } from './support/machine.ts';
import { startStorage } from './support/start-storage.ts';
import type { Storage } from './support/storage.ts';

/** What the boot sector says, and what it says when it has read the second block through the firmware's disk service. */
const FIRST = 'first block runs\r\n';
const SECOND = 'second block read\r\n';

/**
 * A boot sector in 16-bit code. The firmware loads it at 0000:7C00 and jumps there with the number of the drive in DL.
 * It prints FIRST on the first serial port (I/O port 3F8h), reads block 1 to 0000:7E00 by the extended read of INT 13h
 * (AH=42h, as the BIOS enhanced disk drive specification has it) and prints what is there: SECOND.
 */
function bootSector(): Buffer {
  const PACKET = 0x7c80;
  const TEXT = 0x7ca0;
  const code = Buffer.from(
    [
      'fa', // cli
      '31 c0', // xor ax, ax
      '8e d8', // mov ds, ax
      '88 d3', // mov bl, dl
      'be a0 7c', // mov si, TEXT
      'e8 1a 00', // call print
      '88 da', // mov dl, bl
      'be 80 7c', // mov si, PACKET
      'b4 42', // mov ah, 42h
      'fb', // sti
      'cd 13', // int 13h
      'fa', // cli
      '72 0a', // jc halt
      '31 c0', // xor ax, ax
      '8e d8', // mov ds, ax
      'be 00 7e', // mov si, 7E00h
      'e8 03 00', // call print
      'f4', // halt: hlt
      'eb fd', // jmp halt
      // print: the text at DS:SI up to its zero byte
      'ba fd 03', // mov dx, 3FDh (line status)
      'ec', // wait: in al, dx
      'a8 20', // test al, 20h (holding register empty)
      '74 fb', // jz wait
      'ac', // lodsb
      '84 c0', // test al, al
      '74 06', // jz done
      'ba f8 03', // mov dx, 3F8h
      'ee', // out dx, al
      'eb ed', // jmp print
      'c3', // done: ret
    ]
      .join(' ')
      .replaceAll(' ', ''),
    'hex',
  );
  const sector = Buffer.alloc(1024);
  code.copy(sector, 0);
  // Disk address packet: 16 bytes, 1 block, to 0000:7E00, from block 1.
  Buffer.from('10000100007e00000100000000000000', 'hex').copy(sector, PACKET - 0x7c00);
  sector.write(`${FIRST}\0`, TEXT - 0x7c00, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  sector.write(`${SECOND}\0`, 512, 'latin1');
  return sector;
}

describe('firmware', () => {
  let storage: Storage;
  let machine: Machine | null = null;

  before(async () => {
    storage = await startStorage([{ lun: 0, sizeMiB: 8 }]);
    const image = openSync(storage.image(0), 'r+');
    writeSync(image, bootSector(), 0, 1024, 0);
    closeSync(image);
  });

  after(async () => {
    await machine?.kill();
    await storage?.end();
  });

  it('boots from our logical unit and reads it', async () => {
    const options = { boot: null, memoryMiB: 128, cpus: 1, slots: 0 };
    machine = await Machine.start(options, () => storage.adapter());
    await machine.waitForConsole(FIRST);
    await machine.waitForConsole(SECOND);
  });
});
