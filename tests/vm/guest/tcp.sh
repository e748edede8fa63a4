# NVMe over TCP, from the kernel's target on the loopback interface. It has no Copy: emulation
# takes over by itself.
. /common.sh

BEHIND=/dev/nvme0n1 # what the target serves
TARGET=/sys/kernel/config/nvmet

serve() {
  ip link set lo up
  mount -t configfs none /sys/kernel/config
  mkdir $TARGET/subsystems/gleaner-tcp
  echo 1 >$TARGET/subsystems/gleaner-tcp/attr_allow_any_host
  mkdir $TARGET/subsystems/gleaner-tcp/namespaces/1
  echo -n $BEHIND >$TARGET/subsystems/gleaner-tcp/namespaces/1/device_path
  echo 1 >$TARGET/subsystems/gleaner-tcp/namespaces/1/enable
  mkdir $TARGET/ports/1
  echo tcp >$TARGET/ports/1/addr_trtype
  echo ipv4 >$TARGET/ports/1/addr_adrfam
  echo 127.0.0.1 >$TARGET/ports/1/addr_traddr
  echo 4420 >$TARGET/ports/1/addr_trsvcid
  ln -s $TARGET/subsystems/gleaner-tcp $TARGET/ports/1/subsystems/gleaner-tcp
  nvme connect -t tcp -a 127.0.0.1 -s 4420 -n gleaner-tcp
  until [ -b "$NODE" ]; do sleep 0.1; done
}

test_identify() {
  gleaner identify "$DEVICE" --json >/tmp/found
  cat /tmp/found
  equal "$(value /tmp/found block_bytes)" "$BLOCK" block_bytes
  equal "$(value /tmp/found capacity_bytes)" "$(blockdev --getsize64 $BEHIND)" capacity_bytes
  equal "$(value /tmp/found can_copy)" false can_copy
}

# What arrived is there for those who read the drive behind the target, too.
test_behind() {
  fill
  copies auto $RANGES 2500
  sync
  echo 3 >/proc/sys/vm/drop_caches
  cmp -n $((REGION * BLOCK)) $BEHIND /tmp/image
}

check connect serve
check identify test_identify
SEGMENT=64 standard_cases
check simulate.auto test_simulate auto
check behind test_behind
