/** The guests' root file systems: what the tests need in them. */
import { type BootFiles, bootFiles as build } from '../../../src/guest-image/initramfs.ts';
import { AGENT, FUNCTIONS, INIT } from './guest-scripts.ts';
import { CACHE } from './places.ts';

const MODULES = [
  'virtio_pci',
  'virtio_console',
  'virtio_scsi',
  'virtio_blk',
  'crct10dif_pclmul',
  'crc32c_generic',
  'sd_mod',
  'sr_mod',
  'sg',
  'dm_multipath',
  'dm_round_robin',
];

const TOOLS = [
  'dmsetup',
  'lsscsi',
  'mke2fs',
  'e2fsck',
  'iscsi-test-cu',
  'sdparm',
  'sg_compare_and_write',
  'sg_copy_results',
  'sg_dd',
  'sg_format',
  'sg_get_lba_status',
  'sg_ident',
  'sg_inq',
  'sg_logs',
  'sg_luns',
  'sg_modes',
  'sg_opcodes',
  'sg_persist',
  'sg_raw',
  'sg_read_buffer',
  'sg_readcap',
  'sg_requests',
  'sg_reset',
  'sg_rtpg',
  'sg_sanitize',
  'sg_senddiag',
  'sg_ses',
  'sg_start',
  'sg_sync',
  'sg_timestamp',
  'sg_turs',
  'sg_unmap',
  'sg_verify',
  'sg_vpd',
  'sg_write_buffer',
  'sg_write_same',
  'sg_xcopy',
];

/** What reads and burns discs; growisofs runs genisoimage. */
const BURNERS = [
  'blkid',
  'cd-drive',
  'cd-info',
  'cd-paranoia',
  'cdparanoia',
  'cdrdao',
  'cdrskin',
  'cdrwtool',
  'dvd+rw-format',
  'dvd+rw-mediainfo',
  'eject',
  'genisoimage',
  'growisofs',
  'isoinfo',
  'mkudffs',
  'sg_get_config',
  'sg_prevent',
  'wodim',
  'xorriso',
];

/** What cdrdao and wodim look up. */
const BURNER_FILES = ['/usr/share/cdrdao/drivers', '/etc/wodim.conf'];

interface Contents {
  readonly modules: readonly string[];
  readonly tools: readonly string[];
  readonly files?: readonly string[];
}

/**
 * `fio` has 80 MB of libraries; only guests that need it carry it. `iscsi` has a network and open-iscsi, `node` runs our daemon, `optical`
 * has what mounts discs, `burners` what burns them, `iscsi-burners` both, `passthrough-burners` our daemon as well.
 */
const CONTENTS = {
  base: { modules: MODULES, tools: TOOLS },
  fio: { modules: MODULES, tools: [...TOOLS, 'fio'] },
  node: { modules: MODULES, tools: [...TOOLS, 'node'] },
  iscsi: {
    modules: [...MODULES, 'virtio_net', 'iscsi_tcp'],
    tools: [...TOOLS, 'iscsid', 'iscsiadm'],
  },
  optical: { modules: [...MODULES, 'isofs'], tools: [...TOOLS, 'eject'] },
  'iscsi-burners': {
    modules: [...MODULES, 'virtio_net', 'iscsi_tcp', 'cdrom', 'isofs'],
    tools: [...TOOLS, ...BURNERS, 'iscsid', 'iscsiadm'],
    files: BURNER_FILES,
  },
  burners: {
    modules: [...MODULES, 'cdrom', 'isofs', 'udf'],
    tools: [...TOOLS, ...BURNERS],
    files: BURNER_FILES,
  },
  'passthrough-burners': {
    modules: [...MODULES, 'cdrom', 'isofs', 'udf', 'iscsi_tcp'],
    tools: [...TOOLS, ...BURNERS, 'node', 'iscsid', 'iscsiadm'],
    files: BURNER_FILES,
  },
} as const satisfies Record<string, Contents>;

export type ImageKind = keyof typeof CONTENTS;

/** What `npm run test:guest` boots; images that burn need more tools and have a run of their own. */
export const IMAGE_KINDS: readonly ImageKind[] = (Object.keys(CONTENTS) as ImageKind[]).filter(
  (kind) => !kind.endsWith('burners'),
);

const SCRIPTS = { init: INIT, 'bin/agent': AGENT, 'etc/functions': FUNCTIONS };

/** Kernel and initramfs of this kind, built when the cache does not have them. */
export function bootFiles(kind: ImageKind): BootFiles {
  return build(CACHE, { name: kind, ...CONTENTS[kind], scripts: SCRIPTS });
}
