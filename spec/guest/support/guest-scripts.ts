/** The two scripts inside every guest: its first process, and the agent that runs what the tests send. */

/** Name of the virtio-serial port of the agent. */
export const AGENT_PORT = 'ringscsi.agent';

/** What the agent says first. */
export const AGENT_READY = 'ready';

export const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/tmp TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /run /var
# growisofs hands what it has open to genisoimage by these names.
ln -s /proc/self/fd /dev/fd
mount -t tmpfs tmpfs /tmp
ln -s /tmp /var/tmp
while read -r module; do insmod /modules/$module; done < /modules/order
exec /bin/agent
`;

/**
 * One line per script: "ID BASE64". One line per result: "ID EXITCODE BASE64". Scripts run beside each other; the lock
 * keeps the lines of results apart.
 */
export const AGENT = `#!/bin/busybox sh
port=
until [ -n "$port" ]; do
  for name in /sys/class/virtio-ports/*/name; do
    [ -e $name ] && [ "$(cat $name)" = ${AGENT_PORT} ] && port=/dev/$(basename $(dirname $name))
  done
  [ -n "$port" ] || usleep 20000
done
exec 3<>$port
echo ${AGENT_READY} >&3
while true; do
  # The end of the file: nobody is connected at the other end.
  read -r id script <&3 || { usleep 50000; continue; }
  printf %s "$script" | base64 -d > /tmp/script.$id
  {
    sh /tmp/script.$id > /tmp/output.$id 2>&1 < /dev/null 3>&-
    code=$?
    until mkdir /tmp/agent.lock 2> /dev/null; do usleep 1000; done
    printf '%s %s ' $id $code >&3
    base64 /tmp/output.$id | tr -d '\\n' >&3
    echo >&3
    rmdir /tmp/agent.lock
    rm -f /tmp/script.$id /tmp/output.$id
  } &
done
`;

/**
 * What every script from the tests can use. Programs that busybox has too are functions here, because its shell prefers
 * its own.
 */
export const FUNCTIONS = `export PATH=/usr/bin:/bin
lsscsi() { /usr/bin/lsscsi "$@"; }
mke2fs() { /usr/bin/mke2fs "$@"; }
# node CLASS LUN: the device file of a logical unit; block for sd and sr, scsi_generic for sg.
node() {
  for place in /sys/class/scsi_device/*:0:0:$2/device/$1/*; do
    [ -e $place ] && echo /dev/\${place##*/} && return 0
  done
  echo "LUN $2 has no device of class $1" >&2
  return 1
}
disk() { node block $1; }
sg() { node scsi_generic $1; }
# attribute LUN NAME: a file below the SCSI device.
attribute() { cat /sys/class/scsi_device/*:0:0:$1/device/$2; }
`;
