#!/bin/bash
# Is a place in words found, and how fast? docs/bench.md says what is asked.
#   make bench-gazetteer    VILLAGES=N instead of 620,000; KEEP_WORK=1 keeps the files; GAZETTEER_MISSED=1 tells each miss on stderr
# Writes build/bench/gazetteer.tsv; bench-quality has its rows too. Without the shared data (PATROL_SHARED) all rows are SKIP.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
villages=${VILLAGES:-620000}
bench_begin gazetteer

if [ ! -d "$shared/data" ]; then
    row "Shaanxi: places" SKIP "no ../shared"
    row "made: answers, 99th percentile" SKIP "no ../shared"
    bench_table
    exit 0
fi

# asked SET DATUM: the answers of the bench program in $work/SET.out
asked() {
    "$build/bench/gazetteer" "$work/$1/places.csv" "$2" "$work/$1/asked.tsv" >"$work/$1.out" || fail "$1 cannot be asked"
}
# of GROUP COLUMN: of the set in $out; columns: asked first among unsure derived least most
of() { awk -F'\t' -v group="$1" -v name="$2" 'BEGIN { split ("asked first among unsure derived least most p50 p99 longest", names, " ") }
    $1 == "group" && $2 == group { for (i in names) if (names [i] == name) print $(i + 2) }' "$out"; }
plain() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$out"; }

say "gazetteer: the shared one, then $villages invented villages"
python3 "$here/bench/gazetteer.py" shaanxi "$shared" "$work/shaanxi" || fail "cannot convert the gazetteer"
asked shaanxi gcj02
out=$work/shaanxi.out
row "Shaanxi: places" "$(plain places)" places
for each in "town: county of 2016 + town" "town: county of today + town"; do
    row "Shaanxi, $each: first" "$(of "$each" first)" places ">=$(of "$each" asked)"
done
row "Shaanxi, 城关镇 alone: candidates" "$(of 城关镇 least)" places ">=12"
row "Shaanxi, 城关镇 alone: said to be ambiguous" "$(of 城关镇 unsure)" "of 12" ">=12"
row "Shaanxi, 城关镇 with a position: first, of 12" "$(of "城关镇 with a position" first)" places ">=12"
row "Shaanxi, 城关镇 with a position: still ambiguous" "$(of "城关镇 with a position" unsure)" places "<1"
each="repeated town with a position"
row "Shaanxi, any $each: first" "$(of "$each" first)" places ">=$(of "$each" asked)"
each="pinyin: Xunyang Shuhe"
row "Shaanxi, Xunyang Shuhe: 旬阳市蜀河镇, first" "$(of "$each" first)" places ">=1"
row "Shaanxi, Xunyang Shuhe: marked as derived" "$(of "$each" derived)" places ">=1"
each="pinyin: County Town"
row "Shaanxi, other towns in pinyin: first" "$(of "$each" first)" places ">=$(of "$each" asked)"
for each in "county, old name" "county, new name"; do
    row "Shaanxi, $each: first" "$(of "$each" first)" places ">=$(of "$each" asked)"
done
each="village: county + town + village"
row "Shaanxi, $each: first" "$(of "$each" first)" places ">=$(of "$each" asked)"
row "Shaanxi, villages marked as placed by what is around" "$(of "$each" derived)" places ">=22061"
each="two characters, bare"
row "Shaanxi, village names of $each: among the candidates" "$(of "$each" among)" places ">=$(of "$each" asked)"
each="two characters, after county + town"
row "Shaanxi, village names of $each: among them" "$(of "$each" among)" places ">=$(of "$each" asked)"
row "Shaanxi, village names of $each: first" "$(of "$each" first)" "of $(of "$each" asked)"
row "Shaanxi: answers, 99th percentile" "$(plain "answer p99")" ms "<5"

python3 "$here/bench/gazetteer.py" made "$shared" "$work/made" "$villages" || fail "cannot make a gazetteer"
asked made wgs84
out=$work/made.out
row "made: places" "$(plain places)" places
row "made: load" "$(plain load)" s "<60"
row "made: memory" "$(plain memory)" MiB
row "made: peak memory of the process while loading" "$(plain "peak while loading")" MiB
row "made: answers, median" "$(plain "answer p50")" ms "<5"
row "made: answers, 99th percentile" "$(plain "answer p99")" ms "<5"
row "made: longest answer of $(awk -F'\t' '$1 == "group" { n += $3 } END { print n }' "$out")" "$(plain "answer longest")" ms
for each in "county + town + village" "a name in a long text" "village alone, with a position"; do
    row "made, $each: first" "$(of "$each" first)" "of $(of "$each" asked)"
done

# the same file through the broker: the log takes it, the running core swaps it in
"$broker" init "$work/broker" --name bench --listen "tcp://127.0.0.1:$(free_port)" >"$work/init.out" 2>&1 || fail "init: $(tail -n 1 "$work/init.out")"
start_broker
began=$EPOCHREALTIME
"$broker" places load --home "$work/broker" "$work/made/places.csv" >"$work/load.out" 2>&1 || fail "places load: $(tail -n 1 "$work/load.out")"
row "made: places load, into the log of a running broker" "$(awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN { print to - from }')" s "<60"
core=$(pgrep -P "$broker_pid" -f ' core ' | head -n 1)
row "made: resident memory of the core with it" "$(awk '/VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/${core:-$broker_pid}/status")" MiB
stop "$broker_pid"
bench_table
