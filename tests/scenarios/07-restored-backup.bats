#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# The broker's disk is lost and a backup is restored: the nodes offer again what they sent since, everything is back
# in the log under a new incarnation, and no desk shows anything twice.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_node bob
    make_desk desk west
    start_node ann
    start_node bob
    start_desk desk
}

@test "tips and commands after the backup come back, once" {
    import_tips ann 20 hazard "before"
    wait_for all_in_state ann delivered 20
    run "$BROKER" backup --home "$T/broker" "$T/backup.db"
    [ "$status" -eq 0 ]
    import_tips ann 20 hazard "after"
    import_tips bob 20 hazard "bob's"
    wait_for all_in_state ann delivered 40
    wait_for all_in_state bob delivered 20
    local incident; incident=$(desk_list desk | jq -rs 'map (select (.text == "after 7")) | .[0].incident')
    "$DESK" ack --home "$T/desk" "$incident" --as Li
    local before; before=$(figure .incarnation)

    kill9_broker
    rm "$T"/broker/log.db* "$T"/broker/state.db*
    run "$BROKER" restore "$T/broker" "$T/backup.db"
    echo "$output"
    [ "$status" -eq 0 ]
    start_broker
    [ "$(figure .incarnation)" != "$before" ]
    wait_for log_has 60
    wait_for acknowledged "$incident"
    wait_for all_in_state bob delivered 20
    [ "$(desk_rows desk)" -eq 60 ]
    [ "$(desk_tips desk)" -eq 60 ]
    [ "$(sql "$T/desk/desk.db" 'SELECT count (*) FROM item WHERE type = 2')" -eq 1 ]
    verify_ok
    # and life goes on
    local id; id=$(tip ann --kind hazard --at "$WEST" "and on")
    wait_for state_is ann "$id" delivered
    [ "$(desk_rows desk)" -eq 61 ]
    [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq 61 ]
}
log_has() { [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq "$1" ]; }
acknowledged() { desk_list desk --status acknowledged | jq -es --arg id "$1" 'map (.incident) == [$id]'; }

@test "a member who joined after the backup is told so, nobody else is touched" {
    "$BROKER" backup --home "$T/broker" "$T/backup.db"
    make_node late
    local id; id=$(tip late --kind hazard --at "$WEST" --wait accepted --timeout "$PATIENCE" "from a late one")
    kill9_broker
    rm "$T"/broker/log.db* "$T"/broker/state.db*
    "$BROKER" restore "$T/broker" "$T/backup.db"
    start_broker
    id=$(tip ann --kind hazard --at "$WEST" "known")
    wait_for state_is ann "$id" delivered
    # the late one is unknown now: its tips stay on its disk and it says why
    start_node late
    id=$(tip late --kind hazard --at "$WEST" "unknown now")
    wait_for says_unknown late "$id"
    state_is late "$id" held
}
says_unknown() { tip_status "$1" "$2" | jq -e '.stuck | test ("know|admit|refuse"; "i")'; }
