/** open-iscsi in a guest: its network, its daemon, and the session with a portal on this machine. */
import { strict as assert } from 'node:assert';
import type { Guest } from './guest.ts';
import type { Portal } from './portal.ts';

/** Where QEMU's user network lets a guest reach this machine's loopback. */
const HOST_IN_GUEST = '10.0.2.2';

/** QEMU options. */
export const NETWORK: readonly string[] = [
  ...['-netdev', 'user,id=net0'],
  ...['-device', 'virtio-net-pci,netdev=net0'],
];

/** Starts its daemon, which speaks over the loopback of the guest at least. */
export const ISCSID = `ifconfig lo 127.0.0.1 up
echo root:x:0:0::/:/bin/sh > /etc/passwd
mkdir -p /etc/iscsi /run/lock/iscsi /var/lib/iscsi
echo InitiatorName=iqn.2026-11.localhost:guest > /etc/iscsi/initiatorname.iscsi
printf 'node.startup = manual\\nnode.session.timeo.replacement_timeout = 120\\n' > /etc/iscsi/iscsid.conf
iscsid -f > /tmp/iscsid.log 2>&1 &
sleep 1
`;

/** Discovers the target of the portal and logs in; the kernel looks for its units then. */
export async function logIn(guest: Guest, portal: Portal): Promise<void> {
  const at = `${HOST_IN_GUEST}:${portal.port}`;
  await guest.sh(`ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up\n${ISCSID}`);
  const found = await guest.sh(`iscsiadm -m discovery -t sendtargets -p ${at}`);
  assert.ok(found.endsWith(` ${portal.target}`), found);
  // The address it was found at is the loopback of this machine, not of the guest.
  await guest.sh(
    `iscsiadm -m node -o delete
    iscsiadm -m node -o new -T ${portal.target} -p ${at}
    iscsiadm -m node -T ${portal.target} -p ${at} --login`,
  );
}
