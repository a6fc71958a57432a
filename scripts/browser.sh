#!/bin/sh
# browser.sh: a headless Chromium for the tests of the task's page, by apt where that is allowed. Without one those
# tests say `skipped`, by name.
set -u
for program in "${TRAS_CHROMIUM:-}" chromium-headless-shell chromium google-chrome; do
    [ -n "$program" ] && command -v "$program" >/dev/null && exit 0
done
as_root=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root=no; fi
fi
if command -v apt-get >/dev/null && [ "$as_root" != no ]; then
    echo "browser: installing chromium-headless-shell"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends \
        chromium-headless-shell fonts-dejavu-core >/dev/null && exit 0
fi
echo "browser: no Chromium here: what needs it will be skipped"
