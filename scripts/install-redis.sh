#!/bin/sh
# redis-server, for the tests about states that Garnet cannot be put into. Debian and Ubuntu.
set -eu
if command -v redis-server >/dev/null; then
  exit 0
fi
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update
$as_root apt-get install -y --no-install-recommends redis-server
