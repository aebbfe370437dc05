#!/bin/bash
# The city simulator's second mode: real nodes, one a namespace of the network, whose links are cut and joined as a contact trace says.
#
#   tests/city/real.sh TRACE --nodes N [--tips K | --messages FILE] [--gateways G] [--speed X] [--loss PERCENT] [--rate 64kbit]
#                      [--broker-down FROM-TO] [--patience S] [--proxy [--delay MS] [--reset BYTES]]
#
# TRACE     `time_s node_a node_b up|down`, by time; links that are up at its end stay up. Nodes from 0; what is beyond N is left out
# --tips    each node writes K tips (2) and one sos at the start; --messages writes what the file says when it says
#           (`time_s id src size_bytes sos|normal life_s`)
# --gateways  nodes 0 to G - 1 (1) reach the broker, the others never do
# --speed   the trace runs X times as fast (1). The nodes' own timers do not: a contact should last some seconds after that
# --loss    of every packet between nodes, by nftables; --rate: a thin link for each node, by tc tbf
# --broker-down  the broker is killed at FROM and back at TO, in seconds of the trace
# --proxy   no namespaces, no root: all on loopback, each pair over tests/badline, which can delay, and reset a connection after so many bytes
#
# All nodes have PATROL_BUILD's programs. At the end every tip must be in the broker's log once, its writer must know, and `verify`
# must agree. Prints `figure<TAB>value` lines. Exit 0, 1 when a promise is broken, 77 with `SKIP: why` where it cannot run.
set -u
build=${PATROL_BUILD:-build}
broker=$build/patrol-broker node=$build/patrol-node desk=$build/patrol-desk badline=$build/badline
usage() { sed -n '4,5s/^# *//p' "$0" >&2; exit 2; }
fail() { echo "city: $*" >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

nodes=0 tips=2 messages='' gateways=1 speed=1 loss=0 rate='' down='' patience=60 air=netns delay=0 reset=0
trace=${1:-}; [ -r "$trace" ] || usage; shift
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || [ "$1" = --proxy ] || usage
    case $1 in
    --nodes) nodes=$2 ;; --tips) tips=$2 ;; --messages) messages=$2 ;; --gateways) gateways=$2 ;; --speed) speed=$2 ;;
    --loss) loss=$2 ;; --rate) rate=$2 ;; --broker-down) down=$2 ;; --patience) patience=$2 ;; --delay) delay=$2 ;; --reset) reset=$2 ;;
    --proxy) air=proxy; shift; continue ;;
    *) usage ;;
    esac
    shift 2
done
if [ "$nodes" -lt 2 ] || [ "$nodes" -gt 50 ] || [ "$gateways" -lt 1 ] || [ "$gateways" -gt "$nodes" ]; then usage; fi
if [ $air = proxy ]; then
    if [ "$loss" != 0 ] || [ -n "$rate" ]; then fail "loss and thin links need namespaces"; fi
    [ "$nodes" -le 30 ] || fail "at most 30 nodes with --proxy"
