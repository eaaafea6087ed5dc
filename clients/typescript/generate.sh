#!/usr/bin/env bash
# Makes kindred/v1/*_pb.ts in a folder: generate.sh DIR. It needs the plugin of package.json,
# in node_modules here or in the folder that MODULES names, and buf, which `make tools` builds.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=${MODULES:-$here/node_modules}/.bin:$root/.bin:$PATH
cd "$root"
buf generate proto --template '{"version":"v2","plugins":[{"local":"protoc-gen-es","out":"'"$out"'","opt":["target=ts","import_extension=js"]}]}'
