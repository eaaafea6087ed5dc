#!/usr/bin/env bash
# Generates the stubs, compiles example.ts under strict rules and runs it against a real service.
# Where there is no Node, or its packages cannot be had, it says so and exits with 0, or with 3
# under STRICT=1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
absent() {
  echo "NOT TESTED: the client for TypeScript: $1" >&2
  [ "${STRICT:-}" != 1 ] || exit 3
  exit 0
}
command -v npm >/dev/null || absent "there is no npm"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/package.json "$here"/package-lock.json "$here"/tsconfig.json "$here"/example.ts "$work"
cd "$work"
npm ci --no-audit --no-fund --ignore-scripts >npm 2>&1 || absent "$(grep -m 1 ERR npm || tail -n 1 npm)"
if [ ! -x "$here/../../.bin/buf" ]; then make -s -C "$here/../.." tools; fi
MODULES=$work/node_modules "$here/generate.sh" gen
node_modules/.bin/tsc
"$here/../with-service.sh" node dist/example.js >out
cat >want <<'END'
added 1, then 0 and 1 duplicate
PERSONALIZED can lag 0
InvalidArgument filter
END
diff -u want out
echo "the client for TypeScript: its example did what it should"
