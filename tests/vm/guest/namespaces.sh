# Two namespaces: the second, of other blocks, is copied to from the first, where no drive of
# today copies itself.
. /common.sh

OTHER=/dev/nvme0n2

# The second namespace's blocks are eight of the first.
test_between() {
  fill
  gleaner copy --from="$DEVICE" --to="$BACKEND:$OTHER" --ranges=16+8,64+800,8+8 --at=77 \
    --force --json >/tmp/copy
  cat /tmp/copy
  used emulate
  {
    read_blocks "$NODE" 16 8
    read_blocks "$NODE" 64 800
    read_blocks "$NODE" 8 8
  } >/tmp/expected
  dd if=$OTHER bs=4096 skip=77 count=102 iflag=direct status=none | cmp - /tmp/expected
  compare
}

test_native_between() {
  refuses 1 . gleaner copy --from="$DEVICE" --to="$BACKEND:$OTHER" --ranges=0+8 --at=0 \
    --copy=native --force
}

# Work on one leaves the other as it is.
test_apart() {
  local before
  dd if=/dev/urandom of=$OTHER bs=1M count=4 oflag=direct status=none
  before=$(dd if=$OTHER bs=1M iflag=direct status=none | sha256sum)
  SEGMENT=64 same_as_model "$(modes | cut -d ' ' -f 1)" --segment_blocks=64
  equal "$(dd if=$OTHER bs=1M iflag=direct status=none | sha256sum)" "$before" "$OTHER"
}

check between test_between
check native_between test_native_between
check apart test_apart
