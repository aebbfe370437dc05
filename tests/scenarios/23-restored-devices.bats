#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A desk or a node whose disk was put back to an older state gets again what it no longer has; nothing it writes then is swallowed as a repeat.
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

older() { stop "$1"; rm -rf "$T/$1"; cp -a "$T/$1.older" "$T/$1"; }

@test "a desk put back: the tips and statuses since then come again" {
    import_tips ann 10 other "before"
    wait_for all_in_state ann delivered 10
    stop desk
    cp -a "$T/desk" "$T/desk.older"
    start_desk desk
    import_tips ann 10 other "after"
    wait_for all_in_state ann delivered 20
    local incident; incident=$(desk_list desk | jq -r 'select (.text == "after 3") | .incident')
    "$DESK" ack --home "$T/desk" "$incident" --as Li
    older desk
    [ "$(desk_rows desk)" -eq 10 ]
    start_desk desk
    wait_for desk_has desk 20
    [ "$(desk_rows desk)" -eq 20 ]
    wait_for one_status
    # what it decides now is not taken for the command it gave before under the same number
    incident=$(desk_list desk | jq -r 'select (.text == "after 4") | .incident')
    "$DESK" ack --home "$T/desk" "$incident" --as Wang
    desk_list desk --status acknowledged | jq -r .text | sort | paste -sd'|' | grep -qx 'after 3|after 4'
    verify_ok
}
one_status() { [ "$(sql "$T/desk/desk.db" "SELECT count (*) FROM item WHERE type = 2")" -eq 1 ]; }

@test "a node put back: new tips under used numbers arrive, old ones are known to be accepted" {
    import_tips ann 5 other "before"
    wait_for all_in_state ann delivered 5
    stop ann
    cp -a "$T/ann" "$T/ann.older"
    start_node ann
    import_tips ann 5 other "forgotten"
    wait_for all_in_state ann delivered 10
    local incident; incident=$(desk_list desk | jq -r 'select (.text == "before 2") | .incident')
    "$DESK" ack --home "$T/desk" "$incident" --as Li
    wait_for all_in_state ann acknowledged 1
    older ann
    import_tips ann 5 other "new"
    start_node ann
    # the status of the time that was lost is told again
    wait_for all_in_state ann acknowledged 1
    wait_for all_in_state ann delivered 9
    [ "$(desk_rows desk)" -eq 15 ]
    [ "$(desk_list desk | jq -r .text | sort -u | wc -l)" -eq 15 ]
    verify_ok
}
