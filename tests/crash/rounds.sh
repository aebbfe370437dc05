#!/bin/bash
# shellcheck disable=SC2119
# Kill rounds under load: four nodes write, two desks read and acknowledge, and each round kills -9 one of supervisor, core, front, a node's
# daemon and a desk's daemon at a random moment, or several at once, or the broker again while it starts, or loses a receipt, or sends one
# envelope thousands of times.
#   PATROL_BUILD=FOLDER tests/crash/rounds.sh ROUNDS [SEED]
# At the end nothing may be lost and nothing be there twice (check.sh says what that means), log and state must agree; and the
# check itself must notice one record that is taken out of a copy of the log. Exit 1 otherwise; the folder is kept then.
set -u
cd "$(dirname "$0")/../.." || exit 2
rounds=${1:?usage: tests/crash/rounds.sh ROUNDS [SEED]}
seed=${2:-$((RANDOM * 32768 + RANDOM))}
PATROL_BUILD=$(realpath "${PATROL_BUILD:-build}") || exit 2
BATS_TEST_TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/patrol-rounds.XXXXXX") || exit 2
# shellcheck source=tests/scenarios/helpers.bash
source tests/scenarios/helpers.bash
R=$T/result NODES=(ann bob eve joe) DESKS=(west east)
mkdir "$R"
RANDOM=$((seed % 32768))

# Every write to a store takes milliseconds longer, most of all to the log, so that a kill finds one under way nearly always.
slow_disk .db-wal 2000
PREFIX=("${SLOW[@]}")
slow_disk log.db-wal 10000

fail() { echo "rounds: $*; seed $seed, everything is in $T"; BATS_TEST_COMPLETED='' teardown; trap - EXIT; exit 1; }
trap 'touch "$T/over"; end_all; rmdir "${TMPDIR:-/tmp}/patrol-port-${PORT:-0}" 2>/dev/null; rm -rf "$T"' EXIT
trap 'exit 1' INT TERM

# ---- the load

# One node's reporter: single tips and small batches, to either station, until the end; what it is told is written down.
reporter() {
    local name=$1 count=0 at kind
    while [ ! -e "$T/over" ]; do
        count=$((count + 1))
        at=$([ $((count % 3)) -eq 0 ] && echo "$EAST" || echo "$WEST")
        # hazards of one spot become one incident, others stay apart
        kind=other
        [ $((count % 2)) -eq 0 ] || kind=hazard
        "$NODE" tip --home "$T/$name" --kind $kind --at "$at" --json "$name $count" 2>/dev/null | jq -r .tip >>"$R/said.$name"
        if [ $((count % 4)) -eq 0 ]; then
            for i in 1 2 3 4 5 6 7 8; do echo "{\"kind\":\"lost\",\"at\":\"$at\",\"text\":\"$name $count batch $i\"}"; done >"$T/batch.$name"
            "$NODE" import --home "$T/$name" "$T/batch.$name" >/dev/null 2>&1
        fi
        sleep 0.05
    done
}

# One desk's officer: acknowledges the oldest open incidents, one after the other.
officer() {
    local name=$1 incident status
    while [ ! -e "$T/over" ]; do
        incident=$(desk_list "$name" --status open --as "Li $name" 2>/dev/null | jq -r .incident | head -n 1)
        [ -n "$incident" ] && status=$("$DESK" ack --home "$T/$name" "$incident" --as "Li $name" --timeout 3 --json 2>/dev/null | jq -r 'select (.state == "done") | .status') \
            && [ -n "$status" ] && printf '%s\t%s\t%s\n' "$incident" "$status" "Li $name" >>"$R/acts.tsv"
        sleep 0.1
    done
}

# What the nodes know now, added to what they were ever told.
look() {
    local name
    for name in "${NODES[@]}"; do
        "$NODE" status --home "$T/$name" --json 2>/dev/null >"$T/look.$name" || continue
        jq -r 'select (.state != "held" and .state != "refused") | .tip' "$T/look.$name" >>"$R/accepted"
        jq -r 'select (.state == "delivered" or .state == "acknowledged") | .tip' "$T/look.$name" >>"$R/delivered"
    done
}

