#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# One process opens the files of a home: commands go through the daemon that runs, or are it for their moment; a second daemon is
# refused in one line.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
}

# the pids of who has FILE open
open_pids() { find /proc/[0-9]*/fd -lname "$1" 2>/dev/null | cut -d/ -f3 | sort -u; }

second_is_refused() {
    run --separate-stderr timeout "$PATIENCE" "$@"
    echo "$status: $stderr"
    [ "$status" -eq 1 ]
    one_line "$stderr"
    [ -z "$output" ]
}

@test "two daemons of a home: the second is refused, the first goes on" {
    start_node ann
    start_desk desk
    second_is_refused "$BROKER" run --home "$T/broker"
    second_is_refused "$NODE" run --home "$T/ann"
    second_is_refused "$DESK" run --home "$T/desk"
    alive broker
    alive ann
    alive desk
    local id; id=$(tip ann --kind hazard --at "$WEST" --wait delivered --timeout "$PATIENCE" "still fine")
    [ -n "$id" ]
}

@test "only the daemon has the files open, whatever commands run beside it" {
    start_node ann
    start_desk desk
    local id; id=$(tip ann --kind hazard --at "$WEST" --wait delivered --timeout "$PATIENCE" "one")
    spawn watch "$DESK" watch --home "$T/desk" --from start --json
    wait_for grep -q tip "$T/watch.out"
    [ "$(open_pids "$T/ann/outbox.db")" = "$(pid_of ann)" ]
    [ "$(open_pids "$T/desk/desk.db")" = "$(pid_of desk)" ]
    [ "$(open_pids "$T/broker/log.db")" = "$(broker_child core)" ]
    [ "$(open_pids "$T/broker/core.key" | wc -l)" -eq 0 ]
    # one connection to the broker however many commands run
    figure_is .sessions 2
}

@test "without a daemon a command takes the lock itself; two at once wait for each other; a watch is the daemon" {
    local pids=() i
    for i in 1 2 3 4 5 6; do
        "$NODE" tip --home "$T/ann" --kind other --at "$WEST" --json "at once $i" >"$T/said.$i" 2>&1 3>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    [ "$(jq -rs 'map (.counter) | sort | join (" ")' "$T"/said.*)" = "1 2 3 4 5 6" ]
    spawn watch "$DESK" watch --home "$T/desk" --from start --json
    wait_for listens "$T/desk"
    start_node ann
    wait_for all_in_state ann delivered 6
    wait_for six_lines
    # the other commands of that home work beside it
    [ "$(desk_list desk | wc -l)" -eq 6 ]
    "$DESK" ack --home "$T/desk" "$(desk_list desk | jq -rs '.[0].incident')" --as Li
    second_is_refused "$DESK" run --home "$T/desk"
    stop watch || true
    [ "$(desk_rows desk)" -eq 6 ]
}
six_lines() { [ "$(jq -r 'select (.type == "tip") | .tip' "$T/watch.out" | sort -u | wc -l)" -eq 6 ]; }

@test "a stale socket and lock of a killed daemon stop nobody" {
    start_node ann
    kill9 ann
    [ -S "$T/ann/local.sock" ]
    local id; id=$(tip ann --kind hazard --at "$WEST" "after the kill")
    state_is ann "$id" held
    start_node ann
    wait_for state_is ann "$id" accepted
}

@test "a port that is taken: the second broker says so in one line and ends" {
    "$BROKER" init "$T/other" --name Other --listen "tcp://127.0.0.1:$PORT" >/dev/null
    run --separate-stderr timeout "$PATIENCE" "$BROKER" run --home "$T/other"
    echo "$status: $stderr"
    [ "$status" -eq 1 ]
    one_line "$stderr"
    grep -q "$PORT" <<<"$stderr"
    broker_status | jq -e .front_connected
}
