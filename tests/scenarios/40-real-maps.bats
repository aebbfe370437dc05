#!/usr/bin/env bats
# Real reports on real maps reach the station that their source names: Chicago's districts, Shaanxi's counties in GCJ-02.
# A sample; the whole is `make bench-quality`. Needs the shared data and skips without them.

setup() {
    root=$BATS_TEST_DIRNAME/../..
    home=$BATS_TEST_TMPDIR
    pids=()
    [ -d "${PATROL_SHARED:-}/data" ] || skip "no shared data (PATROL_SHARED)"
    command -v python3 >/dev/null || skip "no python3"
}
teardown() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}

until_true() {
    local until=$((SECONDS + $1)); shift
    until "$@"; do
        [ $SECONDS -lt $until ] || { echo "not reached in time: $*"; return 1; }
        sleep 0.1
    done
}
has_line() { [ -s "$1" ]; }
accepted() { [ "$("$PATROL_BUILD/patrol-broker" status --home "$home/broker" --json | jq .accepted)" -ge "$1" ]; }
free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}
invitation() { "$PATROL_BUILD/patrol-broker" invite --home "$home/broker" --json "$@" | jq -r .invitation; }

# from_source SET EVERY [INIT OPTION...]: figures of the replay in $home/figures
from_source() {
    local set=$1 every=$2; shift 2
    python3 "$root/bench/real_maps.py" "$set" "$PATROL_SHARED" "$home/$set" "$every"
    "$PATROL_BUILD/patrol-broker" init "$home/broker" --name maps --areas "$home/$set/areas.geojson" "$@" --listen "tcp://127.0.0.1:$(free_port)"
    "$PATROL_BUILD/patrol-broker" run --home "$home/broker" >"$home/broker.out" 2>"$home/broker.err" 3>&- & pids+=($!)
    until_true 30 has_line "$home/broker.out"
    "$PATROL_BUILD/patrol-node" join --home "$home/node" "$(invitation --role node)"
    "$PATROL_BUILD/patrol-desk" join --home "$home/coordinator" "$(invitation --role coordinator)"
    "$PATROL_BUILD/patrol-node" import --home "$home/node" "$home/$set/tips.jsonl"
    "$PATROL_BUILD/patrol-node" run --home "$home/node" >"$home/node.out" 2>"$home/node.err" 3>&- & pids+=($!)
    until_true 60 accepted "$(wc -l <"$home/$set/tips.jsonl")"
    "$PATROL_BUILD/patrol-desk" replay --home "$home/coordinator" --speed max --as Tang --json >"$home/replay.jsonl"
    python3 "$root/bench/real_maps.py" count "$home/$set" <"$home/replay.jsonl" >"$home/figures"
    cat "$home/figures"
}
# figure NAME: its value
figure() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$home/figures"; }

@test "every fiftieth incident of Chicago's September is at the district the city wrote on it" {
    from_source chicago 50
    local tips
    tips=$(wc -l <"$home/chicago/tips.jsonl")
    [ "$tips" -gt 400 ]
    [ "$(figure "Chicago: tips in the replay")" -eq "$tips" ]
    # 4 of all 21,559 lie in another district than the city says
    [ "$(figure "Chicago: at the station of the source")" -ge $((tips - 1)) ]
    [ "$(figure "Chicago: shown twice")" -eq 0 ]
}

@test "towns and villages of Shaanxi, in GCJ-02, are in their own county" {
    from_source shaanxi 10 --datum gcj02
    local tips
    tips=$(wc -l <"$home/shaanxi/tips.jsonl")
    [ "$tips" -gt 200 ]
    [ "$(figure "Shaanxi: at the station of the source")" -eq "$tips" ]
    [ "$(figure "Shaanxi: shown twice")" -eq 0 ]
}
