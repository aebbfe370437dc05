#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A tip may follow an earlier one of the same node: it joins its incident. A tip may be withdrawn by its sender; the desk sees it.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_node ann
    start_desk desk
}

@test "--follows: one incident, two tips, the second at its own place" {
    local first second
    first=$(tip ann --kind crime --at "$WEST" "a man breaks a car window")
    second=$(tip ann --kind crime --at "$EAST" --follows "$first" "he runs over the bridge")
    wait_for state_is ann "$second" delivered
    wait_for state_is ann "$first" delivered
    [ "$(incident_of ann "$first")" = "$(incident_of ann "$second")" ]
    desk_list desk | jq -es 'length == 1 and .[0].version == 2 and .[0].station == "west"'
    "$DESK" show --home "$T/desk" "$(incident_of ann "$first")" --json | jq -es 'map (select (.type == "tip") | .text) == ["a man breaks a car window", "he runs over the bridge"]'
    # what is done about the incident reaches both tips
    "$DESK" ack --home "$T/desk" "$(incident_of ann "$first")" --as Li
    wait_for state_is ann "$first" acknowledged
    wait_for state_is ann "$second" acknowledged
}

@test "--follows of a tip that is not this node's is refused with one line, exit 5" {
    run "$NODE" tip --home "$T/ann" --kind crime --at "$WEST" --follows 032TNG2NHRCQP "text"
    [ "$status" -eq 5 ]
    one_line "$output"
    [[ "$output" == *032TNG2NHRCQP* ]]
    [ -z "$("$NODE" status --home "$T/ann" --json)" ]
}

@test "withdrawn before it was sent, and after it was delivered" {
    stop ann
    local held sent
    held=$(tip ann --kind hazard --at "$WEST" "never mind")
    run --separate-stderr "$NODE" withdraw --home "$T/ann" "$held" --json
    [ "$status" -eq 0 ]
    jq -e --arg id "$held" '.tip == $id' <<<"$output"
    start_node ann
    wait_for state_is ann "$held" withdrawn
    sent=$(tip ann --kind hazard --at "$WEST" "a mistake")
    wait_for state_is ann "$sent" delivered
    "$NODE" withdraw --home "$T/ann" "$sent"
    wait_for state_is ann "$sent" withdrawn
    wait_for withdrawn_at_desk 2
    # withdrawn again: nothing to do, said in one line
    run "$NODE" withdraw --home "$T/ann" "$sent"
    [ "$status" -ne 0 ]
    one_line "$output"
    run "$NODE" withdraw --home "$T/ann" nonsense
    [ "$status" -eq 5 ]
    one_line "$output"
}
withdrawn_at_desk() { [ "$(desk_list desk --status withdrawn | jq -s length)" -eq "$1" ]; }

@test "a closed incident stays closed when its tip is withdrawn" {
    local id; id=$(tip ann --kind hazard --at "$WEST" "done already")
    wait_for state_is ann "$id" delivered
    "$DESK" close --home "$T/desk" "$(incident_of ann "$id")" --as Li --answer "done"
    wait_for state_is ann "$id" closed
    run "$NODE" withdraw --home "$T/ann" "$id"
    desk_list desk --status closed | jq -es 'length == 1'
}
