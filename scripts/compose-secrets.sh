#!/bin/sh
# Writes the secrets of deploy/compose.yaml that can be made, once: what is there stays. The relay's password is asked for
# (or read from SMTP_PASSWORD): scripts/compose-secrets.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-deploy/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

# The folder keeps others out. The files themselves are read by the programs' user, which is nobody on this machine.
put() { [ -s "$folder/$1" ] || { printf '%s' "$2" >"$folder/$1" && chmod 644 "$folder/$1"; }; }
letters() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 48 || true; }
content() { cat "$folder/$1"; }

put jwt_secret "$(letters)"
put jwt_refresh_secret "$(letters)"
for role in owner api worker; do
  put "database_${role}_password" "$(letters)"
done
put database_url_owner "postgresql://ariya:$(content database_owner_password)@postgres:5432/ariya"
put database_url_api "postgresql://ariya_api:$(content database_api_password)@postgres:5432/ariya"
put database_url_worker "postgresql://ariya_worker:$(content database_worker_password)@postgres:5432/ariya"
put redis_password "$(letters)"
put redis_url "redis://:$(content redis_password)@redis:6379"
if [ ! -s "$folder/smtp_password" ]; then
  if [ -z "${SMTP_PASSWORD:-}" ] && [ -t 0 ]; then
    printf 'Password at the mail relay: ' >&2
    stty -echo
    read -r SMTP_PASSWORD
    stty echo
    echo >&2
  fi
  [ -n "${SMTP_PASSWORD:-}" ] || { echo "Set SMTP_PASSWORD, or write it to $folder/smtp_password." >&2; exit 1; }
  put smtp_password "$SMTP_PASSWORD"
fi
echo "The secrets are in $folder. Keep a copy elsewhere: without jwt_refresh_secret nobody stays signed in, without jwt_secret the audit cannot be checked."
