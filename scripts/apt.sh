#!/bin/sh
# apt.sh PACKAGE...: installs packages by apt, as root or by a sudo that asks nothing. apt.sh --may: whether it may.
set -eu
as_root=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"; else exit 1; fi
fi
command -v apt-get >/dev/null || exit 1
[ "$1" = --may ] && exit 0
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
