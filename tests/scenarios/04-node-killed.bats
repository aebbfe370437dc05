#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A node that is killed with a full outbox, before or in the middle of sending, loses nothing and sends nothing twice.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_desk desk
}

@test "killed with 300 held tips: all there after the restart, all delivered once" {
    start_node ann --no-broker
    import_tips ann 300 hazard "held"
    local id; id=$(tip ann --kind fire --at "$WEST" "the last one")
    kill9 ann
    state_is ann "$id" held
    [ "$(in_state ann held)" -eq 301 ]
    start_node ann
    wait_for all_in_state ann delivered 301
    [ "$(desk_rows desk)" -eq 301 ]
    verify_ok
}

@test "killed again and again while sending" {
    start_node ann --no-broker
    import_tips ann 500 hazard "held"
    stop ann
    local round
    for round in 1 2 3 4; do
        start_node ann
        wait_for figure_above .accepted $((round * 20))
        kill9 ann
    done
    start_node ann
    wait_for all_in_state ann delivered 500
    [ "$(desk_rows desk)" -eq 500 ]
    [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq 500 ]
}

@test "a command that is killed has either kept its tip or not given it a number" {
    local round pid
    # what it writes takes its time: most of these kills find it at that
    slow_disk outbox.db-wal 15000
    for round in 1 2 3 4 5 6 7 8 9; do
        "${SLOW[@]}" "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --json "one $round" >>"$T/said" 3>&- &
        pid=$!
        sleep "0.0$round"
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
    done
    wait_for home_is_free "$T/ann"
    "$NODE" status --home "$T/ann" --json >"$T/kept"
    # what was said to be held is held
    jq -rs '.[].tip' "$T/said" | while read -r id; do grep -q "$id" "$T/kept"; done
    local count; count=$(wc -l <"$T/kept")
    # numbers have no gaps
    [ "$(jq -rs '[.[].counter] | sort | join (" ")' "$T/kept")" = "$(seq -s' ' "$count")" ]
    start_node ann
    wait_for all_in_state ann delivered "$count"
    [ "$(desk_rows desk)" -eq "$count" ]
}
