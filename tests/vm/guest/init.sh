#!/bin/busybox sh
# The first process of a guest: runs the script that the kernel's command line names, and powers
# off. The kernel hands it what is there as NAME=VALUE in the environment.
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib HOME=/tmp
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/shm
mount -t tmpfs none /dev/shm
mount -t tmpfs none /tmp
while read -r module; do
  insmod "/modules/$module.ko" || echo "init: $module does not load"
done </modules/order
stty -F /dev/ttyS1 raw
exec 3>/dev/ttyS1 # kept open: what closing or powering off would cut short is written out
cd /tmp || exit 1
: >/tmp/cases
sh "/$SCRIPT"
echo "done $(wc -l </tmp/cases)" >/dev/ttyS1
sync
sleep 1
poweroff -f
