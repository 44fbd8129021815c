#!/usr/bin/env bash
# The document that the build serves must be docs/openapi.json, and must not break who uses that of another revision:
# scripts/openapi-diff.sh [REVISION]. A break that is meant is allowed by ALLOW_BREAKING=1. Needs the build, and Node.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
api=
trap '[ -z "$api" ] || kill "$api" 2>/dev/null || true; rm -rf "$work"' EXIT

: >"$work/log"
secret() { head -c 48 /dev/urandom | base64 | tr -d '\n'; }
# Nothing answers there: the document needs no servers.
env -i PATH="$PATH" HOME="$work" DOTNET_ROOT="${DOTNET_ROOT:-}" ASPNETCORE_ENVIRONMENT=Production ASPNETCORE_URLS=http://127.0.0.1:0 APP_URL=https://accounts.example.com \
  JWT_SECRET="$(secret)" JWT_REFRESH_SECRET="$(secret)" ConnectionStrings__ariyadb='Host=127.0.0.1;Port=1;Username=u;Password=p;Database=d' \
  ConnectionStrings__cache=127.0.0.1:1 dotnet exec "${ARIYA_API_DLL:-Ariya.Api/bin/Debug/net10.0/Ariya.Api.dll}" >"$work/log" 2>&1 &
api=$!
for _ in $(seq 1 300); do
  address=$(sed -n 's/.*Now listening on: //p' "$work/log" | head -n 1)
  [ -z "$address" ] || break
  kill -0 "$api" 2>/dev/null || break
  sleep 0.1
done
[ -n "$address" ] || { cat "$work/log"; echo "The API of the build did not start. Run scripts/build.sh first." >&2; exit 1; }
node scripts/openapi-diff.mjs fetch "$address/openapi/v1.json" >"$work/built.json"
node scripts/openapi-diff.mjs same docs/openapi.json "$work/built.json"

if [ -n "${1:-}" ]; then
  git show "$1:docs/openapi.json" >"$work/base.json"
  node scripts/openapi-diff.mjs breaking "$work/base.json" "$work/built.json"
fi
