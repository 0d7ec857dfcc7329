/** How a stock QEMU is told to use a vhost-user socket: its options, and the libvirt domain XML that says the same. */

export interface QemuAttachment {
  /** vhost-user socket of the daemon, absolute. */
  readonly socket: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Request queues; one per CPU lets each submit without the others. */
  readonly queues: number;
  /** What the ids of the memory, the character device and the HBA begin with. */
  readonly id: string;
}

const MIB = 1024 * 1024;

/** In an option of QEMU a comma separates and a doubled one stands for itself. */
function value(text: string): string {
  return text.replaceAll(',', ',,');
}

/**
 * `-smp` for TCG and KVM alike. With one CPU at most, TCG leaves out the guest's memory barriers, and the rings are shared
 * with another process: kicks could be lost. A second CPU that is never plugged in brings the barriers back.
 */
function smp(cpus: number): string {
  return cpus === 1 ? '1,maxcpus=2' : String(cpus);
}

function chardev({ id, socket }: QemuAttachment): string {
  return `socket,id=${id}-socket,path=${value(socket)}`;
}

function device({ id, queues }: QemuAttachment): string {
  return `vhost-user-scsi-pci,id=${id},chardev=${id}-socket,num_queues=${queues}`;
}

/** The options, one word each, ready for an argument list. */
export function qemuWords(attachment: QemuAttachment): string[] {
  const { id, memoryBytes, cpus } = attachment;
  const size = `${memoryBytes / MIB}M`;
  return [
    ['-m', size],
    ['-smp', smp(cpus)],
    ['-object', `memory-backend-memfd,id=${id}-memory,size=${size},share=on`],
    ['-machine', `memory-backend=${id}-memory`],
    ['-chardev', chardev(attachment)],
    ['-device', device(attachment)],
  ].flat();
}

/** Words for a shell, quoted where it would read them otherwise. */
export function shellLine(words: readonly string[]): string {
  const quoted = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return quoted.join(' ');
}

function xml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&apos;');
}

/**
 * The parts of a libvirt domain. libvirt has no element for vhost-user-scsi (its `scsi_host` is the kernel's vhost-scsi, its
 * `vhostuser` disk is vhost-user-blk), so the device goes through the QEMU namespace.
 */
export function libvirtXml(attachment: QemuAttachment): string {
  const { memoryBytes, cpus } = attachment;
  const vcpu = cpus === 1 ? "<vcpu current='1'>2</vcpu>" : `<vcpu>${cpus}</vcpu>`;
  const words = ['-chardev', chardev(attachment), '-device', device(attachment)];
  return [
    "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>",
    '  <!-- these belong into the domain that is there already -->',
    `  <memory unit='MiB'>${memoryBytes / MIB}</memory>`,
    `  ${vcpu}`,
    '  <memoryBacking>',
    "    <source type='memfd'/>",
    "    <access mode='shared'/>",
    '  </memoryBacking>',
    '  <qemu:commandline>',
    ...words.map((word) => `    <qemu:arg value='${xml(word)}'/>`),
    '  </qemu:commandline>',
    '</domain>',
  ].join('\n');
}
