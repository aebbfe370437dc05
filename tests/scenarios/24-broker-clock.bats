#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# The broker's clock jumps an hour ahead and back again: times in the log never decrease, tips go in all the time, nothing is lost.
bats_require_minimum_version 1.5.0
load helpers

@test "an hour ahead and back" {
    clock_off +1h
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    make_coordinator chief
    start_node ann
    start_desk desk
    local id; id=$(tip ann --kind hazard --at "$WEST" "at the right time")
    wait_for state_is ann "$id" delivered
    stop broker
    start_broker "${FAKE[@]}"
    id=$(tip ann --kind hazard --at "$WEST" "an hour ahead")
    wait_for state_is ann "$id" delivered
    stop broker
    start_broker
    id=$(tip ann --kind hazard --at "$WEST" "back again")
    wait_for state_is ann "$id" delivered
    "$DESK" ack --home "$T/desk" "$(incident_of ann "$id")" --as Li
    wait_for state_is ann "$id" acknowledged
    "$DESK" replay --home "$T/chief" --json >"$T/replay"
    jq -r .at "$T/replay" | sort -c
    [ "$(jq -r 'select (.type == "tip") | .text' "$T/replay" | paste -sd'|')" = "at the right time|an hour ahead|back again" ]
    [ "$(desk_rows desk)" -eq 3 ]
    verify_ok
}
