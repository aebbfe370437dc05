#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Two gateways at once make one incident and one receipt; a relay that is killed loses nothing; and while the broker
# is down, nodes that meet keep what is written until it is back.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with; }

@test "two gateways, one incident" {
    local name id
    for name in sam left right; do make_node $name; done
    start_mesh left
    start_mesh right
    start_mesh sam left right -- --no-broker
    wait_for linked sam 2
    id=$("$NODE" sos --home "$T/sam" --at "$WEST" --json | jq -r .tip)
    wait_for state_is sam "$id" delivered
    wait_for figure_above .duplicates 0
    [ "$(desk_rows desk)" -eq 1 ]
    figure_is .accepted 1
    [ "$(desk_list desk | jq -s length)" -eq 1 ]
    # accepted once, in the writer's own history
    tip_status sam "$id" | jq -e '[.history [] | select (.state == "accepted")] | length == 1'
}

@test "the relay in the middle is killed again and again" {
    local name round ids
    for name in sam mid gate; do make_node $name; done
    start_mesh gate
    start_mesh mid gate -- --no-broker
    start_mesh sam mid -- --no-broker
    wait_for mesh_is sam .hops 2
    for round in 1 2 3 4; do
        import_tips sam 10 hazard "round $round"
        kill9 mid
        start_mesh mid gate -- --no-broker
    done
    wait_for all_in_state sam delivered 40
    wait_for desk_has desk 40
    [ "$(desk_rows desk)" -eq 40 ]
    figure_is .accepted 40
}

@test "the broker is away while five nodes meet; all arrives once, and all writers learn of it" {
    local name
    for name in a b c d e; do make_node $name; done
    stop broker
    start_mesh a
    start_mesh b a
    start_mesh c b
    start_mesh d c
    start_mesh e d
    for name in a b c d e; do import_tips $name 5 hazard "from $name"; done
    for name in a b c d e; do
        wait_for all_in_state $name carried 5
        all_in_state $name accepted 0
    done
    stop e
    start_broker
    for name in a b c d; do wait_for all_in_state $name delivered 5; done
    wait_for desk_has desk 25
    start_mesh e d -- --no-broker
    wait_for all_in_state e delivered 5
    [ "$(desk_rows desk)" -eq 25 ]
    figure_is .accepted 25
    verify_ok
}
