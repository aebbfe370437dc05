#!/usr/bin/env bats
# quick
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A tip written on a node reaches the desk of the station whose area it lies in; what the desk does about it
# (acknowledge, dispatch, close) comes back to the node's status and inbox, by the officer's name, and what was
# meant for the police only does not.
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

# keys FILTER: the sorted keys of the JSON on stdin must be FILTER
has_keys() { jq -e --argjson want "$1" '(keys_unsorted | sort) == ($want | sort)'; }

@test "there: the keys of tip and watch are those of the contract" {
    run --separate-stderr "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --accuracy 20 --place "east gate" --json "smell of gas"
    [ "$status" -eq 0 ]
    one_line "$output"
    has_keys '["tip","state","counter"]' <<<"$output"
    jq -e '.state == "held" and .counter == 1' <<<"$output"
    local id; id=$(jq -r .tip <<<"$output")
    wait_for state_is ann "$id" delivered

    run --separate-stderr "$DESK" watch --home "$T/desk" --from start --count 1 --json
    echo "$output"
    [ "$status" -eq 0 ]
    one_line "$output"
    # nothing but the contract's keys and the few the desk's page adds
    jq -e 'keys - ["position","type","at","incident","version","role","tip","kind","severity","class","status","station","lat","lon",
        "accuracy","place","text","seen","accepted","witnesses","duplicate_of","score","why","reporter","actor","note","answer",
        "place_text","area","areas_version","clock_offset_ms","late","unlocated","reason"] == []' <<<"$output"
    jq -e --arg id "$id" '.type == "tip" and .tip == $id and .version == 1 and .role == "owner" and .kind == "hazard" and .severity == "yellow"
        and .class == "normal" and .station == "west" and .lat == 33.05 and .lon == 109.05 and .accuracy == 20 and .text == "smell of gas"
        and (.incident | length) == 13 and (.position | length) > 2 and (.reporter | length) > 3
        and (.place_text // .place) == "east gate"' <<<"$output"
    # RFC 3339, and not far from now
    local key
    for key in at seen accepted; do
        local said; said=$(date -d "$(jq -r ".$key" <<<"$output")" +%s)
        [ $((said - $(date +%s))) -ge -120 ] && [ $((said - $(date +%s))) -le 5 ]
    done
    # the reporter is a pseudonym: neither the name nor the member's number
    absent "ann" - <<<"$output"
    absent "$("$BROKER" members --home "$T/broker" --json | jq -r 'select (.role == "node") | .member')" - <<<"$output"
}

@test "and back: acknowledged, dispatched, closed, by whom, with the answer and without the note" {
    local id incident
    id=$(tip ann --kind dispute --at "$WEST" "two men shout")
    wait_for state_is ann "$id" delivered
    incident=$(incident_of ann "$id")

    run --separate-stderr "$DESK" ack --home "$T/desk" "$incident" --as "Li Wei" --note "known address" --json
    [ "$status" -eq 0 ]
    one_line "$output"
    jq -e --arg incident "$incident" '.incident == $incident and .state == "done" and .status == "acknowledged" and .version == 2' <<<"$output"
    wait_for state_is ann "$id" acknowledged
    tip_status ann "$id" | jq -e '.by == "Li Wei" and .station == "west"'

    PATROL_OFFICER="Wang Fang" "$DESK" dispatch --home "$T/desk" "$incident"
    wait_for state_is ann "$id" dispatched
    tip_status ann "$id" | jq -e '.by == "Wang Fang"'

    "$DESK" close --home "$T/desk" "$incident" --as "Li Wei" --answer "thank you, settled" --note "fined" --reason settled
    wait_for state_is ann "$id" closed
    run --separate-stderr "$NODE" inbox --home "$T/ann" --json
    [ "$status" -eq 0 ]
    echo "$output"
    [ "$(jq -rs 'map (.status) | join (" ")' <<<"$output")" = "acknowledged dispatched closed" ]
    jq -es --arg id "$id" 'all (.[]; .tip == $id) and .[2].answer == "thank you, settled" and .[2].by == "Li Wei"' <<<"$output"
    # what stays with the police is not on the node's disk in any form
    absent "fined\|known address" "$T"/ann/outbox.db*

    # the history of the tip, in order
    [ "$(tip_status ann "$id" | jq -r '[.history [].state] | join (" ")')" = "held accepted delivered acknowledged dispatched closed" ]
    # and of the incident at the desk
    "$DESK" show --home "$T/desk" "$incident" --as "Li Wei" --json >"$T/show"
    [ "$(jq -rs '[.[] | select (.type == "status") | .status] | join (" ")' <"$T/show")" = "acknowledged dispatched closed" ]
    jq -es 'map (.note // empty) == ["known address", "fined"]' <"$T/show"
    desk_list desk --status closed | jq -es --arg incident "$incident" 'length == 1 and .[0].incident == $incident and .[0].version == 4'
    [ -z "$(desk_list desk --status open)" ]
    verify_ok
}

@test "reopened: the sender is told, and the work begins again" {
    local id incident
    id=$(tip ann --kind dispute --at "$WEST" "two men shout")
    wait_for state_is ann "$id" delivered
    incident=$(incident_of ann "$id")
    "$DESK" close --home "$T/desk" "$incident" --as "Li Wei" --answer "nobody there"
    wait_for state_is ann "$id" closed
    "$DESK" reopen --home "$T/desk" "$incident" --as "Wang Fang" --answer "they are back"
    wait_for state_is ann "$id" acknowledged
    tip_status ann "$id" | jq -e '.by == "Wang Fang"'
    desk_list desk --status open | jq -es --arg incident "$incident" 'map (.incident) == [$incident]'
    "$DESK" close --home "$T/desk" "$incident" --as "Li Wei"
    wait_for state_is ann "$id" closed
    # what does not fit the status is refused in one line, and changes nothing
    run "$DESK" ack --home "$T/desk" "$incident" --as "Li Wei"
    [ "$status" -eq 1 ]
    one_line "$output"
    desk_list desk --status closed | jq -es 'length == 1 and .[0].version == 4'
}
