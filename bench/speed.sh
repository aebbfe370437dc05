#!/bin/bash
# How fast the whole path is, beside two peers and the parts alone: docs/bench.md says what is measured and how.
#   make bench-speed        ROUNDS=5 TIPS=60000 LATENCY_TIPS=20000 KEEP_WORK=1 may be set
# Writes build/bench/speed.tsv: medians over the rounds; ratios are taken within a round.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
rounds=${ROUNDS:-5} tips=${TIPS:-60000} latency_tips=${LATENCY_TIPS:-20000} rate=2000 nodes=50
stations=(s1 s2 s3 s4)
load=$build/bench/load limits=$build/bench/limits
bench_begin speed

# ---- set up
install_peers() {
    local wanted missing='' package
    wanted=$(grep -v '^#' "$here/deploy/packages-bench.txt")
    for package in $wanted; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    # shellcheck disable=SC2086  # a list of words
    $([ "$(id -u)" = 0 ] || echo sudo) env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing >&2 ||
        fail "could not install$missing"
}
build_peers() {
    local each
    for each in mqtt:mosquitto redis:hiredis; do
        ${CC:-gcc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -pthread "$here/bench/peers/${each%:*}.c" -o "$build/bench/peer-${each%:*}" "-l${each#*:}" ||
            fail "bench/peers/${each%:*}.c does not build"
    done
}
# mosquitto as it is shipped (persistence on, autosave), only without its limits of messages in flight and queued: it would drop them
start_mosquitto() {
    mqtt_port=$(free_port)
    mkdir -p "$work/mosquitto"
    printf '%s\n' "listener $mqtt_port 127.0.0.1" "allow_anonymous true" "user $(id -un)" "persistence true" "persistence_location $work/mosquitto/" \
        "max_inflight_messages 0" "max_queued_messages 0" "set_tcp_nodelay true" "log_type error" >"$work/mosquitto.conf"
    start mosquitto "$(PATH=$PATH:/usr/sbin command -v mosquitto)" -c "$work/mosquitto.conf"
}
start_redis() {
    redis_port=$(free_port)
    mkdir -p "$work/redis"
    start redis redis-server --bind 127.0.0.1 --port "$redis_port" --appendonly yes --appendfsync always --save "" --dir "$work/redis"
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

four_squares() {
    local s=30 w name n=1 # three degrees wide: sixty thousand tips of one second must not lie on top of each other
    printf '{"type":"FeatureCollection","features":['
    for s in 30 33; do
        for w in 105 108; do
            name=${stations[n - 1]}
            [ $n -eq 1 ] || printf ,
            printf '{"type":"Feature","properties":{"station":"%s"},"geometry":{"type":"Polygon","coordinates":[[[%d,%d],[%d,%d],[%d,%d],[%d,%d],[%d,%d]]]}}' \
                "$name" $w $s $((w + 3)) $s $((w + 3)) $((s + 3)) $w $((s + 3)) $w $s
            n=$((n + 1))
        done
    done
    printf ']}\n'
}
set_up() {
    four_squares >"$work/areas.geojson"
    "$broker" init "$work/broker" --name bench --areas "$work/areas.geojson" --listen "tcp://127.0.0.1:$(free_port)" >"$work/init.out" 2>&1 ||
        fail "init: $(tail -n 1 "$work/init.out")"
    start_broker
    mkdir -p "$work/nodes"
    invitations --role node --count $nodes | "$load" join "$work/nodes" || fail "the nodes could not join"
    local station
    for station in "${stations[@]}"; do start_desk "$station"; done
    start_mosquitto
    start_redis
    until_true 20 "mosquitto answers" answers "$mqtt_port"
    until_true 20 "redis answers" answers "$redis_port"
}

# ---- one measurement each. A line of rounds.tsv: round, name, value
figures() { awk -F'\t' -v round="$round" -v name="$1" '{ print round "\t" name " " $1 "\t" $2 }' >>"$work/rounds.tsv"; }
cpu_ticks() { # of processes and their children, first generation
    local each all=()
    for each in "$@"; do all+=("$each"); mapfile -t -O ${#all[@]} all < <(pgrep -P "$each"); done
    for each in "${all[@]}"; do sed 's/.*) //' "/proc/$each/stat" 2>/dev/null; done | awk '{ ticks += $12 + $13 } END { print ticks + 0 }'
}
ours() { # NAME TIPS RATE
    local before after desks_before desks_after hz
    hz=$(getconf CLK_TCK)
    before=$(cpu_ticks "$broker_pid") desks_before=$(cpu_ticks "${desk_pids[@]}")
    "$load" send "$work/nodes" $nodes "$2" "$3" >"$work/load.out" 2>"$work/load.err" || fail "load: $(tail -n 3 "$work/load.err")"
    after=$(cpu_ticks "$broker_pid") desks_after=$(cpu_ticks "${desk_pids[@]}")
    {
        cat "$work/load.out"
        awk -v n="$2" -v hz="$hz" -v b=$((after - before)) -v d=$((desks_after - desks_before)) 'BEGIN {
            print "broker cpu\t" b * 1e6 / hz / n; print "desk cpu\t" d * 1e6 / hz / n }'
    } | figures "$1"
}
one_round() {
    say "round $round of $rounds: full speed"
    ours ours "$tips" 0
    "$build/bench/peer-mqtt" "$mqtt_port" "$tips" 0 $((nodes * 512)) $nodes ${#stations[@]} | figures mosquitto
    "$build/bench/peer-mqtt" "$mqtt_port" "$tips" 0 2048 | figures mosquitto-one
    "$build/bench/peer-redis" "$redis_port" "$tips" 0 256 | figures redis
    "$limits" sqlite "$work/limit.db" 1024 2 | figures sqlite
    "$limits" append "$work/limit.bin" 1024 1 | figures append
    "$limits" curve $nodes 200000 | figures curve
    say "round $round of $rounds: $rate a second"
    "$limits" append "$work/limit.bin" 4 1 | figures sync
    ours paced "$latency_tips" $rate
    "$build/bench/peer-mqtt" "$mqtt_port" "$latency_tips" $rate $((nodes * 512)) $nodes ${#stations[@]} | figures mosquitto-paced
    "$build/bench/peer-redis" "$redis_port" "$latency_tips" $rate 256 | figures redis-paced
}

# ---- after the rounds
# median NAME, or of the quotient of two within a round: median NAME OVER
median() {
    awk -F'\t' -v a="$1" -v b="${2:-}" '$2 == a { x [$1] = $3 } $2 == b { y [$1] = $3 }
        END { for (r in x) if (b == "") print x [r]; else if (y [r] > 0) print x [r] / y [r] }' "$work/rounds.tsv" | sort -g |
        awk '{ v [NR] = $1 } END { if (NR) printf "%.4g", NR % 2 ? v [(NR + 1) / 2] : (v [NR / 2] + v [NR / 2 + 1]) / 2 }'
}
rows() {
    local peer which
    row "end to end" "$(median "ours end to end")" "tips/s"
    row "receipted" "$(median "ours receipted")" "tips/s"
    row "end to end / mosquitto QoS 1" "$(median "ours end to end" "mosquitto end to end")" x ">=1.5"
    row "end to end / Redis Streams, appendfsync always" "$(median "ours end to end" "redis end to end")" x
    row "end to end / SQLite FULL alone, 1024 rows a commit" "$(median "ours end to end" "sqlite rows")" x
    row "mosquitto QoS 1, $nodes publishers, ${#stations[@]} subscribers, end to end" "$(median "mosquitto end to end")" "messages/s"
    row "mosquitto QoS 1, 1 publisher, 1 subscriber, end to end" "$(median "mosquitto-one end to end")" "messages/s"
    row "Redis Streams always, end to end" "$(median "redis end to end")" "messages/s"
    row "SQLite FULL alone, 1024 rows a commit" "$(median "sqlite rows")" "rows/s"
    row "append + fdatasync alone, 1024 rows" "$(median "append rows")" "rows/s"
    row "CURVE DEALER to ROUTER alone, $nodes connections" "$(median "curve messages")" "messages/s"
    row "broker CPU" "$(median "ours broker cpu")" "us/tip"
    row "desk CPU" "$(median "ours desk cpu")" "us/tip"
    row "load CPU" "$(median "ours load cpu")" "us/tip"
    row "append + fdatasync of 4 rows, p50" "$(median "sync sync p50")" ms
    for which in "receipt p50" "receipt p99" "delivery p50" "delivery p99"; do row "at $rate/s: $which" "$(median "paced $which")" ms; done
    row "at $rate/s: receipt p50 / fdatasync p50" "$(median "paced receipt p50" "sync sync p50")" x
    for peer in mosquitto redis; do
        for which in "receipt p50" "receipt p99" "delivery p50" "delivery p99"; do row "at $rate/s, $peer: $which" "$(median "$peer-paced $which")" ms; done
    done
    row "node, joined and idle: resident memory" "$idle_mib" MiB "<12"
}
resident() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }
# A joined node with its connection up; its memory when it has not grown for three seconds.
idle_node() {
    "$node" join --home "$work/idle" "$(invitations --role node)" >>"$work/join.out" 2>&1 || fail "the idle node could not join"
    start idle "$node" run --home "$work/idle"
    local pid=$pid same=0 last=0 now
    until_true 30 "the node is up" has_line "$work/idle.out"
    while [ $same -lt 3 ]; do
        sleep 1
        now=$(resident "$pid")
        if [ "$now" = "$last" ]; then same=$((same + 1)); else same=0; fi
        last=$now
    done
    idle_mib=$(awk -v kib="$last" 'BEGIN { printf "%.1f", kib / 1024 }')
    stop "$pid"
}
all_stored() { broker_status | jq -e '[.stations [].undelivered] | add == 0' >/dev/null; }

say "speed: $rounds rounds of $tips tips, $nodes nodes, ${#stations[@]} desks; in $work"
install_peers
build_peers
set_up
idle_node
for round in $(seq "$rounds"); do one_round; done
until_true 30 "every tip is stored by its desk" all_stored
each=$((tips / nodes * nodes + latency_tips / nodes * nodes))
accepted=$(broker_status | jq .accepted)
rows
row "tips of all rounds: accepted, stored by the desks" "$accepted" tips ">=$((each * rounds))"
stop "$broker_pid"
"$broker" verify --home "$work/broker" >"$work/verify.out" 2>&1 || fail "verify: $(tail -n 3 "$work/verify.out")"
cp "$work/rounds.tsv" "$build/bench/speed-rounds.tsv"
bench_table
