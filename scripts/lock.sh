#!/bin/sh
# Write every lock file anew from its .in file: one resolution, so that all agree on each version.
# No lock file names a package index: pip asks the one that the machine is configured for.
set -eu
cd "$(dirname "$0")/.."

uv=${UV:-uv}
command -v "$uv" >/dev/null || { echo "Error: uv is not installed
Next:  python3 -m pip install uv" >&2; exit 1; }

compile() { # compile IN OUT [CONSTRAINT]
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --no-emit-find-links --no-annotate ${3:+--constraint "$3"} \
    --output-file "$2" "$1"
  echo "wrote $2"
}

# Whatever the machine adds to the index (a folder of wheels, say) must not get into the locks.
export UV_NO_CONFIG=1
dev=scripts/requirements-dev.txt
compile scripts/requirements-dev.in "$dev"
compile scripts/requirements.in scripts/requirements.txt "$dev"
compile bench/requirements.in bench/requirements.txt "$dev"
legacy=service/requirements/legacy-jaeger
for file in service/requirements/*.in; do
  [ "$file" = "$legacy.in" ] || compile "$file" "${file%.in}.txt" "$dev"
done

# This one stands in for runtime.txt: its OpenTelemetry, and what that wants, is older. It agrees with
# the locks that it is installed beside.
beside=$(mktemp)
trap 'rm -f "$beside"' EXIT
for file in service/requirements/*.txt; do
  case $file in */runtime.txt | "$legacy.txt") ;; *) cat "$file" >> "$beside" ;; esac
done
compile "$legacy.in" "$legacy.txt" "$beside"
