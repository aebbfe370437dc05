#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# What an officer decides while the broker is away is kept and sent later, by the same name; what was decided on an old
# picture is refused, saying who changed what when.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    make_desk second west
    start_node ann
    start_desk desk
    start_desk second
    ID=$(tip ann --kind hazard --at "$WEST" --wait delivered --timeout "$PATIENCE" "a hole in the road")
    INCIDENT=$(incident_of ann "$ID")
    wait_for desk_has desk 1
    wait_for desk_has second 1
}

@test "acknowledged without the broker: exit 3, kept over a restart of the desk, done once it is back" {
    stop broker
    run --separate-stderr "$DESK" ack --home "$T/desk" "$INCIDENT" --as "Li Wei" --answer "on our way" --timeout 1 --json
    echo "$output $stderr"
    [ "$status" -eq 3 ]
    jq -e '.state == "kept" or .state == "held"' <<<"$output"
    one_line "$stderr"
    # a second decision on top of the first
    run "$DESK" dispatch --home "$T/desk" "$INCIDENT" --as "Li Wei" --timeout 0
    [ "$status" -eq 3 ]
    kill9 desk
    start_desk desk
    # the local copy is shown as of the last contact
    desk_list desk | jq -es --arg incident "$INCIDENT" 'length == 1 and .[0].incident == $incident and (.[0].as_of | length > 10)'
    run "$DESK" stations --home "$T/desk" --json
    [ "$status" -ne 0 ]
    start_broker
    wait_for state_is ann "$ID" dispatched
    tip_status ann "$ID" | jq -e '.by == "Li Wei"'
    "$NODE" inbox --home "$T/ann" --json | jq -es 'map (.status) == ["acknowledged", "dispatched"] and .[0].answer == "on our way"'
    # sent again, done once
    "$DESK" show --home "$T/desk" "$INCIDENT" --json | jq -es 'map (select (.type == "status") | .version) == [2, 3]'
    verify_ok
}

@test "decided on an old picture: refused with who, what and when; the other's decision stands" {
    stop broker
    "$DESK" ack --home "$T/desk" "$INCIDENT" --as "Li Wei" --timeout 0 || [ $? -eq 3 ]
    stop desk
    start_broker
    wait_for desks_of west 1
    "$DESK" close --home "$T/second" "$INCIDENT" --as "Wang Fang"
    start_desk desk
    wait_for grep -q "Wang Fang" "$T/desk.err"
    grep -q "closed" "$T/desk.err"
    grep -qE "20[0-9][0-9]-" "$T/desk.err"
    wait_for shows_closed
    desk_list desk --status closed | jq -es '.[0].status == "closed" and .[0].version == 2'
    wait_for state_is ann "$ID" closed
    tip_status ann "$ID" | jq -e '.by == "Wang Fang"'
}
shows_closed() { desk_list desk --status closed | jq -es '.[0].status == "closed"'; }

@test "two officers at once, both connected: one is done, the other is told" {
    run "$DESK" ack --home "$T/desk" "$INCIDENT" --as "Li Wei"
    [ "$status" -eq 0 ]
    # the second desk has not looked yet: frozen while the first acted
    kill -STOP "$(pid_of second)"
    "$DESK" dispatch --home "$T/desk" "$INCIDENT" --as "Li Wei"
    kill -CONT "$(pid_of second)"
    run "$DESK" ack --home "$T/second" "$INCIDENT" --as "Wang Fang"
    echo "$output"
    [ "$status" -eq 1 ]
    one_line "$output"
    wait_for state_is ann "$ID" dispatched
    # once its picture is up to date it may act
    wait_for second_knows dispatched
    "$DESK" close --home "$T/second" "$INCIDENT" --as "Wang Fang"
    wait_for state_is ann "$ID" closed
}
second_knows() { desk_list second | jq -es --arg status "$1" '.[0].status == $status'; }
