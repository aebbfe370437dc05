#!/usr/bin/env bats
# quick
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
    import_tips ann 20 other "before"
    wait_for all_in_state ann delivered 20
    run "$BROKER" backup --home "$T/broker" "$T/backup.db"
    [ "$status" -eq 0 ]
    import_tips ann 20 other "after"
    import_tips bob 20 other "bob's"
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

@test "the whole story of an incident after the backup comes back in its order" {
    "$BROKER" backup --home "$T/broker" "$T/backup.db"
    local told taken sos
    told=$(tip ann --kind dispute --at "$WEST" "told in full")
    taken=$(tip bob --kind hazard --at "$WEST" "taken back")
    sos=$("$NODE" sos --home "$T/ann" --at "$WEST" --wait delivered --timeout "$PATIENCE" --json | jq -r .tip)
    wait_for state_is ann "$told" delivered
    wait_for state_is bob "$taken" delivered
    local incident; incident=$(incident_of ann "$told")
    "$DESK" ack --home "$T/desk" "$incident" --as Li --note "first"
    "$DESK" dispatch --home "$T/desk" "$incident" --as Wang
    "$DESK" close --home "$T/desk" "$incident" --as Li --answer "settled"
    "$DESK" reopen --home "$T/desk" "$incident" --as Chen
    "$DESK" ack --home "$T/desk" "$(incident_of ann "$sos")" --as Li
    "$NODE" withdraw --home "$T/bob" "$taken"
    wait_for state_is bob "$taken" withdrawn
    wait_for state_is ann "$sos" acknowledged
    wait_for told_back 5
    story >"$T/before"
    kill9_broker
    rm "$T"/broker/log.db* "$T"/broker/state.db*
    "$BROKER" restore "$T/broker" "$T/backup.db"
    start_broker
    wait_for same_story
    desk_list desk | jq -es --arg incident "$incident" 'map (select (.incident == $incident)) | .[0].version == 5 and .[0].status == "open"'
    # nothing was said twice to the reporters, no state went back
    told_back 5
    state_is bob "$taken" withdrawn
    state_is ann "$sos" acknowledged
    [ "$(desk_rows desk)" -eq 3 ]
    verify_ok
}
# every status of every incident, in order, by the broker's answer
story() { "$DESK" replay --home "$T/desk" --json | jq -r 'select (.type == "tip" or .type == "status") | [.incident, .version, .type, .status, .actor, .text, .note, .answer] | @tsv' | sort; }
same_story() { story >"$T/now" && cmp "$T/before" "$T/now"; }
told_back() { [ "$("$NODE" inbox --home "$T/ann" --json | wc -l)" -eq "$1" ]; }

@test "a backup made and a verify run while tips come in: both are whole" {
    import_tips ann 1500 other "busy"
    wait_for figure_above .accepted 50
    "$BROKER" backup --home "$T/broker" "$T/backup.db"
    verify_ok
    verify_ok
    wait_for all_in_state ann delivered 1500
    kill9_broker
    rm "$T"/broker/log.db* "$T"/broker/state.db*
    "$BROKER" restore "$T/broker" "$T/backup.db"
    "$BROKER" verify --home "$T/broker" --json | jq -e '.ok and .tips >= 50'
    start_broker
    wait_for log_has 1500
    wait_for all_in_state ann delivered 1500
    [ "$(desk_rows desk)" -eq 1500 ]
    verify_ok
}

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
