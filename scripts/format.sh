#!/bin/sh
# Fails when a file is not formatted as .editorconfig says; scripts/format.sh --fix formats.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --fix ]; then
  exec dotnet format
fi
exec dotnet format --verify-no-changes
