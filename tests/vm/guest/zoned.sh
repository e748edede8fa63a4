# A zoned namespace. ZONE and ZONE_CAPACITY are blocks; MAX_OPEN and MAX_ACTIVE zones.
. /common.sh

reset_all() {
  nvme zns reset-zone "$NODE" -a
}

# fill_zone NUMBER COUNT: noise in the first blocks of an empty zone, kept in /tmp/zoneNUMBER.
fill_zone() {
  dd if=/dev/urandom of="/tmp/zone$1" bs="$BLOCK" count="$2" iflag=fullblock status=none
  dd if="/tmp/zone$1" of="$NODE" bs="$BLOCK" seek=$(($1 * ZONE)) oflag=direct conv=notrunc \
    status=none
}

write_pointer() {
  set +x
  nvme zns report-zones "$NODE" -s $(($1 * ZONE)) -d 1 -o json >/tmp/zone
  echo $(($(value /tmp/zone wp) - $1 * ZONE))
}

test_identify() {
  gleaner identify "$DEVICE" --json >/tmp/found
  cat /tmp/found
  equal "$(value /tmp/found zoned)" true zoned
  equal "$(value /tmp/found zone_size_blocks)" "$ZONE" zone_size_blocks
  equal "$(value /tmp/found zone_capacity_blocks)" "$ZONE_CAPACITY" zone_capacity_blocks
  equal "$(value /tmp/found max_open_zones)" "$MAX_OPEN" max_open_zones
  equal "$(value /tmp/found max_active_zones)" "$MAX_ACTIVE" max_active_zones
}

# Two zones, one of them full, into an empty one, at its start and on from its write pointer.
test_copy() {
  local mode=$1 half=$((ZONE_CAPACITY / 2))
  reset_all
  fill_zone 0 "$ZONE_CAPACITY"
  fill_zone 2 30
  gleaner copy --from="$DEVICE" --to="$DEVICE" --copy="$mode" --force --json \
    --ranges="$((2 * ZONE + 3))+20,1+1,7+$((half - 21))" --at=$((5 * ZONE)) >/tmp/copy
  used "$mode"
  equal "$(write_pointer 5)" "$half" "the write pointer"
  gleaner copy --from="$DEVICE" --to="$DEVICE" --copy="$mode" --force --json \
    --ranges="$half+$half" --at=$((5 * ZONE + half)) >/tmp/copy
  used "$mode"
  {
    dd if=/tmp/zone2 bs="$BLOCK" skip=3 count=20 status=none
    dd if=/tmp/zone0 bs="$BLOCK" skip=1 count=1 status=none
    dd if=/tmp/zone0 bs="$BLOCK" skip=7 count=$((half - 21)) status=none
    dd if=/tmp/zone0 bs="$BLOCK" skip="$half" count="$half" status=none
  } >/tmp/expected
  read_blocks "$NODE" $((5 * ZONE)) "$ZONE_CAPACITY" | cmp - /tmp/expected
  read_blocks "$NODE" 0 "$ZONE_CAPACITY" | cmp - /tmp/zone0
  equal "$(write_pointer 2)" 30 "the write pointer of a source"
  equal "$(write_pointer 6)" 0 "the write pointer of the next zone"
}

# Neither beyond a zone's capacity nor apart from its write pointer.
test_refusals() {
  local before
  reset_all
  fill_zone 0 40
  before=$(write_pointer 1)
  refuses 1 . gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+8 --at=$((ZONE + 4)) --force
  refuses 1 . gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges=0+8 \
    --at=$((ZONE + ZONE_CAPACITY - 4)) --force
  equal "$(write_pointer 1)" "$before" "the write pointer"
}

# What knows no zones does not take a drive that has them for one without.
test_not_as_a_file() {
  refuses 2 zoned gleaner identify "file:$NODE"
}

# As many logs as zones can be open. Zones that were left open elsewhere count, too. Extents are
# not compared: zones end with a hole, where the model's segments follow each other.
test_simulate() {
  local key EXTENTS= PLACEMENT=${2:-gc-log}
  [ "$MAX_OPEN" -gt 1 ] || PLACEMENT=none
  reset_all
  fill_zone 40 10
  same_as_model "$1" --segment_blocks="$ZONE_CAPACITY" --max_open_zones="$MAX_OPEN"
  for key in open_segments reserved_segments; do
    equal "$(value /tmp/run $key)" "$(value /tmp/model $key)" $key
  done
}

# The least that does not do is refused before anything is written.
test_too_few() {
  reset_all
  refuses 2 "2 open segments are needed, 1 can be" gleaner simulate --workload=uniform \
    --volume_blocks=2048 --placement=temperature --device="$DEVICE" --force
  equal "$(write_pointer 0)" 0 "the write pointer"
}

check identify test_identify
for mode in $(modes); do
  check "copy.$mode" test_copy "$mode"
  check "simulate.$mode" test_simulate "$mode"
  [ "$MAX_OPEN" = 1 ] || check "temperature.$mode" test_simulate "$mode" temperature:500:5000
done
[ "$MAX_OPEN" -gt 1 ] || check too_few test_too_few
check refusals test_refusals
check not_as_a_file test_not_as_a_file
