#!/usr/bin/env bash
# Generates the stubs and runs example.py against a real service. Where there is no Python, or
# its packages cannot be had, it says so and exits with 0, or with 3 under STRICT=1.
set -euo pipefail
cd "$(dirname "$0")"
absent() {
  echo "NOT TESTED: the client for Python: $1" >&2
  [ "${STRICT:-}" != 1 ] || exit 3
  exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-}
if [ -z "$python" ]; then
  command -v python3 >/dev/null || absent "there is no python3"
  python3 -m venv "$work/venv" >/dev/null 2>&1 || absent "python3 has no venv"
  python=$work/venv/bin/python
  "$python" -m pip -q --disable-pip-version-check install -r requirements.txt >"$work/pip" 2>&1 || absent "$(tail -n 1 "$work/pip")"
fi
PYTHON=$python ./generate.sh "$work/stubs"
PYTHONPATH=$work/stubs ../with-service.sh "$python" example.py >"$work/out"
cat >"$work/want" <<'END'
added 1, then 0 and 1 duplicate
TIER_PERSONALIZED can lag 0
INVALID_ARGUMENT filter
END
diff -u "$work/want" "$work/out"
echo "the client for Python: its example did what it should"
