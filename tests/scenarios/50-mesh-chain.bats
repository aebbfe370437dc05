#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A tip hops node to node to the only one that reaches the broker, and its writer learns, step by step and truthfully, how
# far it came: carried, accepted, delivered, acknowledged, with the answer of the police.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with; }

@test "six nodes in a row, of which only the last sees the broker" {
    local name id
    for name in n1 n2 n3 n4 n5 n6; do make_node $name; done
    start_mesh n6
    for name in 5 4 3 2 1; do start_mesh n$name n$((name + 1)) -- --no-broker; done
    wait_for mesh_is n1 .hops 5
    id=$(tip n1 --kind hazard --at "$WEST" "over five links")
    wait_for state_is n1 "$id" delivered
    tip_status n1 "$id" | jq -e '.hops == 5 and .station == "west" and ([.history [].state] | index ("carried"))'
    [ "$(desk_rows desk)" -eq 1 ]
    figure_is .accepted 1
    # nothing is carried any more where the word has passed
    for name in n1 n2 n3 n4 n5 n6; do wait_for carries $name 0; done
    # and back: what the officer does and says
    "$DESK" ack --home "$T/desk" "$(incident_of n1 "$id")" --as Li
    wait_for state_is n1 "$id" acknowledged
    "$DESK" close --home "$T/desk" "$(incident_of n1 "$id")" --as Li --answer "thank you, seen to"
    wait_for state_is n1 "$id" closed
    "$NODE" inbox --home "$T/n1" --json | jq -se 'map (select (.answer == "thank you, seen to")) | length == 1'
    # relays could read none of it
    for name in n2 n3 n4 n5 n6; do absent "thank you" "$T/$name"/outbox.db*; absent "five links" "$T/$name"/outbox.db*; done
}
