#!/bin/sh
# Builds everything, in the mode of README, "Two ways to run": scripts/build.sh [local|aspire]
set -eu
cd "$(dirname "$0")/.."
case "${1:-local}" in
  local) exec dotnet build -p:UseAspire=false ;;
  aspire) exec dotnet build -p:UseAspire=true ;;
  *) echo "usage: scripts/build.sh [local|aspire]" >&2; exit 2 ;;
esac
