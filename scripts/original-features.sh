#!/usr/bin/env bash
# Runs every command of docs/original-features.md against the running application and compares what it prints, then every test of its tables.
#   scripts/original-features.sh [--commands]     with --commands the tests are left out
set -euo pipefail
cd "$(dirname "$0")/.."
document=docs/original-features.md
failed=0 ran=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$document" | sed '1d;$d'; }
eval "$(block 'sh prelude')"
curl -sf "$API/alive" >/dev/null || { echo "Nothing answers at $API: start the application first, with dotnet run --project Ariya.AppHost"; exit 2; }

# What is compared is what a command prints, not what it answers.
set +e
number=
while IFS= read -r line <&3; do
  if [[ "$line" =~ ^\#\ ([0-9.]+)$ ]]; then
    number=${BASH_REMATCH[1]}
    continue
  fi

  command=${line% \#=> *} expected=${line##* \#=> }
  # In this shell: what one command sets the next ones use.
  eval "$command" >"$work/printed" 2>&1 </dev/null
  ran=$((ran + 1))
  if tr '\n' ' ' <"$work/printed" | sed 's/ $//' | grep -qE -- "$expected"; then
    echo "$number  ok"
  else
    failed=$((failed + 1))
    echo "$number  NOT '$expected': $(head -c 300 "$work/printed")"
  fi
done 3< <(block sh)
echo "$ran commands, $failed failed"
[ "${1:-}" = --commands ] && exit $((failed > 0))

# shellcheck disable=SC2016
names=$(grep -oE '`[A-Z][A-Za-z]+Tests\.[A-Za-z]+`' "$document" | tr -d '`' | sort -u)
# Those of an abstract class stand in the document under its name, and run in classes whose names end with it.
filter="FullyQualifiedName~${names//$'\n'/|FullyQualifiedName~}"
# The tests bring servers of their own.
for name in $(compgen -e | grep -E '^(ConnectionStrings__|JWT_|SMTP_|APP_URL)'); do
  unset "$name"
done
dotnet test --no-build --filter "$filter" --logger 'console;verbosity=normal' >"$work/tests" 2>&1 || failed=$((failed + 1))
tests=0
while read -r name; do
  tests=$((tests + 1))
  grep -qE "^ *Passed .*$name(\(| |\$)" "$work/tests" || { failed=$((failed + 1)); echo "$name  did not pass"; }
done <<<"$names"
tail -n 3 "$work/tests"
echo "$tests tests, $failed failures in all"
exit $((failed > 0))
