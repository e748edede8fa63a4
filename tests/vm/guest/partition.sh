# A partition that begins at an odd block: all that is done stays inside, and at its place.
. /common.sh

WHOLE=${NODE%1}
WHOLE=${WHOLE%p}
FIRST=2049
COUNT=32767

[ "$BACKEND" != scsi ] || check serve scsi_target

# An entry of the partition table: type 83h, first block and number of blocks in 32 bits each.
little_endian() {
  printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) \
    $(($1 >> 24 & 255))
}
printf "\x00\x00\x00\x00\x83\x00\x00\x00$(little_endian $FIRST)$(little_endian $COUNT)" |
  dd of="$WHOLE" bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of="$WHOLE" bs=1 seek=510 conv=notrunc,fsync status=none
blockdev --rereadpt "$WHOLE"
until [ -b "$NODE" ]; do sleep 0.1; done

# Noise before and after the partition.
dd if=/dev/urandom of="$WHOLE" bs="$BLOCK" seek=1 count=$((FIRST - 1)) conv=notrunc,fsync \
  status=none
dd if=/dev/urandom of="$WHOLE" bs="$BLOCK" seek=$((FIRST + COUNT)) count=4000 conv=notrunc,fsync \
  status=none
neighbours() {
  {
    read_blocks "$WHOLE" 0 $FIRST
    read_blocks "$WHOLE" $((FIRST + COUNT)) 4000
  } | sha256sum
}
BEFORE=$(neighbours)

test_identify() {
  gleaner identify "$DEVICE" --json >/tmp/found
  cat /tmp/found
  equal "$(value /tmp/found capacity_blocks)" $COUNT capacity_blocks
}

# The last block can be copied to, the next is past the end.
test_end() {
  fill
  gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+40 --at=$((COUNT - 40)) --force
  read_blocks "$NODE" $((COUNT - 40)) 40 | cmp -n $((40 * BLOCK)) - /tmp/image
  read_blocks "$WHOLE" $((FIRST + COUNT - 40)) 40 | cmp -n $((40 * BLOCK)) - /tmp/image
  refuses 1 "no room" gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+40 \
    --at=$((COUNT - 39)) --force
  refuses 1 "past the end" gleaner copy --from="$DEVICE" --to="$DEVICE" \
    --ranges=$((COUNT - 39))+40 --at=0 --force
}

test_neighbours() {
  equal "$(neighbours)" "$BEFORE" "what is outside of the partition"
}

check identify test_identify
SEGMENT=64 standard_cases
check end test_end
check neighbours test_neighbours
