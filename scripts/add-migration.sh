#!/bin/sh
# Writes a migration for what changed in the model: scripts/add-migration.sh AddAvatars
set -eu
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { echo "usage: scripts/add-migration.sh NAME" >&2; exit 2; }
dotnet tool restore
EfDesign=true dotnet restore Ariya.Data
EfDesign=true dotnet ef migrations add "$1" --project Ariya.Data --startup-project Ariya.Data
# The ordinary build must not see the design-time packages.
dotnet restore Ariya.Data
