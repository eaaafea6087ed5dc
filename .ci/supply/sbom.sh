#!/usr/bin/env bash
# Writes what a binary was built from, in CycloneDX, from what the linker put into it: the
# modules that are in it and no others.
set -euo pipefail
binary=$1 out=$2
cd "$(dirname "$0")/../.."
bin=$PWD/.bin
if [ ! -x "$bin/cyclonedx-gomod" ]; then
  mkdir -p "$bin"
  go build -C .ci/supply -o "$bin/" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
fi
# No serial number, and the commit's time in place of now: equal binaries have equal lists.
"$bin/cyclonedx-gomod" bin -json -std -noserial -version "$("$binary" --version | cut -d, -f1 | cut -d' ' -f2)" \
  -output "$out" "$binary" 2>"$out.log" || { cat "$out.log" >&2; exit 1; }
rm -f "$out.log"
built=$(go version -m "$binary" | sed -n 's/^\tbuild\tvcs.time=//p')
if [ -n "$built" ]; then
  sed -i 's/"timestamp": "[^"]*"/"timestamp": "'"$built"'"/' "$out"
fi
modules=$(go version -m "$binary" | grep -c '^	dep	')
listed=$(grep -c '"purl": "pkg:golang/' "$out")
if [ "$listed" -lt "$modules" ]; then
  echo "$out lists $listed modules, the binary holds $modules" >&2
  exit 1
fi
echo "$out: $modules modules"
