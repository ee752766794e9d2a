#!/bin/sh
# Make the database at its first start, then become PostgreSQL. It is made beside its place and
# moved there when it is whole: a first start that was interrupted begins anew.
set -eu

[ "${1:-}" = postgres ] || exec "$@"
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
fresh=$PGDATA.new

run_each() {
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) sh "$file" ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$user" --dbname "$database" -f "$file" ;;
    esac
  done
}

make_database() {
  rm -rf "$fresh"
  # shellcheck disable=SC2086 # several words on purpose
  initdb --pgdata "$fresh" --username "$user" --pwfile "$POSTGRES_PASSWORD_FILE" \
    ${POSTGRES_INITDB_ARGS:-}
  echo "host all all all scram-sha-256" >> "$fresh/pg_hba.conf"
  # For nobody outside this container.
  pg_ctl --pgdata "$fresh" --options "-c listen_addresses=''" --wait start
  export POSTGRES_USER="$user" POSTGRES_DB="$database"
  [ "$database" = postgres ] || createdb --username "$user" "$database"
  run_each
  pg_ctl --pgdata "$fresh" --mode fast --wait stop
  mv "$fresh" "$PGDATA"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD_FILE:?is not set: the file that holds the password}"
  make_database
fi
exec "$@" -c listen_addresses='*'
