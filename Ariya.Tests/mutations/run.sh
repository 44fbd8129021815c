#!/bin/sh
# Every patch of this folder is a slip that somebody could make, and names the test that must fail with it. This applies them one by one to
# a clone of HEAD, in about ten minutes (more when the servers have to be installed for it); the checkout is only read, and what is not committed
# is not tried. With numbers only those: run.sh 3 12
set -eu

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(git -C "$here" rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# PostgreSQL does not run as root, and another user must be able to reach it.
chmod 755 "$work"
log=$work/log
clone=$work/ariya
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_UI_LANGUAGE=en

header() { sed -n "/^diff /q; s/^$1: //p" "$2"; }
name_of() { header Test "$1" | sed 's/^FullyQualifiedName~//'; }
build() { dotnet build Ariya.Tests -nologo -v q >"$log" 2>&1; }
# The names of tests that passed and failed are in the log.
run() { dotnet test Ariya.Tests --no-build --nologo --logger 'console;verbosity=normal' --filter "$1" >"$log" 2>&1; }
show() { tail -n 30 "$log" | sed 's/^/   | /'; }

patches=
for patch in "$here"/[0-9][0-9]-*.patch; do
  number=$(basename "$patch" | cut -c 1-2)
  wanted=$([ $# -gt 0 ] || echo yes)
  for one in "$@"; do
    if [ "${number#0}" = "${one#0}" ]; then
      wanted=yes
    fi
  done
  if [ -n "$wanted" ]; then
    patches="$patches $(basename "$patch")"
  fi
done
if [ -z "$patches" ] || { [ $# -gt 0 ] && [ "$(echo "$patches" | wc -w)" -ne $# ]; }; then
  echo "Not every one of these is the number of a patch."
  exit 1
fi

git clone --quiet --local "$checkout" "$clone"
cd "$clone"

filter=
for patch in $patches; do
  filter="$filter${filter:+|}$(header Test "$here/$patch")"
done
echo "Without a slip:"
if ! build || ! run "$filter"; then
  show
  echo "HEAD does not build, or is red."
  exit 1
fi
for patch in $patches; do
  if ! grep -q "^ *Passed .*$(name_of "$here/$patch")" "$log"; then
    echo "$patch: there is no test $(name_of "$here/$patch")."
    exit 1
  fi
done
echo "green"

all=0 caught=0 survivors=
for patch in $patches; do
  number=$(basename "$patch" | cut -c 1-2)
  test=$(name_of "$here/$patch")
  began=$(date +%s)
  verdict=
  if ! git apply "$here/$patch"; then
    verdict="cannot be applied"
  elif ! build; then
    show
    verdict="does not compile"
  elif run "$(header Test "$here/$patch")"; then
    verdict="SURVIVES $test"
  elif grep -q 'fixture type .* threw' "$log" || ! grep -q "^ *Failed .*$test" "$log"; then
    show
    verdict="could not be tried: $test did not run"
  fi
  all=$((all + 1))
  if [ -z "$verdict" ]; then
    caught=$((caught + 1))
    verdict="caught by $test"
  else
    survivors="$survivors $number"
  fi
  echo "$number $(header Slip "$here/$patch"): $verdict ($(($(date +%s) - began)) s)"
  git checkout --quiet -- .
done

if [ -n "$survivors" ]; then
  echo "Not caught:$survivors"
fi
echo "$caught of $all caught"
[ "$caught" -eq "$all" ]
