#!/bin/sh
# How long the demo takes once it is built, as a line of JSON.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/kindred" ./server
from=$(date +%s%N)
"$dir/kindred" demo --once >&2
until=$(date +%s%N)
awk "BEGIN { printf \"{\\\"demo_seconds\\\": %.2f}\\n\", ($until - $from) / 1e9 }"
