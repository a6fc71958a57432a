#!/bin/sh
# fuzz.sh SECONDS TARGETS [ARGS...]: builds the fuzz targets with the counters that libFuzzer steers by, which need no
# nightly compiler, and runs each for some seconds on its corpus: what earlier runs found new (fuzz/corpus, kept out of
# the repository) and the repository's own files. A finding ends with its input in a file and exit code 1.
set -eu
seconds=$1
targets=$2
shift 2
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
counters="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cdebug-assertions"
for argument in level=4 inline-8bit-counters pc-table trace-compares; do
    counters="$counters -Cllvm-args=-sanitizer-coverage-$argument"
done
for target in $targets; do
    folder=fuzz
    case $target in
    decode) folder=firmware/wire/fuzz seeds= ;;
    toml) seeds="configs configs/devices tests/valid_configs tests/invalid_configs" ;;
    *) seeds=tests/data/cases ;;
    esac
    # A target of its own, so that build scripts and macros go without the counters.
    RUSTFLAGS=$counters cargo build --quiet --release --locked --manifest-path $folder/Cargo.toml \
        --target "$host" --bin "$target"
    mkdir -p "$folder/corpus/$target"
    echo "fuzz: $target for $seconds s"
    # shellcheck disable=SC2086 # a list of folders
    "$folder/target/$host/release/$target" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$folder/corpus/" "$@" "$folder/corpus/$target" $seeds
done
