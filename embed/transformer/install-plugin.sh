#!/usr/bin/env bash
# Installs a PJRT plugin, which the backends xla:cpu and xla:cuda need, into Kindred's cache.
#
#   embed/transformer/install-plugin.sh cpu|cuda [DIR]
#
# It takes Python's pip and linux on x86-64. The packages are pinned by version and by
# SHA-256; what pip is set up to download from is used. DIR is for those who keep plugins
# elsewhere: name it in $KINDRED_PJRT then. CUDA's own libraries and the driver come with
# the machine or from NVIDIA's own packages.
set -euo pipefail

case "${1:-}" in
cpu)
  requirement='lammps-jax-pjrt-cpu==0.11.2'
  sum=1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1
  inside=lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so
  name=pjrt_c_api_cpu_plugin.so
  ;;
cuda)
  requirement='jax-cuda13-pjrt==0.12.0.1'
  sum=5899bb6177eda86ea532afb9a26794f2bdd04966f6a01f9028266b16c2b6cf90
  inside=jax_plugins/xla_cuda13/xla_cuda_plugin.so
  name=pjrt_c_api_cuda_plugin.so
  ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "the plugins are for Linux on x86_64, this is $(uname -sm); the backend go runs anywhere" >&2; exit 1; }

dir=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/kindred/pjrt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$requirement --hash=sha256:$sum" >"$work/requirements.txt"
python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes -r "$work/requirements.txt" -d "$work"
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
mkdir -p "$dir"
# Whole or not at all: a server may be looking.
mv "$work/wheel/$inside" "$dir/.$name.new"
mv "$dir/.$name.new" "$dir/$name"
echo "$dir/$name"
