#!/usr/bin/env bash
# Makes kindred/v1/*_pb2.py and *_pb2_grpc.py in a folder: generate.sh DIR. PYTHON names an
# interpreter with requirements.txt installed.
set -euo pipefail
out=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$out"
"${PYTHON:-python3}" -m grpc_tools.protoc -I "$root/proto" \
  --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" "$root"/proto/kindred/v1/*.proto
