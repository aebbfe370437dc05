#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# An enrolled relay that swaps envelopes, replays receipts, says that the broker has what it has not, hides how old a copy is, or takes
# part in a transfer and goes silent, is counted under its key; honest tips arrive over others, and budgets hold.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with sam eve gate; }

@test "a swapped envelope is not taken" {
    start_mesh sam -- --no-broker
    foe swapped sam
    wait_for offended sam unasked_tip
    # the one it sent in place of others may have been asked for, too; nothing is there twice
    [ "$(sql "$T/sam/outbox.db" 'SELECT count (*) FROM mesh_sealed')" -le 1 ]
    still_arrives sam
    within_budget sam
}

@test "a forged receipt for one tip deletes nothing" {
    local id
    start_mesh sam -- --no-broker
    foe forged-single sam
    wait_for linked sam 1
    id=$(tip sam --kind hazard --at "$WEST" "must stay")
    wait_for grep -q swallowed "$T/foe.out"
    wait_for offended sam forged_epoch
    mesh_is sam .carried.own 1
    [[ $(state_of sam "$id") =~ ^(held|carried)$ ]]
    start_mesh gate sam
    wait_for state_is sam "$id" delivered
    still_arrives sam
}

@test "true receipts that are shown again and again change nothing" {
    local id epochs
    start_mesh gate
    start_mesh sam gate -- --no-broker
    id=$(tip sam --kind hazard --at "$WEST" "gives an epoch")
    wait_for state_is sam "$id" delivered
    # what the broker has signed is shown to who comes
    wait_for mesh_is gate '.receipts.epochs > 0' true
    stop sam
    start_mesh sam gate -- --no-broker
    wait_for mesh_is sam '.receipts.epochs > 0' true
    epochs=$(mesh_of sam | jq -c .receipts)
    foe replayed-epoch sam
    wait_for offended sam replayed_epoch
    # the link ends when it goes on
    wait_for mesh_is sam '.refused.banned // 0 | . > 0' true
    [ "$(mesh_of sam | jq -c .receipts)" = "$epochs" ]
    still_arrives sam
}

@test "copies that are said to be new for ever fill no more than a share, and the broker's word ends them" {
    # sealed five days ago to live an hour, and offered as written just now
    start_mesh sam -- --no-broker
    foe old sam
    wait_for mesh_is sam '.carried.normal >= 50' true
    within_budget sam
    import_tips sam 20 other "my own"
    still_arrives sam
    wait_for all_in_state sam delivered 21
    wait_for figure_is .accepted 71
    # as soon as the broker's signed word comes by, they are gone, whatever their age is said to be
    wait_for mesh_is gate '.receipts.epochs > 0' true
    stop sam
    start_mesh sam gate -- --no-broker
    wait_for carries sam 0
}

@test "a relay that stalls what it was given is counted, and the tip goes another way" {
    local id
    PATIENCE=90
    make_node ann
    start_mesh ann -- --no-broker
    start_mesh sam -- --no-broker
    foe stall ann sam
    wait_for linked sam 1
    id=$(tip ann --kind hazard --at "$WEST" "through a staller")
    # it took it, says to sam that it has it, is asked for it, and sends nothing
    wait_for state_is ann "$id" carried
    wait_for offended sam stalled
    state_is ann "$id" carried
    carries sam 0
    # the same tip and its own ones, over who is honest
    kill9 ann
    start_mesh ann sam -- --no-broker
    start_mesh gate sam
    wait_for state_is ann "$id" delivered
    [ "$(desk_rows desk)" -eq 1 ]
    still_arrives sam
}
