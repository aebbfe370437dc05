#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# An sos goes before everything else on its own lane, is repeated until somebody acknowledges it, and its sender can
# take it back.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
}

@test "it overtakes 3,000 held tips" {
    import_tips ann 3000 lost "bulk"
    local id; id=$("$NODE" sos --home "$T/ann" --at "$WEST" --json | jq -r .tip)
    start_node ann
    wait_for state_is ann "$id" accepted
    tip_status ann "$id" | jq -e '.class == "sos" and .kind == "sos"'
    start_desk desk
    wait_for state_is ann "$id" delivered
    wait_for desk_has desk 3001
    [ "$(desk_rows desk)" -eq 3001 ]
    # written last, it stands before all but what was under way already
    local place; place=$("$DESK" replay --home "$T/desk" --json | jq -r 'select (.type == "tip") | .kind' | grep -n sos | cut -d: -f1)
    echo "it is number $place of 3001"
    [ "$place" -le 600 ]
}

@test "it is sent again until it is acknowledged, and is one tip all the same" {
    start_node ann
    start_desk desk
    run "$NODE" sos --home "$T/ann" --at "$WEST" --wait delivered --timeout "$PATIENCE" --json
    [ "$status" -eq 0 ]
    local id; id=$(jq -r .tip <<<"$output")
    # a repeat within 10 s of the first: the broker sees it as a duplicate
    wait_for figure_above .duplicates 0
    [ "$(desk_rows desk)" -eq 1 ]
    "$DESK" ack --home "$T/desk" "$(incident_of ann "$id")" --as Li
    wait_for state_is ann "$id" acknowledged
    # acknowledged: nothing is left to be sent
    [ "$(sql "$T/ann/outbox.db" 'SELECT count (*) FROM tips WHERE open > 0')" -eq 0 ]
}

@test "cancelled, sent or not" {
    local id; id=$("$NODE" sos --home "$T/ann" --json | jq -r .tip)
    run --separate-stderr "$NODE" sos --home "$T/ann" --cancel --json
    [ "$status" -eq 0 ]
    jq -e --arg id "$id" '.tip == $id' <<<"$output"
    start_node ann
    wait_for state_is ann "$id" withdrawn
    id=$("$NODE" sos --home "$T/ann" --at "$WEST" --wait accepted --timeout "$PATIENCE" --json | jq -r .tip)
    "$NODE" sos --home "$T/ann" --cancel
    wait_for state_is ann "$id" withdrawn
    start_desk desk
    wait_for desk_has desk 1
    [ "$(desk_list desk --status withdrawn | jq -s length)" -eq 1 ]
    # nothing left to cancel
    run "$NODE" sos --home "$T/ann" --cancel
    [ "$status" -eq 5 ]
    one_line "$output"
}
