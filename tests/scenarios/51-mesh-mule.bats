#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A node that meets the writer at one time and the broker at another brings the tip there and the word back; both ends
# say what is true at each step, and killing the carrier or the writer in between loses and doubles nothing.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with sam mule; }

meet() { start_mesh mule sam -- --no-broker; }
# carried_by_mule TEXT: sam has written it, id, and the mule has a copy
carried_by_mule() {
    start_mesh sam -- --no-broker
    id=$(tip sam --kind hazard --at "$WEST" "$1")
    meet
    wait_for state_is sam "$id" carried
}

@test "there and back on one carrier, which is killed at each end" {
    local id sos
    start_mesh sam -- --no-broker
    id=$(tip sam --kind hazard --at "$WEST" "by mule")
    sos=$("$NODE" sos --home "$T/sam" --at "$WEST" --json | jq -r .tip)
    state_is sam "$id" held
    meet
    wait_for state_is sam "$id" carried
    wait_for state_is sam "$sos" carried
    tip_status sam "$id" | jq -e '.carriers == 1 and (has ("hops") | not)'
    # what is told to be carried is on the carrier's disk
    kill9 mule
    [ "$(sql "$T/mule/outbox.db" 'SELECT count (*) FROM mesh_sealed')" -eq 2 ]
    figure_is .accepted 0
    start_mesh mule
    wait_for figure_is .accepted 2
    wait_for desk_has desk 2
    # the writer cannot know yet, and does not say so
    state_is sam "$id" carried
    # the word must be on the carrier's disk, too
    wait_for mesh_is mule .letters 1
    kill9 mule
    kill9 sam
    start_mesh sam -- --no-broker
    state_is sam "$id" carried
    meet
    wait_for state_is sam "$id" delivered
    wait_for state_is sam "$sos" delivered
    tip_status sam "$id" | jq -e '.hops == 1 and .station == "west"'
    [ "$(desk_rows desk)" -eq 2 ]
    figure_is .accepted 2
    # at the next gateway the last copy goes, and nothing is there twice
    kill9 mule
    start_mesh mule
    wait_for mesh_is mule .gateway true
    wait_for mesh_is mule .waiting_for_broker 0
    wait_for carries mule 0
    [ "$(desk_rows desk)" -eq 2 ]
    figure_is .accepted 2
    # the writer heard of its acceptance from a word without a time, and of its delivery late: the history has the broker's times
    "$DESK" ack --home "$T/desk" "$(desk_list desk | jq -r 'select (.text == "by mule") | .incident')" --as Li >/dev/null
    stop mule
    start_mesh mule sam
    wait_for state_is sam "$id" acknowledged
    "$NODE" status --home "$T/sam" "$id" --json >"$T/told"
    jq -er '.history [].at' "$T/told" >"$T/times"
    times_in_order <"$T/times"
}

@test "the writer comes to a link of its own before the carrier does: one incident, one receipt" {
    local id
    carried_by_mule "twice on its way"
    stop sam
    stop mule
    start_mesh sam
    wait_for state_is sam "$id" delivered
    start_mesh mule
    wait_for figure_above .duplicates 0
    wait_for carries mule 0
    [ "$(desk_rows desk)" -eq 1 ]
    figure_is .accepted 1
}

@test "withdrawn where there is no link" {
    local id
    start_mesh sam -- --no-broker
    start_mesh mule sam
    wait_for mesh_is sam .hops 1
    id=$(tip sam --kind hazard --at "$WEST" "a mistake")
    wait_for state_is sam "$id" delivered
    "$NODE" withdraw --home "$T/sam" "$id" >/dev/null
    wait_for state_is sam "$id" withdrawn
    [ "$(desk_list desk --status withdrawn | jq -s length)" -eq 1 ]
}

@test "receipts too old to name a living tip are forgotten at the start" {
    clock_off +75h
    local id
    carried_by_mule "by mule"
    stop mule
    start_mesh mule
    wait_for mesh_is mule .receipts.epochs 1
    stop mule
    start_mesh mule -- --no-broker
    mesh_is mule .receipts.epochs 1
    stop mule
    PREFIX=("${FAKE[@]}")
    start_mesh mule -- --no-broker
    PREFIX=()
    mesh_is mule .receipts.epochs 0
    stop mule
    [ "$(sql "$T/mule/outbox.db" 'SELECT count (*) FROM mesh_epochs')" -eq 0 ]
}
