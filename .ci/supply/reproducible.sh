#!/usr/bin/env bash
# Builds the static binary twice, in two clones of this commit at other paths, and compares.
# The build cache is shared, so that a compile is mostly done once: what is checked is that
# neither the folder, the time nor the machine's flags get in. FRESH=1 gives the second build
# an empty cache: everything is compiled again, which takes a minute or two.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in one/kindred two/elsewhere/kindred; do
  git clone -q --no-hardlinks . "$work/$name"
done
build() { # folder, binary
  env -u GOFLAGS CGO_ENABLED=0 GOFLAGS=-mod=readonly \
    go build -C "$1" -trimpath -buildvcs=true -ldflags='-s -w' -o "$2" ./server
}
build "$work/one/kindred" "$work/first"
if [ "${FRESH:-}" = 1 ]; then
  export GOCACHE="$work/cache"
fi
build "$work/two/elsewhere/kindred" "$work/second"
first=$(sha256sum <"$work/first") second=$(sha256sum <"$work/second")
"$work/first" --version
if [ "$first" != "$second" ]; then
  echo "two builds of one commit differ: ${first%% *} and ${second%% *}" >&2
  go version -m "$work/first" >"$work/a" && go version -m "$work/second" >"$work/b"
  diff "$work/a" "$work/b" >&2 || true
  exit 1
fi
if grep -aqF "$work" "$work/first"; then
  echo "the binary holds the path it was built in" >&2
  exit 1
fi
echo "reproducible: ${first%% *}, $(stat -c %s "$work/first") bytes"
