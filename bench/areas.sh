#!/bin/bash
# The lookup of areas: rows for the table of the bench that sources this (bench/quality.sh). docs/bench.md says what is measured.
# shellcheck shell=bash
# shellcheck disable=SC2154  # build and work are set by who sources this
# ROUNDS=N: a rate is the median of N rounds (3); other work on the machine slows a lookup by what it takes of the caches.

median() { sort -g | awk '{ v [NR] = $1 } END { print v [int ((NR + 1) / 2)] }'; }

# areas_rates AREAS TARGET
areas_rates() {
    local areas=$1 target=$2 round
    for round in $(seq "${ROUNDS:-3}"); do
        "$build/bench/areas" speed "$areas" 2 >"$work/areas.$areas.$round" || fail "areas speed $areas"
    done
    of() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$work/areas.$areas".*; }
    row "areas: $areas of $(of "vertices an area" | median | cut -d. -f1) vertices: lookups" "$(of lookups | median)" /s ">=$target"
    row "areas: $areas: decisions with copies and reason" "$(of "decisions with copies and reason" | median)" /s
    row "areas: $areas: decisions, accuracy 500 m" "$(of "decisions, accuracy 500 m" | median)" /s
    row "areas: $areas: memory an area" "$(of memory | median)" KB "<30"
    row "areas: $areas: the process grew by, an area" "$(of "process grew by" | median)" KB
    row "areas: $areas: load with all checks" "$(of load | median)" s
}

bench_areas() {
    areas_rates 500 4000000
    ROUNDS=1 areas_rates 5000 2000000
    "$build/bench/areas" equal 500 1000000 10000 >"$work/areas.equal" 2>"$work/areas.equal.err" || say "$(head -n 3 "$work/areas.equal.err")"
    of() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$work/areas.equal"; }
    row "areas: random points asked" "$(of "random points asked")" points ">=1000000"
    row "areas: random points decided otherwise than by GEOS" "$(of "random points decided otherwise than by GEOS")" points "<1"
    row "areas: border points asked" "$(of "border points asked")" points ">=10000"
    row "areas: border points decided otherwise than by GEOS" "$(of "border points decided otherwise than by GEOS")" points "<1"
}
