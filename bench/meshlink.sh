#!/bin/bash
# What the mesh costs a small device, and how fast a chain of real nodes is. docs/mesh-links.md says what is decided by it.
#   make bench-meshlink     KEEP_WORK=1 keeps the homes; CROWD=50 how many stand in one cell;
#                           PARTS='chain carrier idle crowd' which figures
# Writes build/bench/meshlink.tsv.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
bench_begin meshlink

areas='{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"station":"west","name":"West","level":1},"geometry":
{"type":"Polygon","coordinates":[[[109.0,33.0],[109.1,33.0],[109.1,33.1],[109.0,33.1],[109.0,33.0]]]}}]}'
echo "$areas" >"$work/areas.geojson"
"$broker" init "$work/broker" --name bench --areas "$work/areas.geojson" --listen "tcp://127.0.0.1:$(free_port)" >"$work/init.out" 2>&1 || fail "init: $(tail -n 1 "$work/init.out")"
start_broker
start_desk west

declare -A port pid_of
join() { port[$1]=$(free_port); "$node" join --home "$work/$1" "$(invitations --role node --name "$1")" >>"$work/join.out" 2>&1 || fail "$1 could not join"; }
# mesh_node NAME [PEER...] [-- OPTIONS]
mesh_node() {
    local name=$1 options=(); shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=(--peer "tcp://127.0.0.1:${port[$1]}"); shift; done
    [ $# -eq 0 ] || shift
    start "$name" "$node" run --home "$work/$name" --no-beacon --listen "tcp://127.0.0.1:${port[$name]}" "${options[@]}" "$@"
    pid_of[$name]=$pid
    until_true 30 "$name is ready" has_line "$work/$name.out"
}
# crowd_node NAME [OPTIONS]: finds others by beacons
crowd=${CROWD:-50}
crowd_node() {
    local name=$1; shift
    start "$name" "$node" run --home "$work/$name" --loopback "$@"
    pid_of[$name]=$pid
    until_true 30 "$name is ready" has_line "$work/$name.out"
}
mesh() { "$node" mesh --home "$work/$1" --json; }
is() { [ "$(mesh "$1" | jq -r "$2")" = "$3" ]; }
rss() { awk '/^VmRSS/ { printf "%.1f\n", $2 / 1024 }' "/proc/${pid_of[$1]}/status"; }
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/${pid_of[$1]}/stat"; }
written() { awk '/^write_bytes/ { print $2 }' "/proc/${pid_of[$1]}/io"; }
in_state() { [ "$("$node" status --home "$work/$1" --json | jq -s "map (select (.state == \"$2\")) | length")" -ge "$3" ]; }

chain() {
    say "meshlink: a chain of six, of which only the last sees the broker"
    for name in n1 n2 n3 n4 n5 n6; do join $name; done
    mesh_node n6
    for i in 5 4 3 2 1; do mesh_node n$i n$((i + 1)) -- --no-broker; done
    until_true 60 "the first knows its way" is n1 .hops 5
    for round in 1 2 3 4 5; do
        # history has both times by the clocks of one machine: written on n1, taken by the broker
        id=$("$node" tip --home "$work/n1" --kind hazard --at 33.05,109.05 --json "round $round" | jq -r .tip)
        until_true 60 "tip $round is delivered" in_state n1 delivered "$round"
        "$node" status --home "$work/n1" --json "$id" | jq -r '[.written, .accepted] | map (sub ("\\.(?<f>[0-9]+)Z$"; "Z") | fromdate) as $s
            | [.[] | capture ("\\.(?<f>[0-9]+)Z$").f // "0" | tonumber] as $f | (($s [1] - $s [0]) * 1000 + $f [1] - $f [0])' >>"$work/chain" 2>/dev/null || echo 0 >>"$work/chain"
    done
    row "chain of six: written to in the broker's log, median of 5" "$(sort -n "$work/chain" | sed -n 3p)" ms "<2000"
    for name in n1 n2 n3 n4 n5 n6; do stop "${pid_of[$name]}"; done
}

carrier() {
    say "meshlink: a carrier of 1,000 tips"
    join writer; join mule
    mesh_node writer -- --no-broker
    mesh_node mule writer -- --no-broker
    until_true 30 "they are linked" is mule '[.neighbours [] | select (.linked)] | length' 1
    before=$(written mule)
    seq 1000 | jq -c '{kind: "hazard", at: "33.05,109.05", text: ("carried " + tostring)}' >"$work/tips.jsonl"
    "$node" import --home "$work/writer" "$work/tips.jsonl" >/dev/null
    carried() { [ "$(mesh mule | jq '.carried | .normal + .bulk + .urgent')" -ge "$1" ]; }
    until_true 300 "1,000 are carried" carried 1000
    sleep 6 # the late updates of copies are written by then
    row "carrier of 1,000 tips: resident" "$(rss mule)" MB "<16"
    row "written to disk per carried tip" "$((($(written mule) - before) / 1000))" B
    row "file per carried tip" "$(($(cat "$work"/mule/outbox.db* | wc -c) / 1000))" B
    stop "${pid_of[writer]}"
    # three more writers, then away from all of them to a gateway
    for name in writer2 writer3 writer4; do
        join $name
        "$node" import --home "$work/$name" "$work/tips.jsonl" >/dev/null
    done
    stop "${pid_of[mule]}"
    mesh_node mule writer2 writer3 writer4 -- --no-broker
    for name in writer2 writer3 writer4; do mesh_node $name -- --no-broker; done
    until_true 300 "3,900 are carried" carried 3900
    for name in writer2 writer3 writer4; do stop "${pid_of[$name]}"; done
    held=$(mesh mule | jq '.carried | .normal + .bulk + .urgent')
    stop "${pid_of[mule]}"
    join post; mesh_node post
    until_true 30 "the post is a gateway" is post .gateway true
    taken() { "$broker" status --home "$work/broker" --json | jq .accepted; }
    before=$(taken)
    began=$(date +%s%3N)
    mesh_node mule post -- --no-broker
    all_in() { [ "$(taken)" -ge $((before + held)) ]; }
    until_true 300 "all are in the log" all_in
    row "carrier of $held tips: all in the log after starting beside a gateway" "$(($(date +%s%3N) - began))" ms
    row "the same: offences counted, all being honest" "$({ mesh mule; mesh post; } | jq -s 'map (.offences | add // 0) | add')" "" "<1"
    stop "${pid_of[mule]}"; stop "${pid_of[post]}"
}

idle() {
    say "meshlink: idle among 20 neighbours"
    join centre
    mesh_node centre -- --no-broker
    for i in $(seq 20); do join "c$i"; mesh_node "c$i" centre -- --no-broker; done
    until_true 120 "all 20 are linked" is centre '[.neighbours [] | select (.linked)] | length' 20
    sleep 5
    before=$(cpu_ms centre)
    sleep 20
    row "idle with 20 neighbours: of one core" "$(awk -v a="$before" -v b="$(cpu_ms centre)" 'BEGIN { printf "%.2f", (b - a) / 200 }')" "%" "<1"
    row "idle with 20 neighbours: resident" "$(rss centre)" MB "<16"
    stop "${pid_of[centre]}"
    for i in $(seq 20); do stop "${pid_of[c$i]}"; done
    strip -o "$work/stripped" "$node"
    row "patrol-node, stripped" "$(($(wc -c <"$work/stripped") / 1024))" kB "<1024"
}

crowd() {
    say "meshlink: a crowd of $crowd in one cell"
    # Everybody hears everybody. Nobody has a link to the broker at first: each comes with nine tips and an sos; later one of them finds the broker.
    # Nodes that have nothing for each other make no link, so there is nothing to wait for before. All envelopes are of 592 octets.
    seq 9 | jq -c '{kind: "hazard", at: "33.05,109.05", text: ("in the crowd, " + tostring + ": " + "x" * 400)}' >"$work/nine.jsonl"
    mapfile -t invited < <(invitations --role node --count "$crowd")
    for ((i = 0; i < crowd; i++)); do
        "$node" join --home "$work/k$i" "${invited[$i]}" >>"$work/join.out" 2>&1 || fail "k$i could not join"
        "$node" import --home "$work/k$i" "$work/nine.jsonl" >/dev/null
        "$node" sos --home "$work/k$i" --at 33.05,109.05 >/dev/null
    done
    for ((i = 0; i < crowd; i++)); do crowd_node "k$i" --no-broker; done
    began=$(date +%s)
    all_nodes() { local i; for ((i = 0; i < crowd; i++)); do "$@" "k$i"; done; }
    # of all nodes: sum FILTER
    sum() { all_nodes mesh | jq -s "map ($1) | add"; }
    share() { awk -v part="$1" -v all="$2" 'BEGIN { printf "%.1f", part * 100 / all }'; }
    # reached SECONDS COMMAND...: as until_true, but what was not reached is a figure, not the end; asks every other second, for each time asks them all
    reached() { local until=$((SECONDS + $1)); shift; until "$@"; do [ $SECONDS -lt $until ] || return 1; sleep 2; done; }
    reaches() { [ "$(sum "$1")" -ge "$2" ]; }
    pairs=$((crowd * (crowd - 1)))
    reached 120 reaches .carried.sos $pairs
    row "crowd of $crowd, no broker: each sos with everybody, after" "$(($(date +%s) - began))" s
    row "crowd of $crowd, no broker: of all copies of sos" "$(share "$(sum .carried.sos)" $pairs)" "%" ">=100"
    # until nothing more is given on
    still() { local before; before=$(sum .traffic.tips_in); sleep 5; [ "$(sum .traffic.tips_in)" -eq "$before" ]; }
    reached 60 still
    row "crowd of $crowd, no broker: copies of a normal tip" "$(sum .carried.normal | awk -v n="$crowd" '{ printf "%.1f", $1 / (9 * n) }')" ""
    useful() { share "$(sum .traffic.tip_bytes_in)" "$(sum .traffic.bytes_out)"; }
    row "crowd of $crowd, no broker: bytes that are tips taken, of all" "$(useful)" "%" ">=90"
    row "crowd of $crowd, no broker: control frames, of all bytes" "$(share "$(sum .traffic.control_out)" "$(sum .traffic.bytes_out)")" "%" "<10"
    row "crowd of $crowd, no broker: tips that came in vain, of all bytes" "$(share "$(sum .traffic.tip_bytes_had)" "$(sum .traffic.bytes_out)")" "%"
    row "crowd of $crowd, no broker: links of a node" "$(sum '[.neighbours [] | select (.linked)] | length' | awk -v n="$crowd" '{ printf "%.1f", $1 / n }')" ""
    row "crowd of $crowd, no broker: offences counted, all being honest" "$(sum '.offences | add // 0')" "" "<1"
    stop "${pid_of[k0]}"
    crowd_node k0
    known() { "$node" status --home "$work/$1" --json | jq -s 'map (select (.state | IN ("accepted", "delivered"))) | length'; }
    all_known() { [ "$(all_nodes known | sort -n | head -n 1)" -ge 10 ]; }
    reached 180 all_known
    row "crowd of $crowd: writers that know, of $((10 * crowd)) tips" "$(all_nodes known | awk '{ n += $1 } END { print n }')" "" ">=$((10 * crowd))"
    "$desk" join --home "$work/chief" "$(invitations --role coordinator)" >>"$work/join.out" 2>&1 || fail "no coordinator"
    "$desk" replay --home "$work/chief" --json | jq -r --argjson mine "$(for ((i = 0; i < crowd; i++)); do "$node" status --home "$work/k$i" --json | jq .tip; done | jq -s 'map ({(.): true}) | add')" \
        'select (.type == "tip" and $mine [.tip]) | .class' >"$work/order"
    row "crowd of $crowd: in the log, of $((10 * crowd))" "$(wc -l <"$work/order")" "" ">=$((10 * crowd))"
    row "crowd of $crowd: other tips in the log before the last sos" "$(awk '/^sos/ { n = others; next } { others++ } END { print n + 0 }' "$work/order")" "" "<$((crowd * 9 / 10))"
    row "crowd of $crowd: bytes that are tips, of all, to the end" "$(useful)" "%"
    row "crowd of $crowd: resident, the largest" "$(all_nodes rss | sort -n | tail -n 1)" MB "<16"
    row "crowd of $crowd: files, the largest" "$(for ((i = 0; i < crowd; i++)); do cat "$work/k$i"/outbox.db* | wc -c; done | sort -n | tail -n 1 | awk '{ printf "%.1f", $1 / 1e6 }')" MB "<8"
}

for part in ${PARTS:-chain carrier idle crowd}; do $part; done
bench_table
