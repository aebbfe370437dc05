#!/bin/bash
# Runs every unit test and scenario against one build and counts them.
#   tests/check.sh BUILD [unit|scenarios] [SCENARIO...]     e.g. tests/check.sh build scenarios tests/scenarios/01-*.bats
# One line a suite; what a failing suite said follows it. The last line is `N passed, N failed`, with `, N skipped` if any.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:?usage: tests/check.sh BUILD [unit|scenarios] [SCENARIO...]}
which=${2:-all}
shift; [ $# -eq 0 ] || shift
PATROL_BUILD=$(realpath "$build") || exit 1
export PATROL_BUILD
# other people's data, where they are at hand; tests that need them skip themselves otherwise
PATROL_SHARED=${PATROL_SHARED:-$(realpath -q ../shared || true)}
[ -d "$PATROL_SHARED" ] || PATROL_SHARED=
export PATROL_SHARED
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
out=$PATROL_BUILD/check
rm -rf "$out" && mkdir -p "$out" || exit 1
export out
passed=0 failed=0 skipped=0 failures=()

# Writes $out/NAME.said and $out/NAME.score (passed failed skipped). A suite that dies early or says nothing has failed.
run_unit() {
    local name=$1 said=$out/$1.said total ok skip bad
    { timeout "${UNIT_SECONDS:-180}" "$PATROL_BUILD/tests/$name" >"$said" 2>&1 </dev/null; } 2>/dev/null
    local rc=$?
    [ $rc -ne 124 ] || echo "$name: no end after ${UNIT_SECONDS:-180} s" >>"$said"
    total=$(sed -n 's/^\[==========\].*Running \([0-9]*\) test.*/\1/p' "$said" | awk '{ n += $1 } END { print n + 0 }')
    ok=$(grep -c '^\[       OK \]' "$said")
    # they are listed a second time at the end
    skip=$(awk '/test\(s\) run\./ { exit } /^\[  SKIPPED \]/ { n++ } END { print n + 0 }' "$said")
    bad=$((total - ok - skip))
    if [ $bad -lt 0 ]; then bad=0; fi
    if [ $bad -eq 0 ] && { [ $rc -ne 0 ] || [ "$total" -eq 0 ]; }; then bad=1; fi
    echo "$ok $bad $skip" >"$out/$name.score"
}

run_scenario() {
    local file=$1 name ok skip bad plan
    name=$(basename "$file" .bats)
    local said=$out/$name.said
    timeout -k 10 "${SCENARIO_SECONDS:-600}" bats --tap --print-output-on-failure "$file" >"$said" 2>&1 </dev/null
    local rc=$?
    [ $rc -ne 124 ] || echo "$name: no end after ${SCENARIO_SECONDS:-600} s" >>"$said"
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$said" | head -1)
    skip=$(grep -c '^ok .* # skip' "$said")
    ok=$(($(grep -c '^ok ' "$said") - skip))
    bad=$((${plan:-0} - ok - skip))
    if [ $bad -lt 0 ]; then bad=0; fi
    if [ $bad -eq 0 ] && { [ $rc -ne 0 ] || [ "${plan:-0}" -eq 0 ]; }; then bad=1; fi
    echo "$ok $bad $skip" >"$out/$name.score"
}
export -f run_unit run_scenario

# Adds one suite's score to the sums and prints its line.
tell() {
    local name=$1 ok bad skip
    read -r ok bad skip <"$out/$name.score"
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    printf '%-44s %4d passed' "$name" "$ok"
    [ "$bad" -eq 0 ] || printf ', %d FAILED' "$bad"
    [ "$skip" -eq 0 ] || printf ', %d skipped' "$skip"
    echo
    if [ "$bad" -gt 0 ]; then
        sed 's/^/    /' "$out/$name.said" | tail -n "${SAID_LINES:-80}"
        failures+=("$name: $(sed -nE 's/^(not ok .*)/\1/p; s/^\[  FAILED  \] ([a-z].*)/\1/p' "$out/$name.said" | sort -u | paste -sd ';')")
    fi
    [ "$skip" -eq 0 ] || grep -E '# skip|^\[  SKIPPED \] [^0-9]' "$out/$name.said" | sort -u | sed 's/^/    /'
}

# FUNCTION JOBS NAME...: runs them side by side, then tells them in order
run_all() {
    local function=$1 jobs=$2; shift 2
    [ $# -gt 0 ] || return 0
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" bash -c "$function \"\$1\"" _
    for each in "$@"; do tell "$(basename "$each" .bats)"; done
}

cores=$(nproc)
if [ "$which" = all ] || [ "$which" = unit ]; then
    units=()
    for source in tests/unit/*_test.c; do
        [ -e "$source" ] && units+=("$(basename "$source" .c)")
    done
    echo "unit tests, $build"
    run_all run_unit "${CHECK_JOBS:-$cores}" "${units[@]}"
fi
if [ "$which" = all ] || [ "$which" = scenarios ]; then
    [ $# -gt 0 ] || set -- tests/scenarios/*.bats
    files=()
    for file in "$@"; do [ -e "$file" ] && files+=("$file"); done
    echo "scenarios with real processes, $build"
    run_all run_scenario "${CHECK_JOBS:-$cores}" "${files[@]}"
fi
if [ "$which" = all ]; then
    echo "source"
    if tests/check-source.sh >"$out/check-source.said" 2>&1; then echo "1 0 0"; else echo "0 1 0"; fi >"$out/check-source.score"
    tell check-source
fi

# once more at the end, where a reader of a long output looks first
echo
for each in "${failures[@]}"; do echo "FAILED $each"; done
printf '%d passed, %d failed' $passed $failed
[ $skipped -eq 0 ] || printf ', %d skipped' $skipped
echo
[ $failed -eq 0 ] && [ $passed -gt 0 ]