# ---- the rounds

moment() { sleep "0.$((RANDOM % 4))$((RANDOM % 10))"; }
accepted_now() { sql "$T/broker/log.db" "SELECT coalesce (max (seq), 0) FROM record"; }
grown() { [ "$(accepted_now)" -gt "$1" ]; }
back() { local pid; pid=$(broker_child "$1") && [ "$pid" != "$2" ]; }

kill_child() {
    local pid; pid=$(broker_child "$1") || return 0
    kill -9 "$pid"
    wait_for back "$1" "$pid"
}

one_round() {
    local what=$1 name=${NODES[$((RANDOM % 4))]} desk=${DESKS[$((RANDOM % 2))]} before
    moment
    case $what in
    supervisor) kill9_broker && start_broker "${SLOW[@]}" ;;
    twice)                                      # and once more while it starts, at whatever it was doing
        kill9_broker && spawn broker "${SLOW[@]}" "$BROKER" run --home "$T/broker" && moment && kill9_broker && start_broker "${SLOW[@]}" ;;
    power)                                      # everything of one place at once
        disown "$(pid_of broker)" "$(pid_of "$name")" "$(pid_of "$desk")"
        kill -9 "$(pid_of broker)" "$(pid_of "$name")" "$(pid_of "$desk")"
        kill9_broker && kill9 "$name" && kill9 "$desk" && start_desk "$desk" && start_node "$name" && start_broker "${SLOW[@]}" ;;
    core | front) kill_child "$what" ;;
    node) kill9 "$name" && start_node "$name" ;;
    desk) kill9 "$desk" && start_desk "$desk" ;;
    receipt)                                    # killed when the tip is on its way: the receipt finds nobody
        tip "$name" --kind fire --at "$WEST" "receipt lost" >>"$R/said.$name"
        kill9 "$name" && start_node "$name" ;;
    resend)                                     # the same envelope thousands of times: one tip
        HOSTILE_COUNTER=$resent "$PATROL_BUILD/hostile" "$T/twice" bulk-flood >"$T/resend" 2>&1
        resent=$((resent + 1)) ;;
    burst)                                      # and the core is killed among them: one tip, or none
        HOSTILE_COUNTER=$resent "$PATROL_BUILD/hostile" "$T/twice" bulk-flood >"$T/resend" 2>&1 &
        local burst=$!
        kill_child core
        wait $burst
        resent=$((resent + 1)) bursts=$((bursts + 1)) ;;
    esac || return 1
    before=$(accepted_now)
    wait_for grown "$before"
}

printf 'crash rounds: %d, seed %d\n' "$rounds" "$seed"
{ make_broker && start_broker "${SLOW[@]}"; } || fail "the broker does not start"
for name in "${NODES[@]}" twice; do make_node "$name" || fail "$name cannot join"; done
for name in "${DESKS[@]}"; do make_desk "$name" "$name" || fail "$name cannot join"; done
make_coordinator chief || fail "the coordinator cannot join"
: >"$R/acts.tsv"
for name in "${NODES[@]}"; do : >"$R/said.$name"; start_node "$name" || fail "$name does not start"; done
for name in "${DESKS[@]}"; do start_desk "$name" || fail "$name does not start"; done
for name in "${NODES[@]}"; do reporter "$name" & echo $! >"$T/reporter-$name.pid"; done
for name in "${DESKS[@]}"; do officer "$name" & echo $! >"$T/officer-$name.pid"; done

