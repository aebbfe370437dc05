#!/bin/bash
# Runs every fuzz target of one build for FUZZ_SECONDS each, as many side by side as there are cores.
#   tests/fuzz.sh BUILD [NAME...]        a finding is left in BUILD/found/, the grown corpus in BUILD/corpus/NAME
# Seeds are the files of tests/fuzz/corpus/NAME, where there are any. Last line: `N passed, N failed`.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:?usage: tests/fuzz.sh BUILD [NAME...]}") || exit 1
shift
FUZZ_SECONDS=${FUZZ_SECONDS:-600}
export build FUZZ_SECONDS
shopt -s nullglob
if [ $# -eq 0 ]; then
    for source in tests/fuzz/*_fuzz.c; do set -- "$@" "$(basename "$source" .c)"; done
fi
[ $# -gt 0 ] || { echo "fuzz: no target in tests/fuzz" >&2; exit 1; }

run_one() {
    local name=$1
    local corpus=$build/corpus/$name said=$build/$name.said seeds=tests/fuzz/corpus/$name
    mkdir -p "$corpus" "$build/found/$name"
    [ -d "$seeds" ] || seeds=
    # a hang of 5 s, 512 MB of memory or an input larger than any frame we take would be findings too
    if "$build/fuzz/$name" -max_total_time="$FUZZ_SECONDS" -timeout=5 -rss_limit_mb=512 -max_len=20000 -print_final_stats=1 \
            -artifact_prefix="$build/found/$name/" "$corpus" ${seeds:+"$seeds"} >"$said" 2>&1; then
        printf '%-32s ok      %s runs in %s s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$said")" "$FUZZ_SECONDS"
    else
        printf '%-32s FAILED  see %s\n' "$name" "$said"
        tail -n 40 "$said" | sed 's/^/    /'
    fi
}
export -f run_one
# shellcheck disable=SC2016  # the inner shell expands it
results=$(printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" bash -c 'run_one "$1"' _ | tee /dev/stderr)
passed=$(grep -c ' ok  ' <<<"$results")
failed=$(($# - passed))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
