#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A desk sees its own station's incidents and no others, on every path: watch, list, show, replay, stations, acting. A coordinator
# sees all. A node asks nothing.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk west west
    make_desk east east
    make_coordinator chief
    start_node ann
    start_desk west
    start_desk east
    start_desk chief
    W=$(tip ann --kind hazard --at "$WEST" "of the west")
    E=$(tip ann --kind hazard --at "$EAST" "of the east")
    wait_for state_is ann "$W" delivered
    wait_for state_is ann "$E" delivered
    IW=$(incident_of ann "$W") IE=$(incident_of ann "$E")
}

# every text that COMMAND prints
texts() { "$@" | jq -r '.text // empty' | sort | paste -sd'|'; }

@test "watch, list, show, replay and stations of one desk tell nothing of the other" {
    [ "$(texts "$DESK" watch --home "$T/west" --from start --count 1 --json)" = "of the west" ]
    [ "$(texts "$DESK" watch --home "$T/east" --from start --count 1 --json)" = "of the east" ]
    [ "$(desk_rows west)" -eq 1 ]
    [ "$(desk_rows east)" -eq 1 ]
    [ "$(texts desk_list west)" = "of the west" ]
    [ "$(texts desk_list west --station east)" = "" ]
    [ "$(texts desk_list west --station west)" = "of the west" ]
    [ "$(texts "$DESK" replay --home "$T/west" --json)" = "of the west" ]
    [ "$(texts "$DESK" replay --home "$T/west" --station east --json)" = "" ]
    [ "$(texts "$DESK" replay --home "$T/west" --box 33,109,34,110 --json)" = "of the west" ]
    [ "$("$DESK" stations --home "$T/west" --json | jq -r .station)" = west ]
    # not even in what lies on its disk
    absent "of the east" "$T"/west/desk.db*
}

@test "show and every command on another station's incident: refused as not known, nothing changes" {
    run "$DESK" show --home "$T/west" "$IE" --json
    [ "$status" -eq 4 ] || [ "$status" -eq 5 ]
    absent "of the east" - <<<"$output"
    local verb
    for verb in ack dispatch close reopen; do
        run "$DESK" $verb --home "$T/west" "$IE" --as Mallory
        echo "$verb: $status $output"
        [ "$status" -eq 4 ] || [ "$status" -eq 5 ]
        one_line "$output"
    done
    run "$DESK" place --home "$T/west" "$IE" --at "$WEST" --as Mallory
    [ "$status" -eq 4 ] || [ "$status" -eq 5 ]
    state_is ann "$E" delivered
    desk_list east | jq -es 'length == 1 and .[0].version == 1'
    # an incident that does not exist gives the same answer: no oracle
    run "$DESK" show --home "$T/west" "$IE"
    local known=$status said=${output//$IE/ID}
    run "$DESK" show --home "$T/west" 0000000000011
    [ "$status" -eq "$known" ]
    [ "${output//0000000000011/ID}" = "$said" ]
}

@test "the coordinator sees all and may act on all" {
    [ "$(texts desk_list chief)" = "of the east|of the west" ]
    [ "$(texts desk_list chief --station east)" = "of the east" ]
    [[ "$("$DESK" replay --home "$T/chief" --json | jq -r 'select (.type == "tip") | .text' | sort | paste -sd'|')" = "of the east|of the west" ]]
    [ "$("$DESK" stations --home "$T/chief" --json | jq -r .station | sort | paste -sd' ')" = "district east west" ]
    "$DESK" show --home "$T/chief" "$IE" --json | jq -es '.[0].text == "of the east"'
    wait_for desk_has chief 2
    run "$DESK" ack --home "$T/chief" "$IE" --as Chief
    [ "$status" -eq 0 ]
    wait_for state_is ann "$E" acknowledged
    # who did it is shown to the station
    wait_for acknowledged_by_chief
}

acknowledged_by_chief() { "$DESK" show --home "$T/east" "$IE" --json | jq -es 'map (select (.type == "status") | .actor) == ["Chief"]'; }

@test "the pseudonym of a reporter is the same for one desk and different for another" {
    local w2; w2=$(tip ann --kind hazard --at "$WEST" "again west")
    wait_for state_is ann "$w2" delivered
    [ "$(desk_list west | jq -r .reporter | sort -u | wc -l)" -eq 1 ]
}

@test "an anonymous tip shows no reporter to anybody, not to the coordinator either" {
    local id; id=$(tip ann --kind crime --at "$WEST" --anonymous "do not tell")
    wait_for state_is ann "$id" delivered
    local home
    for home in west chief; do
        wait_for has_text $home "do not tell"
        [ "$(desk_list $home | jq -r 'select (.text == "do not tell") | .reporter')" = null ]
        [ "$("$DESK" replay --home "$T/$home" --json | jq -r 'select (.text == "do not tell") | .reporter')" = null ]
    done
}
has_text() { desk_list "$1" | grep -q "$2"; }

@test "a desk's home is no node's and a node's no desk's" {
    run "$DESK" list --home "$T/ann"
    [ "$status" -ne 0 ]
    one_line "$output"
    run "$NODE" tip --home "$T/west" --kind hazard --at "$WEST" "from a desk"
    echo "$output"
    [ "$status" -ne 0 ]
    one_line "$output"
    desk_list west | jq -es 'length == 1'
}
