# A namespace without zones. UNKNOWN=yes: it offers Copy without limits, and refuses every one.
. /common.sh

test_identify() {
  gleaner identify "$DEVICE" --json >/tmp/found
  nvme id-ns "$NODE" -o json >/tmp/namespace
  nvme id-ctrl "$NODE" -o json >/tmp/controller
  cat /tmp/found
  equal "$(value /tmp/found block_bytes)" "$BLOCK" block_bytes
  equal "$(value /tmp/found capacity_bytes)" "$(blockdev --getsize64 "$NODE")" capacity_bytes
  equal "$(value /tmp/found capacity_blocks)" "$(value /tmp/namespace nsze)" capacity_blocks
  [ "$BACKEND" = nvme ] || return 0
  [ $(($(value /tmp/controller oncs) >> 8 & 1)) = 1 ]
  if [ "$UNKNOWN" = yes ]; then
    equal "$(value /tmp/found copy_limits_unknown)" true copy_limits_unknown
    equal "$(value /tmp/found copy_offload)" true copy_offload
    equal "$(value /tmp/found max_copy_blocks)" 0 max_copy_blocks
    return
  fi
  if [ "$NATIVE" = no ]; then
    equal "$(value /tmp/found can_copy)" false can_copy
    return
  fi
  equal "$(value /tmp/found can_copy)" true can_copy
  equal "$(value /tmp/found max_copy_blocks)" "$(value /tmp/namespace mcl)" max_copy_blocks
  equal "$(value /tmp/found max_range_blocks)" "$(value /tmp/namespace mssrl)" max_range_blocks
  equal "$(value /tmp/found max_copy_ranges)" $(($(value /tmp/namespace msrc) + 1)) max_copy_ranges
}

# nvme_copy START COUNT AT: another program's copy of one range.
nvme_copy() {
  nvme copy "$NODE" --slbs="$1" --blocks=$(($2 - 1)) --sdlba="$3"
  expect_copy "$1+$2" "$3"
}

# What one program copies the other can copy on, in both orders.
test_with_nvme_cli() {
  local count=$1 mode
  fill
  for mode in $(modes); do
    copies "$mode" "50+$count" 3000
    nvme_copy 3000 "$count" 3200
    compare
    nvme_copy 900 "$count" 3400
    copies "$mode" "3400+$count" 3600
  done
}

# What refuses everything is asked once.
test_unknown_limits() {
  fill
  refuses 1 "NVMe status .*native copy, and refuses even one block" gleaner copy --from="$DEVICE" \
    --to="$DEVICE" --ranges=0+64 --at=100 --copy=native --force
  compare
  copies auto 0+1000 2500
  used emulate
  equal "$(value /tmp/copy failed_commands)" 1 failed_commands
}

units() {
  nvme smart-log "$NODE" -o json | grep -E "\"data_units_$1\"" | tr -dc 0-9
}

# What the drive counts of the host's traffic, in units of 512,000 bytes: nothing of a native
# copy, all of an emulated one. Each copy moves 4 MiB, 8.2 units.
test_smart() {
  local mode read written count=$(((4 << 20) / BLOCK))
  for mode in $(modes); do
    read=$(units read) written=$(units written)
    gleaner copy --from="$DEVICE" --to="$DEVICE" --ranges="0+$count" --at=$((count + 7)) \
      --copy="$mode" --force
    read=$(($(units read) - read)) written=$(($(units written) - written))
    echo "$mode: $read units read, $written written"
    if [ "$mode" = native ]; then
      [ "$read" -le 2 ]
      [ "$written" -le 2 ]
    else
      [ "$read" -ge 8 ]
      [ "$written" -ge 8 ]
    fi
  done
}

# The generic character device, which knows no page cache and no partitions.
test_generic() {
  DEVICE=nvme:$(echo "$NODE" | sed s/nvme/ng/)
  fill
  copies native $RANGES 2500
  used native
  copies emulate 5+77 3000
}

check identify test_identify
standard_cases
[ "$NATIVE" = no ] || check nvme-cli test_with_nvme_cli "${NVME_CLI_BLOCKS:-100}"
check smart test_smart
[ "$UNKNOWN" != yes ] || check unknown test_unknown_limits
[ "$(modes)" = emulate ] || check generic test_generic