kinds=(supervisor core front node desk receipt twice resend power node burst desk)
resent=0 bursts=0
for round in $(seq "$rounds"); do
    what=${kinds[$(((round - 1) % ${#kinds[@]}))]}
    one_round "$what" || fail "round $round ($what): nothing goes in any more"
    look
    [ $((round % 10)) -ne 0 ] || printf '  %d rounds, %d records in the log\n' "$round" "$(accepted_now)"
done

# ---- the end: everything that was written arrives

touch "$T/over"
for name in "${NODES[@]}"; do wait_for dead "reporter-$name"; rm -f "$T/reporter-$name.pid"; done
for name in "${DESKS[@]}"; do wait_for dead "officer-$name"; rm -f "$T/officer-$name.pid"; done
settled() { "$NODE" status --home "$T/$1" --json | jq -es 'all (.[]; .state == "delivered" or .state == "acknowledged")'; }
until=$((SECONDS + 90))
for name in "${NODES[@]}"; do PATIENCE=$((until - SECONDS)); wait_for settled "$name" || { "$NODE" status --home "$T/$name" | grep -v delivered | head; }; done
look

gather() {
    "$DESK" replay --home "$T/chief" --as Check --json >"$T/replay" || fail "the coordinator cannot replay"
    # the tips of `resend` are nobody's who is asked at the end
    jq -r 'select (.type == "tip" and .text != "a tip") | [.tip, .station] | @tsv' "$T/replay" >"$R/log.tsv"
    jq -r 'select (.type == "tip" and .text == "a tip") | .tip' "$T/replay" | sort >"$R/resent"
    jq -r 'select (.type == "status") | [.incident, .status, .actor] | @tsv' "$T/replay" >"$R/log-acts.tsv"
}
cat "$R"/said.* | grep . >"$R/said"
: >"$R/final.tsv"
: >"$R/was.tsv"
for name in "${NODES[@]}"; do
    "$NODE" status --home "$T/$name" --json >"$T/look"
    jq -r '[.tip, .state, .station] | @tsv' "$T/look" >>"$R/final.tsv"
    jq -r 'select (.was) | [.was, .tip] | @tsv' "$T/look" >>"$R/was.tsv"
done
for name in "${DESKS[@]}"; do
    "$DESK" watch --home "$T/$name" --from start --count "$(sql "$T/$name/desk.db" 'SELECT count (*) FROM item')" --json \
        | jq -r 'select (.type == "tip" and .text != "a tip") | .tip' >"$R/desk.$name"
done
gather
status=0
tests/crash/check.sh "$R" || status=1
printf '  %-66s %7d' "envelopes sent thousands of times, each in the log once" "$(wc -l <"$R/resent")"
if [ -z "$(uniq -d "$R/resent")" ] && [ "$(wc -l <"$R/resent")" -le $resent ] && [ "$(wc -l <"$R/resent")" -ge $((resent - bursts)) ]; then echo "      ok"
else echo "   WRONG, of $resent"; status=1; fi
"$BROKER" verify --home "$T/broker" || status=1
[ $status -eq 0 ] || fail "something was lost or is there twice"

# ---- the control: a log with one accepted record less must not pass

for name in "${NODES[@]}" "${DESKS[@]}" broker; do stop "$name" || fail "$name did not end cleanly"; done
# one that no other record is about: a log without the tip that an incident began with cannot be made into a state again
victim=$(jq -r 'select (.type == "tip" and .kind == "other") | .position' "$T/replay" | sed -n 's/.*-//; 7p')
sqlite3 "$T/broker/log.db" "DELETE FROM record WHERE seq = $victim"
rm -f "$T"/broker/state.db*
start_broker "${SLOW[@]}" || fail "the broker does not start on the control's log"
gather
if tests/crash/check.sh "$R" >"$T/control"; then fail "the check does not notice a record that is gone"; fi
[ "$(wc -l <"$R/bad.lost")" -eq 1 ] || fail "the check does not name the one record that is gone"
echo "  control: one record taken out of the log, and the check names it"
stop broker
no_sanitizer_report || fail "a sanitizer has something to say"
echo "crash rounds: $rounds, nothing lost, nothing twice"
