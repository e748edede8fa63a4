# The suites that every backend passes (PROGRAMS), on devices of a real driver (NODES, in /dev).
# Those of the SCSI driver are served from BEHIND.
. /common.sh

# What this controller does otherwise than the suite demands of it: case, and why.
deviation() {
  case $1 in
    *.CopyGoesToTheWritePointer)
      echo "QEMU 7.2 says \"internal error\" of a copy apart from the write pointer"
      ;;
    *) return 1 ;;
  esac
}

# forward NODE: results of GoogleTest on standard input, to the host; each case is one there too.
forward() {
  local line name reason
  while IFS= read -r line; do
    name=$(echo "$line" | sed -nE 's|^\[[A-Z ]+\] [^/]*/(.*)/given.*ms\)$|\1|p')
    case $line in
      '[ RUN'*) : >/tmp/case ;;
      '[       OK ]'*'ms)') report "ok $1 $name" ;;
      '[  SKIPPED ]'*'ms)') report "skip $1 $name: $(tail -n 1 /tmp/case)" ;;
      '[  FAILED  ]'*'ms)')
        if reason=$(deviation "$name"); then
          report "skip $1 $name: $reason"
        else
          report "fail $1 $name"
          sed 's/^/# /' /tmp/case >/dev/ttyS1
        fi
        ;;
      *) echo "$line" >>/tmp/case ;;
    esac
  done
}

# run_suite NODE PROGRAM: a program that ends without its summary, or runs nothing, has failed.
run_suite() {
  echo "== $1 $2"
  GLEANER_TEST_DEVICE=$BACKEND:/dev/$1 "$2" --gtest_filter='*/given' >/tmp/log 2>&1
  forward "$1" </tmp/log
  grep -qE '^\[==========\] [1-9][0-9]* tests? .* ran' /tmp/log || {
    report "fail $1 $2"
    tail -n 30 /tmp/log | sed 's/^/# /' >/dev/ttyS1
  }
}

[ "$BACKEND" != scsi ] || check serve scsi_target
for node in $(echo "$NODES" | tr ',' ' '); do
  for program in $(echo "$PROGRAMS" | tr ',' ' '); do
    run_suite "$node" "$program"
  done
done
