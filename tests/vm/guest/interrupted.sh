# A copy that something ends half way: a kill, a namespace that goes away. The drive is slow, so
# that there is a half way.
. /common.sh

COUNT=2048 # blocks, from 0 to COUNT: a job of 8 MiB

# Begins the copy of the first half of the region to the second, and waits until it is under way.
begin() {
  gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+$COUNT --at=$COUNT --copy="$1" \
    --force >/tmp/out 2>/tmp/err &
  COPY=$!
  until read_blocks "$NODE" $((COUNT + 1)) 1 | cmp -s - /tmp/second; do
    kill -0 $COPY
    sleep 0.2
  done
}

# The source is whole; of the target each block is the old or the new.
each_block_old_or_new() {
  local new=0 old=0 i
  read_blocks "$NODE" 0 $((2 * COUNT)) >/tmp/now
  cmp -n $((COUNT * BLOCK)) /tmp/now /tmp/image
  # Blocks' checksums, a line each: what is there, what was, and what should come.
  for i in now image; do
    split_sums "/tmp/$i" >"/tmp/$i.sums"
  done
  tail -n $COUNT /tmp/now.sums >/tmp/target
  head -n $COUNT /tmp/image.sums >/tmp/new
  tail -n $COUNT /tmp/image.sums >/tmp/old
  paste -d ' ' /tmp/target /tmp/old /tmp/new | awk '
    $1 == $3 { arrived++ } $1 != $2 && $1 != $3 { torn++ }
    END { print arrived + 0, "arrived", torn + 0, "torn"; exit torn > 0 || arrived == 0 }'
}

split_sums() {
  set +x
  split -b "$BLOCK" -a 4 "$1" /tmp/block.
  sha1sum /tmp/block.* | cut -d ' ' -f 1
  rm /tmp/block.*
}

setup() {
  fill
  dd if=/tmp/image of=/tmp/second bs="$BLOCK" skip=1 count=1 status=none
}

# A killed copy leaves the device to the next, which does it all.
test_killed() {
  local tries=0
  setup
  begin "$1"
  kill -9 $COPY
  ! wait $COPY
  each_block_old_or_new
  # The kernel drops the lock when what was under way has ended.
  until gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+$COUNT --at=$COUNT \
    --copy="$1" --force 2>/tmp/err; do
    grep -q 'in use' /tmp/err && [ $tries -lt 50 ]
    tries=$((tries + 1))
    sleep 0.2
  done
  expect_copy 0+$COUNT $COUNT
  compare
}

# Without its namespace a copy fails at once, with one line; back again, it works.
test_removed() {
  local code=0
  setup
  begin "$1"
  nvme detach-ns /dev/nvme0 -n 1 -c 0
  wait $COPY || code=$?
  cat /tmp/out /tmp/err
  equal $code 1 "the exit code"
  equal "$(wc -l </tmp/err)" 1 "the number of lines on standard error"
  grep -q "of $COUNT blocks are known to have arrived" /tmp/err
  nvme attach-ns /dev/nvme0 -n 1 -c 0
  nvme ns-rescan /dev/nvme0
  until [ -b "$NODE" ]; do sleep 0.1; done
  each_block_old_or_new
  gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+$COUNT --at=$COUNT --copy="$1" --force
  expect_copy 0+$COUNT $COUNT
  compare
}

for mode in $(modes); do
  check "$WHAT.$mode" "test_$WHAT" "$mode"
done
