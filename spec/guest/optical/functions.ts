/** What the lines of the optical tests can call in the guest. */

/** The sources come as a disk of their own, which holds a tar archive. */
export const UNPACK = `mkdir -p /s /m
tar -x -f /dev/vda -C /s
[ -b /dev/sr0 ]
`;

/** As udev does it: the kernel asks the drive for events every two seconds. */
export const POLL = 'echo 2000 > /sys/module/block/parameters/events_dfl_poll_msecs\n';

export const OPTICAL_FUNCTIONS = `D=/dev/sr0 S=/s
set -o pipefail
# mounted TYPE COMMAND...: runs it in the root of the disc.
mounted() {
  mount -t $1 -o ro $D /m || return
  shift
  (cd /m && ls -la && "$@")
  set -- $?
  umount /m && return $1
}
# same IMAGE [FLAG]: the disc begins with the image, block by block.
same() {
  dd if=$D bs=2048 count=$(($(stat -c %s $S/$1) / 2048)) $2 | cmp - $S/$1
}
# reload: out and in again, as a user does it.
reload() { eject $D && sleep 1 && eject -t $D; }
# slowly IMAGE BLOCKS: the image on standard output, which waits behind that many blocks until there is /tmp/go.
slowly() {
  dd if=$S/$1 bs=2048 count=$2 2> /dev/null
  while [ ! -e /tmp/go ]; do usleep 100000; done
  dd if=$S/$1 bs=2048 skip=$2 2> /dev/null
}
# refused COMMAND...: it ends with an error, and before its time.
refused() {
  "$@"
  [ $? -ne 0 ] && [ $? -ne 143 ]
}
`;

/** Blocks that cdrskin is handed before it waits, and those of them that it has written by then, 16 at once. */
const HANDED_BLOCKS = 300;
export const SLOWLY_WRITTEN_BLOCKS = 288;

/** Burns disc a track at once, in the background, and waits in the middle until there is /tmp/go; /tmp/burn is what it says, /tmp/code its exit code. */
export const burnSlowly = (options: string): string => `rm -f /tmp/go /tmp/code
{ slowly a.iso ${HANDED_BLOCKS} | cdrskin dev=$D -v -tao ${options} fs=0 padsize=0 tsize=$(stat -c %s $S/a.iso) - > /tmp/burn 2>&1
echo $? > /tmp/code; } &`;
