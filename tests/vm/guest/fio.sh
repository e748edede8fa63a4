# Emulated relocation against fio on the same namespace, in alternation: what whole rounds of
# cleaning copy, against half of what fio reads and writes. Medians of PAIRS, in MB/s.
. /common.sh

# fio_rate KIB DEPTH: half of its total.
fio_rate() {
  fio --name=job --filename="$NODE" --direct=1 --ioengine=io_uring --rw=rw --rwmixread=50 \
    --bs="${1}k" --iodepth="$2" --time_based --runtime=1 --output-format=json >/tmp/fio
  awk '$1 == "\"bw_bytes\"" { total += $3 } END { printf "%.1f\n", total / 2e6 }' /tmp/fio
}

# our_rate RUN
our_rate() {
  relocation --device="$DEVICE" --force --benchmark_min_time=1 --benchmark_format=json \
    --benchmark_filter="live:50/run:$1/copy:emulated/depth:8/process" >/tmp/ours
  awk '$1 == "\"bytes_per_second\":" { printf "%.1f\n", $2 / 1e6 }' /tmp/ours
}

median() {
  sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# against RUN KIB DEPTHS...: fio at the best of these depths.
against() {
  local run=$1 kib=$2 depth best=0 rate best_depth i
  shift 2
  for depth; do
    rate=$(fio_rate "$kib" "$depth")
    if awk "BEGIN { exit !($rate > $best) }"; then best=$rate best_depth=$depth; fi
  done
  : >/tmp/rates.ours
  : >/tmp/rates.fio
  for i in $(seq "${PAIRS:-7}"); do
    our_rate "$run" >>/tmp/rates.ours
    fio_rate "$kib" "$best_depth" >>/tmp/rates.fio
  done
  echo "run $run: $(median /tmp/rates.ours) MB/s, fio / 2 with $kib KiB x $best_depth:" \
    "$(median /tmp/rates.fio) MB/s," \
    "ratio $(paste /tmp/rates.ours /tmp/rates.fio | awk '{ printf "%.2f\n", $1 / $2 }' |
      sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')" >/dev/ttyS2
}

check run.1 against 1 4 32 128
check run.4 against 4 16 32 128
check run.16 against 16 64 8 32
check run.64 against 64 512 4 16
check run.128 against 128 512 4 16
