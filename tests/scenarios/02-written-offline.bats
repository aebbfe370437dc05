#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# What is written while no broker can be reached is held on the node's disk and said to be held; it arrives once,
# in order, when the broker is there. Waiting for a state ends in time with exit 3 and keeps the tip.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_desk desk
    wait_for desks_of west 1
    stop broker
}

@test "held without a daemon and without a broker, delivered once later, in order" {
    local first second
    first=$(tip ann --kind hazard --at "$WEST" "first")
    state_is ann "$first" held
    start_node ann
    second=$(tip ann --kind hazard --at "$WEST" "second")
    state_is ann "$second" held
    # why it is stuck is said
    tip_status ann "$second" | jq -e '.stuck | length > 10'
    start_broker
    wait_for state_is ann "$first" delivered
    wait_for state_is ann "$second" delivered
    [ "$(desk_rows desk)" -eq 2 ]
    [ "$("$DESK" watch --home "$T/desk" --from start --count 2 --json | jq -rs 'map (.text) | join (" ")')" = "first second" ]
    figure_is .accepted 2
}

@test "--wait accepted ends with exit 3 when the time is over, and the tip is kept" {
    start_node ann
    run --separate-stderr "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --wait accepted --timeout 1 --json "no broker"
    [ "$status" -eq 3 ]
    one_line "$output"
    one_line "$stderr"
    jq -e '.state == "held"' <<<"$output"
    local id; id=$(jq -r .tip <<<"$output")
    start_broker
    wait_for state_is ann "$id" delivered
    [ "$(desk_rows desk)" -eq 1 ]
}

@test "--wait accepted is over as soon as the broker has it, and a one-shot command sends by itself" {
    start_broker
    run --separate-stderr "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --wait accepted --timeout "$PATIENCE" --json "by itself"
    [ "$status" -eq 0 ]
    jq -e '.state == "accepted" or .state == "delivered"' <<<"$output"
    run "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --wait delivered --timeout "$PATIENCE" "and again"
    [ "$status" -eq 0 ]
    wait_for desk_has desk 2
    [ "$(desk_rows desk)" -eq 2 ]
}

@test "accepted says so when no desk of the station is there" {
    start_broker
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$EAST" "nobody watches the east")
    wait_for state_is ann "$id" accepted
    tip_status ann "$id" | jq -e '.station == "east" and (.no_desk_since | length > 10) and (.stuck | test ("east"))'
}
