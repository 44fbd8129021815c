#!/bin/sh
# Fails when a package has a known vulnerability or is deprecated, those that others bring too. scripts/audit-exceptions names what is accepted, and why.
set -eu
cd "$(dirname "$0")/.."
status=0

# The command ends with 0 whatever it found: lines with ">" are findings, and an audit source that does not answer is one as well.
look() {
  found=$(dotnet list package "--$1" --include-transitive 2>&1) || { echo "$found"; echo "dotnet list package --$1 failed." >&2; exit 1; }
  unknown=$(echo "$found" | sed -n 's/^ *> \([^ ]*\).*/\1/p' | sort -u | while read -r package; do
    grep -q "^$1 $package  *[^ ]" scripts/audit-exceptions || echo "$package"
  done)
  if [ -n "$unknown" ]; then
    echo "$found" | grep '>'
    echo "NuGet, $1: $(echo "$unknown" | tr '\n' ' ')"
    status=1
  fi
}
dotnet restore
look vulnerable
look deprecated

for folder in Ariya.AppHost scripts/lint; do
  echo "npm audit of $folder"
  (cd "$folder" && npm audit --package-lock-only --audit-level="${AUDIT_LEVEL:-high}") || status=1
done
exit "$status"