elif [ "$delay" != 0 ] || [ "$reset" != 0 ]; then fail "delay and reset need --proxy"; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/patrol-city-XXXXXX") || exit 1
tag=pm$$ pids=()
# stands before a command; a background job is given it as words, so that its pid is the program's
in_air=(env)
if [ $air = netns ]; then in_air=(ip netns exec "$tag-air"); fi
# shellcheck disable=SC2317  # called by the trap
clean_up() {
    local pid name
    exec 8>&- 2>/dev/null
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    for name in $(ip netns list 2>/dev/null | awk -v tag="$tag-" 'index ($1, tag) == 1 { print $1 }'); do ip netns del "$name"; done
    [ -n "${KEEP_WORK:-}" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ---- the air

# Each node has a namespace and a cable to one bridge in the namespace of the air, where nothing passes between two of them unless they are in
# touch, and nothing to the broker, who stands at the bridge itself, unless it is a gateway's.
make_air() {
    local i
    for program in ip nft tc; do command -v $program >/dev/null || skip "$program is not installed"; done
    ip netns add "$tag-air" 2>/dev/null || skip "namespaces are not allowed here"
    in_air ip link add br0 type bridge 2>/dev/null || skip "no bridge can be made here"
    in_air ip addr add 10.77.0.254/24 dev br0
    in_air ip link set br0 up
    in_air ip link set lo up
    local lose=''
    [ "$loss" = 0 ] || lose="numgen random mod 100 < $loss drop;"
    in_air nft -f - 2>"$work/nft.err" <<RULES || skip "nftables cannot filter a bridge here: $(head -n 1 "$work/nft.err")"
table bridge air {
    set touch { type ifname . ifname; }
    set uplink { type ifname; }
    chain between { type filter hook forward priority 0; policy drop; $lose iifname . oifname @touch accept; }
    chain broker { type filter hook input priority 0; policy drop; iifname @uplink accept; }
}
RULES
    for ((i = 0; i < nodes; i++)); do
        ip netns add "$tag-$i" || fail "no namespace for node $i"
        ip link add "n$i" netns "$tag-air" type veth peer name eth0 netns "$tag-$i" || fail "no cable for node $i"
        in_air ip link set "n$i" master br0 up
        ip -n "$tag-$i" addr add "10.77.0.$((i + 1))/24" broadcast + dev eth0
        ip -n "$tag-$i" link set eth0 up
        ip -n "$tag-$i" link set lo up
        if [ -n "$rate" ]; then
            ip netns exec "$tag-$i" tc qdisc add dev eth0 root tbf rate "$rate" burst 4kb latency 400ms || skip "no tbf here"
            in_air tc qdisc add dev "n$i" root tbf rate "$rate" burst 4kb latency 400ms
        fi
        if [ "$i" -lt "$gateways" ]; then in_air nft add element bridge air uplink "{ n$i }"; fi
    done
    endpoint=tcp://10.77.0.254:7410
}
in_air() { "${in_air[@]}" "$@"; }

free_port() {
    local port
    while port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)); do
        grep -qx "$port" "$work/ports" 2>/dev/null && continue
        (exec 7<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" | tee -a "$work/ports"; return; }
    done
}
# Each pair that ever meets has a line of its own: the lower number dials, the line leads to the higher one while they are in touch.
declare -A line port
make_lines() {
    local a b i
    [ -x "$badline" ] || fail "$badline is not built; run make helpers"
    for ((i = 0; i < nodes; i++)); do port[$i]=$(free_port); done
    mkfifo "$work/lines"
    "$badline" --delay "$delay" --reset "$reset" <"$work/lines" 2>"$work/badline.err" &
    pids+=($!)
    exec 8>"$work/lines"
    while read -r a b; do
        line[$a.$b]=$(free_port)
        echo "open ${line[$a.$b]} ${port[$b]}" >&8
    done < <(awk -v n="$nodes" '$4 == "up" && $2 < n && $3 < n { print $2, $3 }' "$trace" | sort -u)
    endpoint=tcp://127.0.0.1:$(free_port)
}

# contact A B up|down, from standard input: all that happens at one moment in one go
contacts() {
    local a b what verb
    if [ $air = proxy ]; then
        while read -r a b what; do echo "$what ${line[$a.$b]}" >&8; done
        return
    fi
    while read -r a b what; do
        verb=add; [ "$what" = up ] || verb=delete
        echo "$verb element bridge air touch { n$a . n$b, n$b . n$a }"
    done >"$work/nft.in"
    in_air nft -f "$work/nft.in" 2>>"$work/nft.err" || fail "a contact could not be made: $(tail -n 1 "$work/nft.err")"
}

# ---- who takes part

until_true() {
    local until=$((SECONDS + $1)) what=$2; shift 2
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $until ] || fail "not reached in time: $what"
        sleep 0.2
    done
}
start_broker() {
    : >"$work/broker.out"
    "${in_air[@]}" "$broker" run --home "$work/broker" >"$work/broker.out" 2>>"$work/broker.err" &
    broker_pid=$!
    pids+=("$broker_pid")
    until_true 30 "the broker is ready: $(tail -n 1 "$work/broker.err")" grep -q . "$work/broker.out"
}
kill_broker() {
    disown "$broker_pid"
    kill -KILL "$broker_pid"
    until_true 30 "the broker's children are gone" flock -n "$work/broker/lock" true
}
invitation() { "$broker" invite --home "$work/broker" --json "$@" | jq -r .invitation; }
make_district() {
    "$broker" init "$work/broker" --name City --listen "$endpoint" >"$work/init.out" 2>&1 || fail "init: $(tail -n 1 "$work/init.out")"
    start_broker
    in_air "$desk" join --home "$work/desk" "$(invitation --role desk --station district)" >/dev/null || fail "the desk could not join"
    in_air "$desk" join --home "$work/chief" "$(invitation --role coordinator)" >/dev/null || fail "the coordinator could not join"
    "${in_air[@]}" "$desk" run --home "$work/desk" >/dev/null 2>>"$work/desk.err" &
    pids+=($!)
}
join_nodes() {
    local i joining=()
    mapfile -t invitations < <(invitation --role node --count "$nodes")
    for ((i = 0; i < nodes; i++)); do in_air "$node" join --home "$work/$i" "${invitations[$i]}" >/dev/null & joining+=($!); done
    for i in "${joining[@]}"; do wait "$i" || fail "a node could not join"; done
}
start_node() {
    local i=$1 options=() pair prefix=(env)
    if [ $air = netns ]; then prefix=(ip netns exec "$tag-$i")
    else
        options=(--no-beacon --listen "tcp://127.0.0.1:${port[$i]}")
        for pair in "${!line[@]}"; do [ "${pair%.*}" != "$i" ] || options+=(--peer "tcp://127.0.0.1:${line[$pair]}"); done
        [ "$i" -lt "$gateways" ] || options+=(--no-broker)
    fi
    "${prefix[@]}" "$node" run --home "$work/$i" "${options[@]}" >"$work/$i.out" 2>"$work/$i.err" &
    pids+=($!)
}
write_tip() { # NODE CLASS TEXT
    if [ "$2" = sos ]; then "$node" sos --home "$work/$1" --json
    else "$node" tip --home "$work/$1" --kind hazard --json "$3"; fi | jq -r .tip >>"$work/written" || fail "node $1 does not take a tip"
}

