# Two namespaces as one device: copies are native within each, and through the host between them.
. /common.sh

OTHER=/dev/nvme0n2
MEMBERS="$BACKEND:$NODE;$BACKEND:$OTHER"

# Chunks of 16 blocks: block 36 of the stripe is block 20 of the first member, 64 is 32 there, and
# 48 is block 16 of the second.
copy_in_stripe() {
  gleaner copy --from="stripe:64K;$MEMBERS" --to="stripe:64K;$MEMBERS" --ranges="$2" --at="$3" \
    --copy="$1" --force --json >/tmp/copy
  cat /tmp/copy
}

test_within_a_member() {
  fill
  copy_in_stripe "$1" 0+4,36+12 64
  used "$1"
  expect_copy 0+4,20+12 32
  compare
}

test_across() {
  fill
  copy_in_stripe auto 0+16 48
  used emulate
  compare
  read_blocks "$NODE" 0 16 >/tmp/expected
  read_blocks $OTHER 16 16 | cmp - /tmp/expected
}

test_no_native_across() {
  refuses 1 'they lie on different members' gleaner copy --from="stripe:64K;$MEMBERS" \
    --to="stripe:64K;$MEMBERS" --ranges=0+16 --at=48 --copy=native --force
}

test_simulate_on() {
  DEVICE=$1
  SEGMENT=64 same_as_model "$2" --segment_blocks=64
}

for mode in $(modes); do check "within.$mode" test_within_a_member "$mode"; done
check across test_across
check no_native_across test_no_native_across
for mode in auto emulate; do
  check "stripe.$mode" test_simulate_on "stripe:256K;$MEMBERS" $mode # a segment a chunk
  check "small_chunks.$mode" test_simulate_on "stripe:20K;$MEMBERS" $mode
  check "concat.$mode" test_simulate_on "concat:mem:size=2M;$MEMBERS" $mode
done
