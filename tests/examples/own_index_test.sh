#!/usr/bin/env bash
# Runs the example on memory and on a file: every value is read back right after much cleaning.
set -euo pipefail
own_index=$1

expect() {
  grep -qE -- "$1" <<<"$output" || {
    echo "no line matches: $1" >&2
    echo "$output" >&2
    exit 1
  }
}

# Much is relocated, and some of it is overwritten on the way.
output=$("$own_index" mem:size=32M)
expect '^all values are right: 6144 keys$'
expect '^relocated blocks     [0-9]{5,} \([1-9][0-9]* overtaken by the user\)$'

# A device that cannot copy: the host does.
output=$("$own_index" mem:size=32M,max_copy_blocks=0)
expect '^all values are right: 6144 keys$'
expect '^copied natively      0 in 0 commands$'
expect '^copied by the host   [0-9]{5,}$'

# Device blocks smaller than the store's.
output=$("$own_index" mem:size=16M,block=512)
expect '^all values are right: 3072 keys$'

# The device is gone when the program ends, the file is not: a second run refuses to overwrite it.
file=$TEST_TMPDIR/own_index.img
output=$("$own_index" "file:$file,size=16M")
expect '^all values are right: 3072 keys$'
if output=$("$own_index" "file:$file" 2>&1); then
  echo "overwrote a file that holds data" >&2
  exit 1
fi
expect "$file holds data .* --force$"

# What the refusal advises helps.
output=$("$own_index" "file:$file" --force)
expect '^all values are right: 3072 keys$'

if output=$("$own_index" mem:size=4M 2>&1); then
  echo "took a device of 4 segments" >&2
  exit 1
fi
expect '^own_index: 4 segments of 1 MiB$'
