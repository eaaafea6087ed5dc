#!/bin/sh
# load.sh DIR [FLAGS...]: serves the catalog and the log of a folder (amazon format) from a temporary store, and puts load on it.
set -eu
data=$1
shift
dir=$(mktemp -d)
go build -o "$dir/kindred" ./server
go build -o "$dir/loadtest" ./loadtest
addr=127.0.0.1:${PORT:-50951}
"$dir/kindred" serve --data "$dir/store" --grpc "$addr" --http "" >"$dir/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$dir"' EXIT
tries=0
until "$dir/kindred" import --format amazon --data "$data" --addr "$addr" >&2; do
	tries=$((tries + 1))
	if [ $tries -ge 20 ] || ! kill -0 $server 2>/dev/null; then
		echo "the service did not come up at $addr; set PORT to a port that is free. Its log:" >&2
		tail -5 "$dir/log" >&2
		exit 1
	fi
	sleep 1
done
"$dir/loadtest" load --addr "$addr" --format amazon --data "$data" --json "$@"