first_tips() { # NODE
    local k
    write_tip "$1" sos ''
    for ((k = 0; k < tips; k++)); do write_tip "$1" normal "tip $k of node $1"; done
}

# ---- the run: `time what` lines, in order of time

plan() {
    local i
    awk -v n="$nodes" '!/^#/ && $2 < n && $3 < n && NF == 4 { print $1, "contact", $2, $3, $4 }' "$trace"
    [ -z "$messages" ] || awk -v n="$nodes" '!/^#/ && $3 < n { print $1, "tip", $3, $5, $2, $4 }' "$messages"
    [ -z "$down" ] || printf '%s broker down\n%s broker up\n' "${down%-*}" "${down#*-}"
}
run_plan() {
    local began time what a b c d wait
    began=$(date +%s%N)
    : >"$work/contacts"
    while read -r time what a b c d; do
        # milliseconds of our own until then
        wait=$(awk -v t="$time" -v x="$speed" -v gone="$((($(date +%s%N) - began) / 1000000))" 'BEGIN { printf "%d", t * 1000 / x - gone }')
        if [ "$wait" -gt 0 ]; then
            contacts <"$work/contacts"
            : >"$work/contacts"
            sleep "$((wait / 1000)).$(printf %03d $((wait % 1000)))"
        fi
        case $what in
        contact) echo "$a $b $c" >>"$work/contacts" ;;
        tip) write_tip "$a" "$b" "$(printf '%-*s' "$((d > 2000 ? 2000 : d))" "$c" | tr ' ' .)" ;;
        broker) if [ "$a" = down ]; then kill_broker; else start_broker; fi ;;
        esac
    done < <(plan | sort -s -n -k 1,1)
    contacts <"$work/contacts"
}

# ---- what must have come of it

learned() {
    local i
    for ((i = 0; i < nodes; i++)); do "$node" status --home "$work/$i" --json; done |
        jq -r 'select (.state | IN ("accepted", "delivered", "acknowledged", "dispatched", "closed")) | .tip' | sort -u
}
all_learned() { learned >"$work/learned"; [ -z "$(comm -23 "$work/written" "$work/learned")" ]; }
figure() { printf '%s\t%s\n' "$1" "$2"; }
judge() {
    local rc=0 until=$((SECONDS + patience))
    sort -u -o "$work/written" "$work/written"
    until all_learned || [ $SECONDS -ge $until ]; do sleep 0.5; done
    # the log itself, not what was made of it
    in_air "$desk" replay --home "$work/chief" --from 2000-01-01 --json 2>"$work/replay.err" | jq -r 'select (.type == "tip") | .tip' | sort >"$work/log"
    figure "tips written" "$(wc -l <"$work/written")"
    figure "in the log" "$(sort -u "$work/log" | comm -12 - "$work/written" | wc -l)"
    figure "in the log twice" "$(uniq -d "$work/log" | wc -l)"
    figure "known to their writers" "$(comm -12 "$work/written" "$work/learned" | wc -l)"
    figure "verify" "$("$broker" verify --home "$work/broker" --json | jq .ok)"
    [ "$(sort -u "$work/log" | comm -3 - "$work/written" | wc -l)" -eq 0 ] || { echo "city: log and tips written differ" >&2; rc=1; }
    [ -z "$(uniq -d "$work/log")" ] || { echo "city: a tip is in the log twice" >&2; rc=1; }
    [ -z "$(comm -23 "$work/written" "$work/learned")" ] || { echo "city: writers that do not know within $patience s" >&2; rc=1; }
    "$broker" verify --home "$work/broker" --json | jq -e .ok >/dev/null || { echo "city: verify finds fault" >&2; rc=1; }
    ! grep -l 'AddressSanitizer\|LeakSanitizer\|runtime error:' "$work"/*.err || rc=1
    return $rc
}

if [ $air = netns ]; then make_air; else make_lines; fi
make_district
: >"$work/written"
join_nodes
for ((i = 0; i < nodes; i++)); do start_node "$i"; done
for ((i = 0; i < nodes; i++)); do until_true 30 "node $i is ready" grep -q . "$work/$i.out"; done
if [ -z "$messages" ]; then
    writing=()
    for ((i = 0; i < nodes; i++)); do first_tips "$i" & writing+=($!); done
    for i in "${writing[@]}"; do wait "$i" || fail "a node does not take a tip"; done
fi
run_plan
judge
