#!/bin/sh
# peers.sh VENV REQUIREMENTS: a virtual environment with the independent LSL and XDF programs that the tests
# talk to, or of the packages that the benches time. Installs Python with venv by apt where it may. Without
# Python, or without the package index, they go on and name what they skip.
set -u
venv=$1
requirements=$2
ready="$venv/.ready"

cmp -s "$requirements" "$ready" && exit 0
has_venv() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
if ! has_venv && "$(dirname "$0")/apt.sh" --may; then
    echo "peers: installing python3 with venv"
    "$(dirname "$0")/apt.sh" python3 python3-venv || true
fi
if ! has_venv; then
    echo "peers: no python3 with venv here: what needs it will be skipped"
    exit 0
fi
echo "peers: making $venv"
rm -rf "$venv"
if python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"; then
    cp "$requirements" "$ready"
else
    rm -rf "$venv"
    echo "peers: could not install $requirements: what needs it will be skipped"
fi
