#!/bin/sh
# test.sh CARGO: every test, the core's first; the skipped ones are named as they come and counted at the close.
set -u
cargo=$1
log=$(mktemp)
trap 'rm -f "$log" "$log.failed"' EXIT
run() {
    # Through a file of its own, because a pipe would swallow the exit code.
    { "$@" 2>&1 || : >"$log.failed"; } | tee -a "$log"
    [ ! -e "$log.failed" ]
}
# A failure of the core is known in a minute; it needs neither cmake nor ALSA.
run "$cargo" test --locked -p tras-estimator -p tras-stimulation || exit 1
run "$cargo" test --locked --workspace --exclude tras-estimator --exclude tras-stimulation || exit 1
skipped=$(grep -a -c '^skipped: ' "$log")
if [ "$skipped" = 0 ]; then
    echo "tests: none skipped"
else
    echo "tests: $skipped skipped:"
    grep -a '^skipped: ' "$log" | sort -u
fi
