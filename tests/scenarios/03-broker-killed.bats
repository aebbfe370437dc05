#!/usr/bin/env bats
# quick
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# The broker is killed in the middle of the work and started again: no accepted tip is lost, none is there twice, log
# and state agree. The same when only one of its two processes is killed: the other brings it back.
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

# the log against the node and the desk
all_is_well() {
    local count=$1
    wait_for all_in_state ann delivered "$count"
    desk_has desk "$count"
    [ "$(desk_rows desk)" -eq "$count" ]
    verify_ok
    [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq "$count" ]
}

@test "kill -9 of the whole broker while 400 tips go in" {
    import_tips ann 400 hazard "busy"
    wait_for figure_above .accepted 0
    kill9_broker
    start_broker
    all_is_well 400
}

@test "kill -9 of the core: receipts only for what is on disk, front and sockets stay" {
    import_tips ann 400 hazard "busy"
    wait_for figure_above .accepted 0
    local core; core=$(broker_child core)
    local front; front=$(broker_child front)
    kill -9 "$core"
    all_is_well 400
    [ "$(broker_child core)" != "$core" ]
    [ "$(broker_child front)" = "$front" ]
}

@test "kill -9 of the front: back by itself, the core and what it knows stay" {
    import_tips ann 400 hazard "busy"
    wait_for figure_above .accepted 0
    local core; core=$(broker_child core)
    kill -9 "$(broker_child front)"
    all_is_well 400
    [ "$(broker_child core)" = "$core" ]
}

@test "the state is only a projection: deleted, it is made again from the log" {
    import_tips ann 50 hazard "kept"
    wait_for all_in_state ann delivered 50
    local incident; incident=$(desk_list desk | jq -rs '.[0].incident')
    "$DESK" ack --home "$T/desk" "$incident" --as Li
    local before; before=$(desk_list desk | jq -cS 'del (.as_of)' | sort)
    stop broker
    rm "$T"/broker/state.db*
    start_broker
    verify_ok
    wait_for desks_of west 1
    [ "$(desk_list desk | jq -cS 'del (.as_of)' | sort)" = "$before" ]
    # feeds and cursors went on where they were: nothing is shown twice
    local id; id=$(tip ann --kind hazard --at "$WEST" "after")
    wait_for state_is ann "$id" delivered
    [ "$(desk_rows desk)" -eq 51 ]
}
