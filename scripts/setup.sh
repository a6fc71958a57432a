#!/bin/sh
# Makes sure that what the build needs from the system is there: installs it by apt where that is allowed,
# otherwise says what to install. Prints nothing when all is there.
set -eu

missing=
command -v cargo >/dev/null || {
    echo "setup: no cargo on PATH: install Rust by https://rustup.rs, then open a new shell" >&2
    exit 1
}
command -v cmake >/dev/null || missing="$missing cmake"
command -v c++ >/dev/null || missing="$missing g++"
command -v pkg-config >/dev/null || missing="$missing pkg-config"
{ command -v pkg-config >/dev/null && pkg-config --exists alsa; } || missing="$missing libasound2-dev"
[ -z "$missing" ] && exit 0
[ "$(uname -s)" = Linux ] || {
    echo "setup: please install: cmake, a C++ compiler, pkg-config" >&2
    exit 1
}

apt=$(dirname "$0")/apt.sh
if "$apt" --may; then
    echo "setup: installing$missing"
    # shellcheck disable=SC2086 # a list of words
    "$apt" $missing
else
    echo "setup: please install these packages (named as in Debian), then try again:$missing" >&2
    exit 1
fi
