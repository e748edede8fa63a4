# What the scripts of the scenarios share. A case is a function that `check` runs: it passes if
# each of its commands does. Results go to the second serial port, a line each.
#
#   NODE         block device under test; DEVICE is its SPEC
#   BLOCK        bytes of its blocks
#   BACKEND      nvme or file, the first word of the SPEC

DEVICE=$BACKEND:$NODE
REGION=4096 # first blocks of the device, of which /tmp/image says what they should hold

report() {
  echo "$*" | tee -a /tmp/cases >/dev/ttyS1
}

# check NAME COMMAND...: counts one case.
check() {
  local name=$1 watchdog code
  shift
  echo "== $name"
  # One that hangs becomes one that fails, and shows where.
  (
    sleep "${LIMIT:-100}"
    echo "$name takes too long"
    killall -9 gleaner relocation
  ) &
  watchdog=$!
  (
    set -ex
    "$@"
  ) >/tmp/log 2>&1
  code=$?
  kill $watchdog
  case $code in
    0) report "ok $name" ;;
    77) report "skip $name: $(tail -n 1 /tmp/log)" ;;
    *)
      report "fail $name"
      tail -n 25 /tmp/log | sed 's/^/# /' >/dev/ttyS1
      ;;
  esac
}

# In a case: says loudly why it cannot be run here.
skip() {
  set +x
  echo "$*"
  exit 77
}

# Runs a command that must fail with exit code $1 and one line of an error, with $2 in it; notices
# ("gleaner: ...") may come before.
refuses() {
  local code=0 expected=$1 words=$2
  shift 2
  "$@" >/tmp/out 2>/tmp/err || code=$?
  cat /tmp/out /tmp/err
  [ "$code" = "$expected" ] && [ "$(grep -vc '^gleaner: ' /tmp/err)" = 1 ] &&
    tail -n 1 /tmp/err | grep -q -e "$words"
}

# value FILE KEY: of a number, a word or a truth in JSON.
value() {
  set +x
  sed -nE "s/^.*\"$2\" *: *\"?([^,\" ]*)\"?,?.*\$/\1/p" "$1" | head -n 1
}

# equal ACTUAL EXPECTED WHAT
equal() {
  [ "$1" = "$2" ] || {
    echo "$3 is $1, not $2"
    return 1
  }
}

# Blocks $2+$3 of device $1, by another path than ours: direct reads of the kernel's block layer.
read_blocks() {
  dd if="$1" bs="$BLOCK" skip="$2" count="$3" iflag=direct status=none
}

# Fills the region with noise, by another path than ours, and remembers it in /tmp/image.
fill() {
  dd if=/dev/urandom of=/tmp/image bs="$BLOCK" count=$REGION iflag=fullblock status=none
  dd if=/tmp/image of="$NODE" bs=1M oflag=direct status=none
}

# expect_copy RANGES AT: changes the image as a copy of START+COUNT,... to block AT should the
# device; in steps of one range, as the specification has it.
expect_copy() {
  local at=$2 range
  for range in $(echo "$1" | tr ',' ' '); do
    dd if=/tmp/image of=/tmp/part bs="$BLOCK" skip="${range%+*}" count="${range#*+}" status=none
    dd if=/tmp/part of=/tmp/image bs="$BLOCK" seek="$at" conv=notrunc status=none
    at=$((at + ${range#*+}))
  done
}

# The whole region is what the image says: what was copied, and all around it.
compare() {
  dd if="$NODE" bs=1M count=$((REGION * BLOCK >> 20)) iflag=direct status=none | cmp - /tmp/image
}

# copies MODE RANGES AT FLAGS...: copies within the device, and compares.
copies() {
  local mode=$1 ranges=$2 at=$3
  shift 3
  gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges="$ranges" --at="$at" --copy="$mode" \
    --force --json "$@" >/tmp/copy
  cat /tmp/copy
  expect_copy "$ranges" "$at"
  compare
}

# What a mode should have used.
used() {
  local other=native
  [ "$1" = emulate ] || other=emulated
  equal "$(value /tmp/copy ${other}_blocks)" 0 ${other}_blocks
}

# Ranges of all sizes, not in order, one twice.
RANGES=700+1,3+5,100+64,9+1,1024+300,100+64,2000+129

test_copy() {
  fill
  compare
  copies "$1" $RANGES 2500
  used "$1"
}

# same_as_model MODE FLAGS-OF-THE-MODEL...: the same decisions as the model, every block verified.
same_as_model() {
  local mode=$1 key flags
  shift
  flags="--workload=zipf:0.99 --volume_blocks=${VOLUME:-1024} --writes=2 --warmup=1 --seed=7
    --placement=${PLACEMENT:-gc-log} --json"
  gleaner simulate $flags "$@" >/tmp/model
  [ -z "$SEGMENT" ] || flags="$flags --segment_blocks=$SEGMENT"
  gleaner simulate $flags --device="$DEVICE" --copy="$mode" --force >/tmp/run
  cat /tmp/model /tmp/run
  for key in user_blocks relocated_blocks segments_cleaned ${EXTENTS-extents_per_gib_after}; do
    equal "$(value /tmp/run $key)" "$(value /tmp/model $key)" $key
  done
  [ "$(value /tmp/run segments_cleaned)" -gt 0 ]
  [ "$(value /tmp/run verified_blocks)" -ge "${VOLUME:-1024}" ]
  case $mode in
    native) equal "$(value /tmp/run emulated_blocks)" 0 emulated_blocks ;;
    emulate) equal "$(value /tmp/run native_blocks)" 0 native_blocks ;;
  esac
}

test_simulate() {
  SEGMENT=${SEGMENT:-64}
  same_as_model "$1" --segment_blocks="$SEGMENT"
}

# The modes that can work here: NATIVE=no says that there are no native copies.
modes() {
  if [ "$BACKEND" = file ] || [ "$NATIVE" = no ]; then echo emulate; else echo native emulate; fi
}

# With no native copy, asking for it is refused, and whoever leaves the choice to us is served.
test_no_native_copy() {
  fill
  refuses 1 native gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+8 --at=100 \
    --copy=native --force
  compare
  copies auto $RANGES 2500
  used emulate
}

standard_cases() {
  local mode
  for mode in $(modes); do
    check "copy.$mode" test_copy "$mode"
    check "simulate.$mode" test_simulate "$mode"
  done
  case $(modes) in emulate) check copy.no_native test_no_native_copy ;; esac
}

# Makes each of the block devices BEHIND a disk of the kernel's SCSI target (LIO), on a loopback
# host: /dev/sda and /dev/sg0, and so on. Copies need the serial number: it becomes the name by
# which a disk is addressed in them.
scsi_target() {
  local target=/sys/kernel/config/target number=0 behind store group
  mount -t configfs none /sys/kernel/config
  group=$target/loopback/naa.5001405000000001/tpgt_1
  mkdir -p $group
  echo naa.5001405000000002 >$group/nexus
  for behind in $(echo "$BEHIND" | tr ',' ' '); do
    store=$target/core/iblock_$number/disk
    mkdir -p $store
    echo "udev_path=$behind" >$store/control
    echo 1 >$store/enable
    echo "0000000$number-5ca1-4ab1-8000-000000000000" >$store/wwn/vpd_unit_serial
    echo 1 >$store/attrib/emulate_tpu
    mkdir -p $group/lun/lun_$number
    ln -s $store $group/lun/lun_$number/disk
    until [ -b "/dev/sd$(echo $number | tr 0-9 a-j)" ] && [ -c /dev/sg$number ]; do
      sleep 0.1
    done
    number=$((number + 1))
  done
}
