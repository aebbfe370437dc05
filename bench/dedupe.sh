#!/bin/bash
# Near dedupe: real duplicates of the city's 311, invented witnesses of real events, and what merging costs. Part of `make bench-quality` (or alone:
# PATROL_BUILD=build PATROL_SHARED=../shared bench/dedupe.sh); docs/bench.md says what is measured and how.
#   SEEDS="1 2 3 4 5"    HELD_OUT="11 12 13 14 15" seeds that nothing was chosen by    REQUESTS=FILE.csv takes other 311 requests (columns as in chicago-reports)
# Writes build/bench/dedupe.tsv.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
read -r -a seeds <<<"${SEEDS:-1 2 3 4 5}"
read -r -a held_out <<<"${HELD_OUT-11 12 13 14 15}"
bench_begin dedupe
program=$build/bench/dedupe
reports=$shared/data/chicago-reports

figures() { while IFS=$'\t' read -r figure value unit target; do row "$figure" "$value" "$unit" "$target"; done; }

# requests FILE: its rows through the engine, in order of time
requests() {
    python3 "$here/bench/requests311.py" tips "$1" >"$work/tips.tsv" || fail "$1 cannot be read"
    rm -rf "${work:?}/home"
    "$program" engine "$work/home" "$here/bench/kinds-311.json" - <"$work/tips.tsv" >"$work/incidents" 2>"$work/said" || fail "$(tail -n 1 "$work/said")"
    say "dedupe: $(basename "$1"): $(tail -n 1 "$work/said")"
    python3 "$here/bench/requests311.py" count "$1" <"$work/incidents" | figures
}

# witnesses SEED seen|late|other ours|own: precision, recall and the counts, into $work/figures.KIND-WHEN
witnesses() {
    local seed=$1 when=$2 kinds=$3 file=-
    python3 "$here/bench/witnesses.py" make "$shared" "$work/made" "$seed" "$when" "$kinds" || fail "the witnesses cannot be made"
    [ "$kinds" = ours ] || file=$work/made/kinds.json
    rm -rf "${work:?}/home"
    "$program" engine "$work/home" "$file" "$work/made/places.csv" <"$work/made/tips.tsv" >"$work/incidents" 2>"$work/said" || fail "$(tail -n 1 "$work/said")"
    say "dedupe: witnesses, seed $seed, $when, $kinds: $(tail -n 1 "$work/said")"
    python3 "$here/bench/witnesses.py" count "$work/made" "seed $seed" <"$work/incidents" >>"$work/figures.$kinds-$when"
}
# worst NAME FILE FIGURE TARGET: the least of a figure over the seeds
worst() { row "$1" "$(awk -F'\t' -v figure=": $3" 'index ($1, figure) && (least == "" || $2 < least) { least = $2 } END { print least }' "$2")" ratio "$4"; }

if [ -d "$reports" ]; then
    requests "${REQUESTS:-$reports/requests-311-2021-01-01.csv}"
    requests "$reports/sanitation-311-2014.csv"
    for seed in "${seeds[@]}"; do witnesses "$seed" seen ours; done
    worst "witnesses: precision, worst of ${#seeds[@]} seeds" "$work/figures.ours-seen" precision ">=0.97"
    worst "witnesses: recall, worst of ${#seeds[@]} seeds" "$work/figures.ours-seen" recall ">=0.90"
    sed 's/^/witnesses, /' "$work/figures.ours-seen" | figures
    if [ ${#held_out[@]} -gt 0 ]; then
        mv "$work/figures.ours-seen" "$work/figures.judged"
        for seed in "${held_out[@]}"; do witnesses "$seed" seen ours; done
        worst "witnesses, held out: precision, worst of ${#held_out[@]} seeds" "$work/figures.ours-seen" precision ">=0.97"
        worst "witnesses, held out: recall, worst of ${#held_out[@]} seeds" "$work/figures.ours-seen" recall ">=0.90"
    fi
    # how far it depends on what we assumed: the city's own types as kinds; nobody says when he saw it; another generator altogether
    for other in "seen own" "late ours" "other ours"; do
        read -r when kinds <<<"$other"
        witnesses "${seeds[0]}" "$when" "$kinds"
        sed "s/^/witnesses ($when, $kinds), /" "$work/figures.$kinds-$when" | figures
    done
else
    for each in "311: pairwise F1" "311: pairwise precision" "witnesses: precision" "witnesses: recall"; do row "$each" SKIP "no ../shared"; done
fi
"$program" cost >"$work/figures.cost" || fail "the cost cannot be measured"
while IFS=$'\t' read -r figure value unit; do
    target=
    [ "$figure" != "merging, a tip" ] || target="<2"
    row "$figure" "$value" "$unit" "$target"
done <"$work/figures.cost"
bench_table
