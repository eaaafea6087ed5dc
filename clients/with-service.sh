#!/usr/bin/env bash
# Runs a command with the address of a new service as its last argument: with-service.sh CMD ...
# The service has a temporary store and listens on loopback.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pid=
stop() {
  if [ -n "$pid" ]; then kill "$pid" 2>/dev/null && wait "$pid" || true; fi
  rm -rf "$work"
}
trap stop EXIT
if [ -n "${KINDRED_BINARY:-}" ]; then
  kindred=$KINDRED_BINARY
else
  kindred=$work/kindred
  go build -C "$root" -o "$kindred" ./server
fi
"$kindred" serve --data "$work/data" --grpc 127.0.0.1:0 --http "" --drain-delay 0s 2>"$work/log" &
pid=$!
addr=
for _ in $(seq 600); do
  addr=$(sed -n 's/.*msg=serving grpc=\([^ ]*\).*/\1/p' "$work/log")
  if [ -n "$addr" ]; then break; fi
  if ! kill -0 "$pid" 2>/dev/null; then break; fi
  sleep 0.1
done
if [ -z "$addr" ]; then
  cat "$work/log" >&2
  exit 1
fi
"$@" "$addr"
