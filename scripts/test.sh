#!/bin/sh
# test.sh CARGO [core|build|rest]: every test, the core's first; "build" builds the rest and runs nothing. Most of the rest waits on ramps, streams and servers, so it
# runs side by side: by nextest where it is installed (.config/nextest.toml), else in lanes of `cargo test`. The
# skipped ones are named as they come and counted at the close.
set -u
cargo=$1
part=${2:-all}
# Tests that are skipped write a line of it (tests/support/lib.rs): nextest and libtest keep back what a test says.
TRAS_SKIPS=$(mktemp)
export TRAS_SKIPS
out=$(mktemp -d)
trap 'rm -rf "$TRAS_SKIPS" "$out"' EXIT

# A failure of the core is known in a minute; it needs neither cmake nor ALSA.
core() { "$cargo" test -q --locked -p tras-estimator -p tras-stimulation; }

all="--locked --workspace --exclude tras-estimator --exclude tras-stimulation"
has_nextest() { "$cargo" nextest show-config version >/dev/null 2>&1; }
# shellcheck disable=SC2086 # a list of words
nextest() { "$cargo" nextest run $all "$@"; }
# shellcheck disable=SC2086 # a list of words
build() { if has_nextest; then nextest --no-run; else "$cargo" test $all --no-run; fi; }

# lane NAME TEST...: those binaries one after another, one test at a time; what they say is told at the end. A machine that
# was too busy for the clock is no fault of the change: what fails three times is.
lane() {
    name=$1
    shift
    for binary in "$@"; do
        # shellcheck disable=SC2086 # a list of words
        for _ in 1 2 3; do
            if "$cargo" test $all --test "$binary" -- --test-threads=1 >"$out/$name" 2>&1; then
                echo "$binary: $(grep '^test result' "$out/$name")"
                continue 2
            fi
        done
        : >"$out/failed"
        cat "$out/$name"
    done
}
lanes() {
    # shellcheck disable=SC2086 # a list of words
    "$cargo" test $all --no-run 2>"$out/built" || { cat "$out/built"; return 1; }
    waiting="streams program serial terminal task audio allocation"
    others=$(sed -n 's/.*Executable tests.*[/]\([a-z0-9_]*\)-[0-9a-f]*)$/\1/p' "$out/built" | sort -u |
        grep -vxF "$(printf '%s\n' $waiting)")
    lane first streams terminal allocation &
    lane second program audio &
    lane third serial task &
    # What computes gives way to what is judged by the clock.
    # shellcheck disable=SC2046,SC2086 # lists of words
    nice -n 10 "$cargo" test $all --lib --bins $(printf -- '--test %s ' $others) || : >"$out/failed"
    wait
    [ ! -e "$out/failed" ]
}

rest() {
    if has_nextest; then nextest; else lanes; fi || return 1
    # shellcheck disable=SC2086 # a list of words
    "$cargo" test -q $all --doc
}

case $part in
core) core || exit 1 ;;
build) build && exit 0 || exit 1 ;;
rest) rest || exit 1 ;;
*) core && rest || exit 1 ;;
esac
skipped=$(grep -c . "$TRAS_SKIPS")
if [ "$skipped" = 0 ]; then
    echo "tests: none skipped"
else
    echo "tests: $skipped skipped:"
    sort -u "$TRAS_SKIPS"
fi
