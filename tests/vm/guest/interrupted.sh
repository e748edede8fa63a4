# A copy that something ends half way: a kill, a namespace that goes away. The drive writes slowly,
# so that there is a half way.
. /common.sh

SOURCE=1024 # blocks, copied four times one after the other: more than one buffer pool holds
TARGET=$((4 * SOURCE))
RANGES=0+$SOURCE,0+$SOURCE,0+$SOURCE,0+$SOURCE

# stamped WORD COUNT: a block is one line of text, so that tools for text can tell them apart.
stamped() {
  awk -v word="$1" -v count="$2" -v width=$((BLOCK - 1)) \
    'BEGIN { for (i = 0; i < count; i++) printf "%-" width "s\n", word " " i }'
}

setup() {
  stamped new $SOURCE >/tmp/source
  cat /tmp/source >/tmp/all
  stamped old $TARGET >>/tmp/all
  dd if=/tmp/all of="$NODE" bs=1M oflag=direct conv=notrunc status=none
}

JOB="gleaner copy --from=$DEVICE --to=$DEVICE --ranges=$RANGES --at=$SOURCE --force"

# Begins the job, and waits until its first blocks have arrived.
begin() {
  $JOB --copy="$1" >/tmp/out 2>/tmp/err &
  COPY=$!
  until read_blocks "$NODE" $SOURCE 1 | grep -q '^new 0 '; do
    kill -0 $COPY
    usleep 50000
  done
}

# arrived LEAST MOST: the source is whole, each block of the target is the old one or the new one,
# and so many are new.
arrived() {
  dd if="$NODE" bs=1M count=$(((SOURCE + TARGET) * BLOCK >> 20)) iflag=direct status=none \
    >/tmp/now
  cmp -n $((SOURCE * BLOCK)) /tmp/now /tmp/source
  awk -v source=$SOURCE -v least="$1" -v most="$2" -v width=$((BLOCK - 1)) '
    NR > source {
      i = NR - source - 1
      if ($0 == sprintf("%-" width "s", "new " i % source)) arrived++
      else if ($0 != sprintf("%-" width "s", "old " i)) torn++
    }
    END {
      print arrived + 0, "of", NR - source, "arrived,", torn + 0, "torn"
      exit !(torn == 0 && arrived >= least && arrived <= most)
    }' /tmp/now
}

# A killed copy leaves the device to the next, which does it all.
test_killed() {
  local tries=0 code=0
  setup
  begin "$1"
  kill -9 $COPY
  wait $COPY || code=$?
  equal $code 137 "the exit code"
  arrived 1 $((TARGET - 1))
  # The kernel drops the lock when what was under way has ended.
  until $JOB --copy="$1" 2>/tmp/err; do
    cat /tmp/err
    grep -q 'in use' /tmp/err
    [ $tries -lt 50 ]
    tries=$((tries + 1))
    usleep 200000
  done
  arrived $TARGET $TARGET
}

# Without its drive a copy fails, with one line; back again, the device works.
# fails_without MODE TAKE-AWAY BRING-BACK
fails_without() {
  local code=0 known
  setup
  begin "$1"
  $2
  wait $COPY || code=$?
  cat /tmp/out /tmp/err
  equal $code 1 "the exit code"
  equal "$(grep -vc '^gleaner: ' /tmp/err)" 1 "the number of lines of the error"
  known=$(sed -nE "s/.*; ([0-9]+) of $TARGET blocks are known to have arrived\$/\1/p" /tmp/err)
  until ! [ -e "$NODE" ]; do usleep 50000; done
  $3
  until [ -b "$NODE" ]; do usleep 50000; done
  arrived "$known" $TARGET # the drive may finish what it can no longer answer
  $JOB --copy="$1"
  arrived $TARGET $TARGET
}

detach() {
  nvme detach-ns /dev/nvme0 -n 1 -c 0
}
attach() {
  nvme attach-ns /dev/nvme0 -n 1 -c 0
  nvme ns-rescan /dev/nvme0
}
test_detached() {
  fails_without "$1" detach attach
}

unplug() {
  echo 1 >/sys/class/nvme/nvme0/device/remove
}
plug() {
  echo 1 >/sys/bus/pci/rescan
}
test_unplugged() {
  fails_without "$1" unplug plug
}

for mode in $(modes); do
  for what in $(echo "$WHAT" | tr ',' ' '); do
    check "$what.$mode" "test_$what" "$mode"
  done
done
