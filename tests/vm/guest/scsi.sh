# A SCSI disk of the kernel's own target, which copies by EXTENDED COPY, and programs of sg3-utils.
. /common.sh

GENERIC=/dev/sg0

# parameter NAME: a number in the answer of another program that asks for the limits of copies.
parameter() {
  sg_copy_results --params "$NODE" | sed -nE "s/^ *$1: ([0-9]+).*/\1/p"
}

test_identify() {
  local segments length
  gleaner identify "$DEVICE" --json >/tmp/found
  cat /tmp/found
  sg_inq "$NODE"
  sg_readcap --16 "$NODE"
  sg_copy_results --params "$NODE"
  segments=$(parameter "Maximum segment descriptor count")
  length=$(parameter "Maximum segment length")
  equal "$(value /tmp/found block_bytes)" "$BLOCK" block_bytes
  equal "$(value /tmp/found capacity_bytes)" "$(blockdev --getsize64 "$BEHIND")" capacity_bytes
  equal "$(value /tmp/found can_copy)" true can_copy
  equal "$(value /tmp/found max_copy_ranges)" "$segments" max_copy_ranges
  # 16 bits count the blocks of a segment.
  length=$((length / BLOCK))
  [ $length -le 65535 ] || length=65535
  equal "$(value /tmp/found max_range_blocks)" $length max_range_blocks
  equal "$(value /tmp/found max_copy_blocks)" $((segments * length)) max_copy_blocks
}

# What one program copies the other can copy on, in both orders.
test_with_sg_xcopy() {
  local mode
  fill
  for mode in native emulate; do
    copies "$mode" 50+100 3000
    sg_xcopy if=$GENERIC of=$GENERIC bs="$BLOCK" skip=3000 seek=3200 count=100
    expect_copy 3000+100 3200
    compare
    sg_xcopy if=$GENERIC of=$GENERIC bs="$BLOCK" skip=900 seek=3400 count=100
    expect_copy 900+100 3400
    copies "$mode" 3400+100 3600
  done
}

# The generic character device, which knows no page cache and no partitions.
test_generic() {
  DEVICE=scsi:$GENERIC
  fill
  copies native $RANGES 2500
  used native
  copies emulate 5+77 3000
}

# What arrived is there for those who read the drive behind the target, too.
test_behind() {
  fill
  copies native $RANGES 2500
  sync
  echo 3 >/proc/sys/vm/drop_caches
  cmp -n $((REGION * BLOCK)) "$BEHIND" /tmp/image
}

# A disk that somebody else uses is left alone, by whichever node it is named.
test_in_use() {
  local node
  mkswap "$NODE"
  swapon "$NODE"
  for node in "$NODE" $GENERIC; do
    refuses 1 "in use" gleaner copy --from="scsi:$node" --to="scsi:$node" --ranges=0+8 \
      --at=100 --force
  done
  swapoff "$NODE"
  gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+8 --at=100 --force
}

test_protected() {
  blockdev --setro "$NODE"
  refuses 1 "write-protected; .blockdev --setrw" gleaner copy --from="$DEVICE" --to="$DEVICE" \
    --ranges=0+8 --at=100 --force
  gleaner identify "$DEVICE"
  blockdev --setrw "$NODE"
}

# A disk that goes away ends the run with an error, whatever was in flight.
test_removed() {
  local code=0 runner
  dd if=/dev/zero of="$NODE" bs=1M count=4 oflag=direct status=none
  gleaner simulate --workload=uniform --volume_blocks=4096 --writes=1000 --segment_blocks=64 --seed=7 \
    --device="$DEVICE" --copy=native --force --json >/tmp/out 2>/tmp/err &
  runner=$!
  until read_blocks "$NODE" 0 1 | tr -d '\0' | grep -q .; do
    kill -0 $runner || cat /tmp/err
    kill -0 $runner
    usleep 50000
  done
  echo 1 >"/sys/block/${NODE#/dev/}/device/delete"
  wait $runner || code=$?
  cat /tmp/err
  equal $code 1 "the exit code"
  grep -q "$DEVICE" /tmp/err
}

check serve scsi_target
check identify test_identify
SEGMENT=64 standard_cases
check simulate.auto test_simulate auto
check sg_xcopy test_with_sg_xcopy
check generic test_generic
check behind test_behind
check in_use test_in_use
check protected test_protected
check removed test_removed
