# Whole rounds of cleaning, native against emulated (bench/relocation.cc). FLAGS, with commas between
# them: all that is run, for figures; without them, a short run whose counts are checked.
. /common.sh

# rounds FLAGS...: what was measured goes out of the guest as well.
rounds() {
  relocation --device="$DEVICE" --force --benchmark_out=/tmp/relocation.json \
    --benchmark_out_format=json "$@"
  cat /tmp/relocation.json >/dev/ttyS2
}

# counter NAME CASE: of the first case whose name begins so.
counter() {
  awk -v key="\"$1\":" -v name="\"name\": \"relocation/$2" \
    'index($0, name) { here = 1 } here && $1 == key { printf "%d\n", $2; exit }' \
    /tmp/relocation.json
}

# Of a native copy only its list of ranges, 32 bytes each, crosses the host boundary: of runs of one
# block 0.4 % of what an emulated copy moves, and less of longer ones. The drive counts with us.
test_counts() {
  local run emulated native smart
  rounds --benchmark_filter="live:50/run:(1|16|128)/.*depth:8/process" \
    --benchmark_min_time=0.05
  for run in 1 16 128; do
    native=$(counter host_bytes "live:50/run:$run/copy:native")
    emulated=$(counter host_bytes "live:50/run:$run/copy:emulated")
    [ "$native" -gt 0 ]
    [ $((native * 50)) -le "$emulated" ]
    # Within two of the drive's units, of 512,000 bytes.
    smart=$(counter smart_bytes "live:50/run:$run/copy:emulated")
    [ $((smart - emulated)) -lt 1024000 ]
    [ $((emulated - smart)) -lt 1024000 ]
    smart=$(counter smart_bytes "live:50/run:$run/copy:native")
    [ "$smart" -lt 1024000 ]
  done
}

test_without_force() {
  dd if=/dev/urandom of="$NODE" bs=1M count=1 oflag=direct status=none
  dd if="$NODE" of=/tmp/before bs=1M count=8 iflag=direct status=none
  refuses 1 force relocation --device="$DEVICE"
  dd if="$NODE" bs=1M count=8 iflag=direct status=none | cmp - /tmp/before
}

if [ -n "$FLAGS" ]; then
  check figures rounds $(echo "$FLAGS" | tr , ' ')
else
  [ -n "$ZONE" ] || check without_force test_without_force # while nothing on it is ours
  check counts test_counts
fi
