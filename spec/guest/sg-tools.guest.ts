/** sg3_utils and sdparm in a guest: every tool for a disk runs, exits as it should and has nothing to warn of. */
import { strict as assert } from 'node:assert';
import { Guest } from './support/guest.ts';
import { startStorage } from './support/start-storage.ts';
import type { Storage } from './support/storage.ts';

/** Words of the tools about answers they cannot make sense of. */
const COMPLAINTS =
  /warning|unable|malformed|truncat|unexpected|not understood|decode error|too short|strange|mismatch|reserved \[/i;

/** Exit codes of sg3_utils. */
const ILLEGAL_REQUEST = 5;
const MISCOMPARE = 14;

interface Run {
  /** The command line; DEV is the disk's sg node. */
  readonly line: string;
  readonly exit?: number;
  readonly says?: RegExp;
}

const RUNS: readonly Run[] = [
  { line: 'sg_inq DEV', says: /Vendor identification: RINGSCSI/ },
  { line: 'sg_vpd -a DEV', says: /Logical block provisioning/ },
  { line: 'sg_modes -a DEV', says: /Control/ },
  { line: 'sg_opcodes DEV', says: /Compare and write/i },
  { line: 'sg_luns DEV', says: /Lun list length = 8/ },
  { line: 'sg_readcap -l DEV', says: /lbpme=1/ },
  { line: 'sg_requests DEV' },
  { line: 'sg_turs DEV' },
  { line: 'sg_sync DEV' },
  { line: 'sg_verify --lba=0 --count=64 DEV' },
  { line: 'sg_get_lba_status --lba=0 DEV', says: /mapped|deallocated/ },
  {
    line: 'head -c 1024 /dev/zero > /tmp/z; sg_compare_and_write --in=/tmp/z --lba=9 --num=1 DEV',
  },
  {
    line: 'head -c 1024 /dev/urandom > /tmp/r; sg_compare_and_write --in=/tmp/r --lba=9 --num=1 DEV',
    exit: MISCOMPARE,
  },
  { line: 'sg_write_same --lba=64 --num=64 --in=/dev/zero --xferlen=512 DEV' },
  { line: 'sg_write_same --16 --unmap --lba=64 --num=64 --in=/dev/zero --xferlen=512 DEV' },
  { line: 'sg_unmap --lba=128 --num=8 --force DEV' },
  // 5: the last page it tries, Logical block provisioning (1Ch/02h), does not exist.
  { line: 'sdparm -a DEV', exit: 5, says: /WCE\s+1/ },
  { line: 'sdparm --inquiry DEV' },
  { line: 'sg_persist --in --report-capabilities DEV', says: /Persist Through Power Loss Capable/ },
  { line: 'sg_persist --out --register --param-sark=abc123 DEV' },
  { line: 'sg_persist --out --reserve --param-rk=abc123 --prout-type=5 DEV' },
  { line: 'sg_persist --in --read-keys DEV', says: /0xabc123/ },
  { line: 'sg_persist --in --read-reservation DEV', says: /Write Exclusive, registrants only/ },
  { line: 'sg_persist --in --read-full-status DEV', says: /Transport Id of initiator/ },
  { line: 'sg_persist --out --release --param-rk=abc123 --prout-type=5 DEV' },
  { line: 'sg_persist --out --clear --param-rk=abc123 DEV' },
  { line: 'sg_rtpg -d DEV', says: /active\/optimized/ },
  { line: 'sg_rtpg -e -d DEV', says: /active\/optimized/ },
  { line: 'sg_vpd -p 0x86 DEV', says: /ORDSUP=1|ORDSUP/ },
  { line: 'sg_vpd -p 0x87 DEV', says: /[Pp]olicy/ },
  { line: 'sg_vpd -p 0x88 DEV', says: /[Rr]elative port/ },
  // sg_read_buffer of this version sends an allocation length of 0 whatever it is told.
  { line: 'sg_raw -r 4 DEV 3c 03 00 00 00 00 00 00 04 00 2>&1', says: /00 01 00 00/ },
  { line: 'sg_raw -r 4 DEV 3c 0b 00 00 00 00 00 00 04 00 2>&1', says: /01 00 10 00/ },
  {
    line: 'head -c 512 /dev/urandom > /tmp/e; sg_write_buffer -m 0xa -I /tmp/e -l 512 DEV && sg_raw -r 512 -o /tmp/f DEV 3c 0a 00 00 00 00 00 02 00 00; cmp /tmp/e /tmp/f',
  },
  { line: 'sg_ident DEV' },
  { line: 'sg_timestamp DEV', says: /\d/ },
  { line: 'sg_logs -a DEV', says: /Write error counter/ },
  { line: 'sg_logs DEV', says: /Supported log pages/ },
  { line: 'sg_senddiag -l DEV', says: /Supported diagnostic pages/i },
  { line: 'sg_senddiag -t DEV', says: /GOOD/ },
  { line: 'sg_senddiag -s 5 DEV' },
  { line: 'sg_logs -p 0x10 DEV', says: /foreground short/ },
  { line: 'sg_logs -p 0xe DEV', says: /Accumulated start-stop cycles/ },
  {
    line: 'sg_logs -p 0x19 DEV',
    says: /read command processing intervals = [1-9][\s\S]*time interval negative exponent = 6/,
  },
  { line: 'sg_logs -R DEV' },
  { line: 'sg_sanitize --block --quick --wait DEV' },
  { line: 'sg_sanitize --overwrite --zero --quick --wait DEV' },
  {
    line: 'sg_xcopy if=DEV of=DEV skip=8 seek=64 count=16 bs=512 id_usage=disable 2>&1',
  },
  { line: 'sg_copy_results --params DEV', says: /Maximum target descriptor count/i },
  {
    line: 'sg_format -vv --format --quick --wait DEV 2>&1',
    says: /Format unit command completed without error/,
  },
  { line: 'sg_start --stop DEV; sg_start --start DEV' },
  { line: 'sg_ses DEV', says: /not an enclosure/ },
  { line: 'sg_ses --page=1 DEV', exit: ILLEGAL_REQUEST },
];

describe('sg3_utils and sdparm', () => {
  let storage: Storage;
  let guest: Guest;

  before(async () => {
    storage = await startStorage([{ lun: 0, sizeMiB: 64 }], true);
    guest = await Guest.boot({ options: storage.adapter() });
  });
  after(async () => {
    await guest?.kill();
    await storage?.end();
  });

  for (const { line, exit = 0, says } of RUNS) {
    it(line, async () => {
      const { code, output } = await guest.run(line.replaceAll('DEV', '$(sg 0)'));
      assert.equal(code, exit, output);
      assert.doesNotMatch(output, COMPLAINTS);
      if (says !== undefined) assert.match(output, says);
    });
  }
});
