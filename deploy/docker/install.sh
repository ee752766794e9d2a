#!/bin/sh
# For the Dockerfile: fill /opt/venv for one server, the same bytes each time.
set -eu
pip() { /opt/tools/bin/pip --python /opt/venv/bin/python3 install --no-compile "$@"; }

# A company's certificate authority and its index of packages; absent where none is needed.
[ ! -f /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca
[ ! -f /run/secrets/pip ] || export PIP_CONFIG_FILE=/run/secrets/pip
# A mount of the build's, in no layer.
export PIP_CACHE_DIR=/var/cache/pip
cd /build/requirements
# The sample's packages also serve an app that names none.
[ -f requirements.txt ] || pip --require-hashes --no-deps -r base.txt
pip --require-hashes --no-deps -r runtime.txt -r "$1.txt"
[ ! -f requirements.txt ] || pip -r requirements.txt
# By content, not by time: two builds have the same bytes, and the root is read-only at run time.
/opt/venv/bin/python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/venv/lib
