#!/bin/bash
# The main job with something to see: an invented county, a broker, ten desks and a coordinator, ten volunteers' nodes, all real
# processes on this machine. Some hundred tips, two nodes out of reach, the broker killed in the middle. Ends with a table.
#   tests/demo.sh BUILD        exit 0 only if no tip was lost and none was shown twice
# Everything lies in BUILD/demo; DEMO_TIPS (320) and DEMO_SEED (7) say how many tips and which; NO_COLOR is respected.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:?usage: tests/demo.sh BUILD}") || exit 1
demo=$build/demo
broker=$build/patrol-broker node=$build/patrol-node desk=$build/patrol-desk county=$build/county
stations=(chengxi liuwan liqiao mailing fengdu wuyan traffic checkpoint county district)
nodes=(01 02 03 04 05 06 07 08 09 10)
late=(09 10)                            # out of reach until the end
rounds=4
total=${DEMO_TIPS:-320}
unset PATROL_HOME
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' off=$'\e[0m' color=true
else
    bold='' dim='' red='' green='' off='' color=false
fi

say() { printf '%s\n' "$bold$*$off"; }
fail() {
    printf '%s\n' "${red}demo: $*$off" >&2
    echo "demo: what the programs said is in $demo/said" >&2
    exit 1
}

# ---- processes: everything started here is ended here, by its own id
broker_pid='' pids=() node_pid=()
cleanup() {
    trap - EXIT INT TERM
    for pid in $broker_pid "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in $broker_pid "${pids[@]}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# until_true SECONDS WHAT COMMAND...: polls; fails the demo when it does not come true in time
until_true() {
    local end=$((SECONDS + $1)) what=$2; shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "gave up waiting until $what"
        sleep 0.2
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

# ---- the parts
kill_broker() {
    kill -9 "$broker_pid" 2>/dev/null
    { wait "$broker_pid"; } 2>/dev/null
    broker_pid=
}
start_broker() {
    # what was killed lets go of its lock within a moment
    local try
    for try in $(seq 20); do
        : >"$demo/said/broker.out"
        "$broker" run --home "$demo/broker" >"$demo/said/broker.out" 2>>"$demo/said/broker.err" &
        broker_pid=$!
        for _ in $(seq 50); do
            [ ! -s "$demo/said/broker.out" ] || return 0
            kill -0 "$broker_pid" 2>/dev/null || break
            sleep 0.1
        done
        kill_broker
        sleep 0.3
    done
    fail "the broker does not start (tried $try times)"
}
start_desk() {
    : >"$demo/feed/$1.jsonl"
    "$desk" watch --home "$demo/desk/$1" --from start --json >>"$demo/feed/$1.jsonl" 2>>"$demo/said/desk-$1" &
    pids+=($!)
}
# start_node NAME [OPTION...]
start_node() {
    local name=$1; shift
    "$node" run --home "$demo/node/$name" "$@" >>"$demo/said/node-$name" 2>&1 &
    pids+=($!) node_pid[10#$name]=$!
}
stop_node() {
    kill "${node_pid[10#$1]}"
    wait "${node_pid[10#$1]}"
}
# enrol PROGRAM HOME INVITATION
enrol() { "$1" join --home "$2" "$3" >>"$demo/said/join" 2>&1 || echo "$2" >>"$demo/said/join-failed"; }
invitation() { "$broker" invite --home "$demo/broker" --json "$@" 2>>"$demo/said/invite" | jq -r .invitation; }

enrol_all() {
    local lines joins=() name
    mkdir -p "$demo/desk" "$demo/node"
    for name in "${stations[@]}"; do
        lines=$(invitation --role desk --station "$name" --name "desk $name")
        enrol "$desk" "$demo/desk/$name" "$lines" & joins+=($!)
    done
    enrol "$desk" "$demo/desk/coordinator" "$(invitation --role coordinator --name "the coordinator")" & joins+=($!)
    for name in "${nodes[@]}"; do
        lines=$(invitation --role node --name "volunteer $name" --unit "${stations[10#$name % 6]}")
        enrol "$node" "$demo/node/$name" "$lines" & joins+=($!)
    done
    wait "${joins[@]}"
    [ ! -e "$demo/said/join-failed" ] || fail "could not join: $(paste -sd' ' "$demo/said/join-failed")"
}

# write_round N: every node writes its share
write_round() {
    local name writers=()
    for name in "${nodes[@]}"; do
        "$node" import --again --home "$demo/node/$name" "$demo/tips/$name.$1" >>"$demo/said/import" 2>&1 || echo "$name.$1" >>"$demo/said/import-failed" &
        writers+=($!)
    done
    wait "${writers[@]}"
    [ ! -e "$demo/said/import-failed" ] || fail "tips were not kept: $(paste -sd' ' "$demo/said/import-failed")"
}

# one line a tip as a desk gets it; a line torn by tail is left out of the picture, never out of the counts
show_arriving() {
    mkfifo "$demo/arriving"
    tail -q -n +1 -f "$demo"/feed/*.jsonl >"$demo/arriving" 2>/dev/null &
    pids+=($!)
    jq -rR --unbuffered --argjson color $color '
        def paint(code): if $color then "\u001b[\(code)m\(.)\u001b[0m" else . end;
        def wide(n): tostring | .[0:n] + (" " * ([n - length, 0] | max));
        fromjson? | select(type == "object" and .role == "owner") |
        if .type == "tip" then
            (.at // "" | .[11:19]) + "  " + (.station // "" | wide(10) | paint("36")) + " "
            + (.severity as $s | (.kind // "") | wide(10) | paint({"red": "1;31", "yellow": "33"}[$s] // "34")) + " "
            + (if .duplicate_of then ("again " | paint("2")) else "" end) + (.text // "")
        elif .type == "status" then
            (.at // "" | .[11:19]) + "  " + (.station // "" | wide(10) | paint("36")) + " "
            + ((.status // "") + " " + (.incident // "") + " by " + (.actor // "") | paint("32"))
        else empty end' <"$demo/arriving" &
    pids+=($!)
}

# order STATION VERB INCIDENT...: again when somebody else was faster, as an officer would; what is merged meanwhile is the other's work
order() {
    local station=$1 verb=$2 incident=$3 said; shift 3
    for _ in 1 2 3 4 5; do
        said=$("$desk" "$verb" --home "$demo/desk/$station" "$incident" "$@" 2>&1)
        local status=$?
        echo "$said" >>"$demo/said/commands"
        if [ $status -eq 0 ] || [[ $said == *"is merged into"* ]]; then return 0; fi
        sleep 0.3
    done
    echo "$station $verb $incident" >>"$demo/said/commands-failed"
}
officers_work() {
    local station incidents
    for station in "${stations[@]}"; do
        mapfile -t incidents < <(jq -r 'select(.type == "tip" and .role == "owner") | .incident' "$demo/feed/$station.jsonl" | awk '!seen [$0]++' | head -3)
        [ ${#incidents[@]} -gt 0 ] || continue
        for incident in "${incidents[@]}"; do order "$station" ack "$incident" --as "Officer Lin"; done
        order "$station" dispatch "${incidents[0]}" --as "Officer Lin" --note "car 3"
        order "$station" close "${incidents[0]}" --as "Officer Zhou" --answer "Dealt with, thank you." --reason resolved
    done
    [ ! -e "$demo/said/commands-failed" ] || fail "refused: $(paste -sd, "$demo/said/commands-failed"); see $demo/said/commands"
}

# ---- counting
node_tips() { for name in "${nodes[@]}"; do "$node" status --home "$demo/node/$name" --json 2>>"$demo/said/status"; done; }
arrived() { cat "$demo"/feed/*.jsonl | jq -cR 'fromjson? | select(.type == "tip" and .role == "owner")'; }
arrived_at_least() { [ "$(arrived | jq -r .tip | sort -u | wc -l)" -ge "$1" ]; }
states_settled() {
    node_tips >"$demo/states.jsonl"
    [ "$(jq -r 'select(.state == "held" or .state == "carried" or .state == "accepted") | .tip' "$demo/states.jsonl" | wc -l)" -eq 0 ]
}

# ---- the story
for program in "$broker" "$node" "$desk" "$county"; do
    [ -x "$program" ] || fail "$program is not built; run make demo"
done
rm -rf "$demo" && mkdir -p "$demo"/{said,feed,tips} || exit 1
began=$SECONDS

say "1. An invented county: six towns, a road, two checkpoints"
"$county" make "$demo" || exit 1
"$county" tips --count "$total" --seed "${DEMO_SEED:-7}" --now now >"$demo/tips/all.jsonl" || exit 1
share=$((total / ${#nodes[@]} / rounds))
line=1
for round in $(seq $rounds); do
    for name in "${nodes[@]}"; do
        sed -n "$line,$((line + share - 1))p" "$demo/tips/all.jsonl" >"$demo/tips/$name.$round"
        line=$((line + share))
    done
done
written=$((share * rounds * ${#nodes[@]}))

say "2. One broker, ${#stations[@]} desks, a coordinator, ${#nodes[@]} nodes"
port=$(free_port)
"$broker" init "$demo/broker" --name Chengxi --areas "$demo/areas.geojson" --places "$demo/places.csv" \
    --listen "tcp://127.0.0.1:$port" >"$demo/said/init" 2>&1 || fail "init: $(tail -1 "$demo/said/init")"
start_broker
enrol_all
for name in "${stations[@]}"; do start_desk "$name"; done
for name in "${nodes[@]}"; do
    if [[ " ${late[*]} " == *" $name "* ]]; then start_node "$name" --no-broker; else start_node "$name"; fi
done
show_arriving

say "3. $((share * ${#nodes[@]})) tips; nodes ${late[*]} are out of reach and keep theirs"
near=$((${#nodes[@]} - ${#late[@]}))
write_round 1
until_true 40 "the first tips are at their stations" arrived_at_least $((share * near))
say "4. Officers acknowledge, dispatch, close"
officers_work
say "5. More tips, and the broker is killed (kill -9) while they come in"
write_round 2 &
writing=$!
until_true 20 "some of them have arrived" arrived_at_least $((share * near + 3))
kill_broker
wait $writing || exit 1
write_round 3
say "   ${dim}$((share * ${#nodes[@]})) more written while there is no broker"
start_broker
say "6. The broker is back; nodes ${late[*]} come into reach"
for name in "${late[@]}"; do stop_node "$name"; start_node "$name"; done
write_round 4
until_true 60 "all $written tips are at their stations" arrived_at_least "$written"
until_true 30 "every sender knows that the tip was delivered" states_settled

say "7. The coordinator replays what happened"
"$desk" replay --home "$demo/desk/coordinator" --speed max --as "Inspector Tang" --json >"$demo/replay.jsonl" 2>>"$demo/said/replay" ||
    fail "replay: $(tail -1 "$demo/said/replay")"
sleep 0.5
jq -r 'select(.type == "tip" or .type == "status") | "   \(.at[11:19])  \(.type) \(.incident // "") \(.station // "") \(.status // .kind // "")"' \
    "$demo/replay.jsonl" | awk '{ line [NR] = $0 } END { for (i = 1; i <= NR; i++) if (i <= 4 || i > NR - 4) print line [i]; else if (i == 5) print "   ..." }'

arrived >"$demo/arrived.jsonl"
"$county" map --incidents "$demo/arrived.jsonl" >"$demo/map.svg" || exit 1
accepted=$(jq -r 'select(.state | IN("held", "carried", "refused", "expired") | not) | .tip' "$demo/states.jsonl" | sort -u | wc -l)
distinct=$(jq -r .tip "$demo/arrived.jsonl" | sort -u | wc -l)
twice=$(jq -r .tip "$demo/arrived.jsonl" | sort | uniq -d | wc -l)
duplicates=$(jq -r 'select(.duplicate_of) | .tip' "$demo/arrived.jsonl" | wc -l)
repeats=$("$broker" status --home "$demo/broker" --json 2>>"$demo/said/status" | jq -r .duplicates)
replayed=$(jq -r 'select(.type == "tip" and .role != "copy") | .tip' "$demo/replay.jsonl" | sort -u | wc -l)
lost=$((written - distinct))

echo
say "station         delivered  acknowledged  dispatched  closed"
for name in "${stations[@]}"; do
    jq -rs --arg name "$name" '[.[] | select(.role == "owner")] as $own
        | def count(s): [$own [] | select(.type == "status" and .status == s) | .incident] | unique | length;
        [$name, ([$own [] | select(.type == "tip") | .tip] | unique | length), count("acknowledged"), count("dispatched"), count("closed")] | @tsv' \
        "$demo/feed/$name.jsonl"
done | awk -F'\t' '{ printf "%-15s %9d  %12d  %10d  %6d\n", $1, $2, $3, $4, $5; d += $2; a += $3; p += $4; c += $5 }
    END { printf "%-15s %9d  %12d  %10d  %6d\n", "all", d, a, p, c }'
echo
printf '%-48s %5d\n' "tips written" "$written" "accepted by the broker" "$accepted" "delivered to the station responsible" "$distinct" \
    "seen again in the replay" "$replayed" \
    "duplicates: sent again after the kill, dropped" "$repeats" "duplicates: further witnesses of one event" "$duplicates"
printf '%s%-48s %5d%s\n' "$([ $lost -eq 0 ] && echo "$green" || echo "$red")" "lost" $lost "$off"
printf '%s%-48s %5d%s\n' "$([ "$twice" -eq 0 ] && echo "$green" || echo "$red")" "shown twice" "$twice" "$off"
echo
echo "map with every incident: ${demo#"$PWD"/}/map.svg      $((SECONDS - began)) s"
[ $lost -eq 0 ] && [ "$twice" -eq 0 ] && [ "$accepted" -eq "$written" ] && [ "$replayed" -eq "$written" ]
