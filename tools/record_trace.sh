#!/bin/bash
# Records a block trace of real software: RocksDB's db_bench on XFS on a loop device, as the
# kernel's block_rq_issue tracepoint prints it in tracefs (gleaner's format `ftrace`).
#
#   sudo tools/record_trace.sh rocksdb-xfs.ftrace.zst
#
# Needs root, a kernel with tracefs, and Debian's rocksdb-tools, xfsprogs, util-linux and zstd;
# installs nothing. Everything made on the way (image, mount, loop device, tracing instance)
# lives in a temporary directory and goes away on exit. Fails rather than leave an event out.
#
# Settings (environment): SIZE_MIB, of the loop device; KEYS and VALUE_BYTES, of the database;
# OVERWRITES, how often as many keys are written again; TRIM_AFTER, the overwrite after which
# fstrim runs (0: never); MOUNT_OPTIONS; BUFFER_KIB, of the kernel's trace buffer, per CPU; TMPDIR.
set -euo pipefail

readonly SIZE_MIB=${SIZE_MIB:-400}
readonly KEYS=${KEYS:-800000}
readonly VALUE_BYTES=${VALUE_BYTES:-200}
readonly OVERWRITES=${OVERWRITES:-5}
readonly TRIM_AFTER=${TRIM_AFTER:-3}
readonly MOUNT_OPTIONS=${MOUNT_OPTIONS:-defaults}
readonly BUFFER_KIB=${BUFFER_KIB:-65536}

fail() {
  echo "record_trace.sh: $*" >&2
  exit 1
}

cleanup() {
  set +e
  if [[ -n ${instance:-} && -d $instance ]]; then
    echo 0 >"$instance/tracing_on"
    echo 0 >"$instance/events/enable"
    rmdir "$instance"
  fi
  mountpoint -q "$work/fs" && umount "$work/fs"
  [[ -n ${loop:-} ]] && losetup --detach "$loop"
  mountpoint -q "$work/tracefs" && umount "$work/tracefs"
  rm -rf --one-file-system "$work"
}

# Makes the tracing instance that keeps nothing but the requests issued to $loop.
start_tracing() {
  mount -t tracefs tracefs "$work/tracefs"
  instance=$work/tracefs/instances/gleaner-$$
  mkdir "$instance"
  echo "$BUFFER_KIB" >"$instance/buffer_size_kb"
  local numbers
  numbers=$(stat --format='%Hr %Lr' "$loop")
  local major=${numbers% *} minor=${numbers#* }
  local event=$instance/events/block/block_rq_issue
  echo "dev == $(((major << 20) | minor))" >"$event/filter"  # the kernel's own dev_t
  echo 1 >"$event/enable"
  echo 1 >"$instance/tracing_on"
}

# Small buffers and files, so that a small volume sees many flushes and compactions; the log is
# written back steadily, as a busy system would.
run_workload() {
  local options=(
    --db="$work/fs/db" --threads=1 --progress_reports=0
    --num="$KEYS" --key_size=16 --value_size="$VALUE_BYTES" --compression_type=none
    --write_buffer_size=$((2 << 20)) --target_file_size_base=$((1 << 20))
    --max_bytes_for_level_base=$((8 << 20)) --level_compaction_dynamic_level_bytes=true
    --max_background_jobs=2 --level0_slowdown_writes_trigger=8 --level0_stop_writes_trigger=12
    --soft_pending_compaction_bytes_limit=$((24 << 20))
    --hard_pending_compaction_bytes_limit=$((48 << 20))
    --bytes_per_sync=$((256 << 10)) --wal_bytes_per_sync=$((32 << 10))
  )
  db_bench "${options[@]}" --benchmarks=fillrandom --seed=1
  local i
  for ((i = 1; i <= OVERWRITES; ++i)); do
    db_bench "${options[@]}" --benchmarks=overwrite --use_existing_db=1 --seed=$((i + 1))
    if ((i == TRIM_AFTER)); then fstrim "$work/fs"; fi
  done
}

# Every event that was written must still be there.
check_complete() {
  local counts
  counts=$(sed -n 's|^# entries-in-buffer/entries-written: \([0-9]*/[0-9]*\) .*|\1|p' "$1")
  [[ ${counts%/*} == "${counts#*/}" ]] || fail "events were lost ($counts): raise BUFFER_KIB"
  ! grep -q '\[LOST ' "$1" || fail "events were lost: raise BUFFER_KIB"
  echo "record_trace.sh: ${counts%/*} events"
}

[[ $EUID -eq 0 ]] || fail "needs root, for mount, losetup and tracefs"
# Mounts of its own: nobody else holds them, so that the last unmount really writes back.
[[ ${1:-} == --unshared ]] || exec unshare --mount "$0" --unshared "$@"
shift
[[ $# -eq 1 ]] || fail "usage: record_trace.sh OUTPUT.ftrace.zst"
readonly output=$1
for tool in db_bench mkfs.xfs losetup fstrim zstd; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt install rocksdb-tools xfsprogs zstd"
done

work=$(mktemp -d)
trap cleanup EXIT
mkdir "$work/fs" "$work/tracefs"
truncate --size="${SIZE_MIB}M" "$work/image"
loop=$(losetup --find --show "$work/image")
start_tracing
mkfs.xfs -q "$loop"
mount -o "$MOUNT_OPTIONS" "$loop" "$work/fs"
run_workload
umount "$work/fs"
echo 0 >"$instance/tracing_on"
cat "$instance/trace" >"$work/trace"
check_complete "$work/trace"
zstd -19 --quiet --force "$work/trace" -o "$output"
