#!/bin/bash
# Does every real report reach the station that the source names? docs/bench.md says what is measured and how.
#   make bench-quality      EVERY=N takes each Nth incident and place only; KEEP_WORK=1 keeps the homes
# Writes build/bench/quality.tsv. Without the shared data (PATROL_SHARED) all rows are SKIP.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=bench/areas.sh
. "$(dirname "$0")/areas.sh"
every=${EVERY:-1}
bench_begin quality
bench_areas

# near dedupe has a bench of its own; its rows are rows of this table too
dedupe() {
    "$here/bench/dedupe.sh" >"$work/dedupe.out" || fail "bench/dedupe.sh has failed"
    cat "$build/bench/dedupe.tsv" >>"$tsv"
}

if [ ! -d "$shared/data" ]; then
    for each in "Chicago: at the station of the source" "Shaanxi: at the station of the source" "datum: GCJ-02, 664 cities: within 0.00001 degree"; do
        row "$each" SKIP "no ../shared"
    done
    dedupe
    bench_table
    exit 0
fi

all_accepted() { [ "$(broker_status | jq .accepted)" -ge "$1" ]; }
nothing_waits() { broker_status | jq -e '.waiting == 0 and .deferred == 0' >/dev/null; }

# through_the_system FOLDER [INIT OPTION...]: its tips from a node, over the broker, to a coordinator's replay
through_the_system() {
    local folder=$1 areas=() count; shift
    count=$(wc -l <"$folder/tips.jsonl")
    [ ! -e "$folder/areas.geojson" ] || areas=(--areas "$folder/areas.geojson")
    rm -rf "$work"/{broker,node,coordinator}
    "$broker" init "$work/broker" --name bench "${areas[@]}" "$@" --listen "tcp://127.0.0.1:$(free_port)" >"$work/init.out" 2>&1 ||
        fail "init: $(tail -n 1 "$work/init.out")"
    start_broker
    "$node" join --home "$work/node" "$(invitations --role node)" >"$work/join.out" 2>&1 || fail "the node could not join"
    "$desk" join --home "$work/coordinator" "$(invitations --role coordinator)" >"$work/join.out" 2>&1 || fail "the coordinator could not join"
    "$node" import --home "$work/node" "$folder/tips.jsonl" --json >"$work/import.out" 2>"$work/import.err" ||
        fail "import: $(head -n 3 "$work/import.err")"
    start node "$node" run --home "$work/node"
    local node_pid=$pid
    until_true 300 "all $count tips are accepted" all_accepted "$count"
    until_true 30 "nothing waits in the broker" nothing_waits
    "$desk" replay --home "$work/coordinator" --speed max --as "Bench" --json >"$work/replay.jsonl" 2>"$work/replay.err" ||
        fail "replay: $(tail -n 1 "$work/replay.err")"
    python3 "$here/bench/real_maps.py" count "$folder" <"$work/replay.jsonl" >"$work/figures" || fail "the replay cannot be counted"
    while IFS=$'\t' read -r figure value unit target; do row "$figure" "$value" "$unit" "$target"; done <"$work/figures"
    stop "$node_pid"
    stop "$broker_pid"
}

prepare() { python3 "$here/bench/real_maps.py" "$1" "$shared" "$work/$1" "${@:2}" || fail "cannot prepare $1"; }
prepare chicago "$every"
prepare shaanxi "$every"
prepare datums
say "quality: $(cat "$work"/*/tips.jsonl | wc -l) tips in three districts"
through_the_system "$work/chicago"
through_the_system "$work/shaanxi" --datum gcj02
through_the_system "$work/datums"
dedupe
"$here/bench/gazetteer.sh" >"$work/gazetteer.out" || fail "bench/gazetteer.sh"
cat "$build/bench/gazetteer.tsv" >>"$tsv"
bench_table
