#!/bin/sh
# All tests with the servers that they bring. With --services those of the whole application, on a PostgreSQL and a Redis that are
# already there: ConnectionStrings__ariyadb and ConnectionStrings__cache name them, and the user may make databases.
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in
  "") exec .ci/run ;;
  --services)
    if [ -z "${ConnectionStrings__ariyadb:-}" ] || [ -z "${ConnectionStrings__cache:-}" ]; then
      echo "scripts/test.sh --services needs ConnectionStrings__ariyadb and ConnectionStrings__cache." >&2
      exit 2
    fi
    exec dotnet test --filter "FullyQualifiedName~Ariya.Tests.Distributed|FullyQualifiedName~Ariya.Tests.Sessions|FullyQualifiedName~Ariya.Tests.Registration" ;;
  *) echo "usage: scripts/test.sh [--services]" >&2; exit 2 ;;
esac
