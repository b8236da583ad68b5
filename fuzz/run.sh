#!/usr/bin/env bash
# fuzz/run.sh SECONDS [TARGET…]: builds the fuzzer with the stable toolchain and runs each target for that long, from
# its seeds and from what earlier runs left in fuzz/corpus. Ends with an error when a target fails; the input that made
# it fail is left in fuzz/artifacts. FUZZ_SERVICE=1 adds the decoders of the service, which take several minutes to build.
#
# libFuzzer needs coverage counters. cargo-fuzz gets them with nightly's sanitizer option; the same LLVM pass can be
# named on stable. Build scripts stay without it because --target is given.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET…]}
shift

features=fuzzer${FUZZ_SERVICE:+,service}
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="--cfg fuzzing $coverage" cargo build --profile fuzz --locked -p holdfast-fuzz --no-default-features --features "$features" \
    --target "$host" --target-dir target
fuzzer=$PWD/target/$host/fuzz/holdfast-fuzz

mkdir -p artifacts
rm -rf target/seeds
FUZZ_SEEDS=target/seeds "$fuzzer" >/dev/null
if [ $# -eq 0 ]; then
    mapfile -t all < <(ls target/seeds)
    set -- "${all[@]}"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if FUZZ_TARGET=planted_fault "$fuzzer" -max_total_time=60 -artifact_prefix=target/ >"$log" 2>&1 ||
    ! grep -q "the planted fault" "$log"; then
    tail -20 "$log"
    echo "the fuzzer did not find the planted fault: its coverage counters do not work"
    exit 1
fi

failed=()
for target in "$@"; do
    mkdir -p "corpus/$target"
    if FUZZ_TARGET=$target "$fuzzer" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=10 \
        -artifact_prefix="artifacts/$target-" "corpus/$target" "target/seeds/$target" >"$log" 2>&1; then
        echo "$target: $(grep -E '^Done ' "$log"), $(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1)"
    else
        failed+=("$target")
        echo "$target: FAILED"
        tail -40 "$log"
    fi
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
