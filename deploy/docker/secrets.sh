#!/bin/sh
# Makes the secrets of compose.yaml in a folder, those that are not there yet. Without a folder they
# come beside this file, with what else compose.yaml wants there: a name that no other checkout has,
# and the folder of the flags that tell the gateway which colour is live. Nobody else may look into
# the folder; the files are mounted one by one, for users of containers that have no name on this
# machine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/secrets}
if [ $# -eq 0 ]; then
  mkdir -p "$here/flags"
  mark=$(printf %s "$here" | sha256sum | cut -c1-6)
  name=COMPOSE_PROJECT_NAME=moorings-by-hand
  touch "$here/.env"
  # Yours stays, as all other lines do; ours follows the checkout, which may be a copy of another.
  if ! grep -q '^COMPOSE_PROJECT_NAME=' "$here/.env" || grep -q "^$name-" "$here/.env"; then
    { grep -v "^$name-" "$here/.env" || :; echo "$name-$mark"; } > "$here/.env.new"
    mv "$here/.env.new" "$here/.env"
  fi
fi
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

# leave NAME: what comes in is that file, whole or not at all, unless it is there.
leave() {
  [ ! -e "$folder/$1" ] || return 0
  cat > "$folder/$1.new"
  chmod 444 "$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
}

for name in postgres_password owner_password app_password secret_key; do
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' | leave "$name"
done
printf 'postgresql://owner:%s@postgres/shop' "$(cat "$folder/owner_password")" | leave migration_url
printf 'postgresql://app:%s@postgres/shop' "$(cat "$folder/app_password")" | leave database_url
