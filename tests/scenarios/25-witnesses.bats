#!/usr/bin/env bats
# Several people report one event with other words and from other spots: the duty officer sees one incident, with a reason, and may
# undo it. A call for help stays its own person's.

load helpers

setup() {
    make_broker
    start_broker
    for name in ann ben cat; do make_node "$name"; start_node "$name"; done
    make_desk west west
    start_desk west
}

# the incident a desk shows: field FILTER INCIDENT
shown() { desk_list west --status "${3:-open}" | jq -r "select (.incident == \"$2\") | $1"; }
shown_is() { [ "$(shown "$1" "$2" "${4:-open}")" = "$3" ]; }
open_incidents() { desk_list west --status open | grep -c .; }
open_is() { [ "$(open_incidents)" -eq "$1" ]; }
accepted() { incident_of "$1" "$2" | grep -q '[0-9A-Z]\{13\}'; }
# report NODE OPTIONS...: sends it and prints tip and incident
report() {
    local name=$1 id; shift
    id=$(tip "$name" "$@")
    wait_for accepted "$name" "$id"
    echo "$id $(incident_of "$name" "$id")"
}

@test "three witnesses and one place: one incident at one station, with score and why; who writes twice is one witness" {
    read -r _ first <<<"$(report ann --kind traffic --at 33.0500,109.0500 --accuracy 20 "two cars, one on its roof")"
    read -r _ second <<<"$(report ben --kind traffic --at 33.0503,109.0502 --accuracy 30 "路口两车相撞")"
    read -r _ third <<<"$(report cat --kind traffic --at 33.0498,109.0497 "crash at the crossing")"
    read -r _ again <<<"$(report cat --kind traffic --at 33.0498,109.0497 "police are not here yet")"
    [ "$second" = "$first" ] && [ "$third" = "$first" ] && [ "$again" = "$first" ]
    wait_for shown_is .witnesses "$first" 3
    open_is 1
    "$DESK" show --home "$T/west" --json "$first" >"$T/show"
    [ "$(jq -r 'select (.type == "tip") | .tip' "$T/show" | sort -u | wc -l)" -eq 4 ]
    jq -es "map (select (.duplicate_of == \"$first\")) | length == 3 and all (.[]; .score >= 0.9 and (.why | test (\"another report of\")))" "$T/show"
    verify_ok
}

@test "another kind of thing, another time and another place stay apart; so do calls for help beside each other" {
    report ann --kind traffic --at 33.0500,109.0500 "crash" >/dev/null
    report ben --kind lost --at 33.0500,109.0500 "found a bag" >/dev/null
    report ben --kind traffic --at 33.0700,109.0700 "crash" >/dev/null
    report cat --kind traffic --at 33.0500,109.0500 --seen "$(date -u -d '-5 hours' +%Y-%m-%dT%H:%M:%SZ)" "crash this morning" >/dev/null
    wait_for open_is 4
    "$NODE" sos --home "$T/ann" --at 33.0500,109.0500 >/dev/null
    "$NODE" sos --home "$T/ben" --at 33.0500,109.0500 >/dev/null
    wait_for open_is 6
}

@test "merged by hand, undone by a split, and then not merged again; stale versions are refused" {
    read -r tip_a a <<<"$(report ann --kind lost --at 33.05,109.05 "lost: a red bag")"
    read -r tip_b b <<<"$(report ben --kind lost --at 33.05,109.05 "found: a red bag")"
    [ "$a" != "$b" ]
    wait_for open_is 2
    "$DESK" merge --home "$T/west" "$b" "$a" --as Tang --note "same bag" --json >"$T/out"
    jq -e '.state == "done" and .status == "merged"' "$T/out"
    wait_for open_is 1
    shown_is .witnesses "$a" 2
    shown_is .duplicate_of "$b" "$a" merged
    # what an officer does now reaches both reporters
    "$DESK" ack --home "$T/west" "$a" --as Tang
    wait_for state_is ben "$tip_b" acknowledged
    wait_for state_is ann "$tip_a" acknowledged
    run "$DESK" close --home "$T/west" "$b" --as Tang
    [ "$status" -eq 1 ]
    [[ $output == *"merged into $a"* ]]
    "$DESK" split --home "$T/west" "$a" "$tip_b" --as Tang --json >"$T/out"
    jq -e '.state == "done" and .status == "split"' "$T/out"
    # the merge is undone: the incident of before is there again, open
    wait_for shown_is .status "$b" open
    shown_is .witnesses "$b" 1
    shown_is .witnesses "$a" 1 acknowledged
    [ "$("$DESK" show --home "$T/west" --json "$b" | jq -r 'select (.type == "split") | .other')" = "$a" ]
    # the tip that began an incident stays with it
    run "$DESK" split --home "$T/west" "$a" "$tip_a" --as Tang
    [ "$status" -eq 5 ]
    verify_ok
}

@test "two of one incident are told apart; state made again from the log says the same" {
    read -r _ a <<<"$(report ann --kind traffic --at 33.0500,109.0500 --accuracy 20 "crash, a van")"
    read -r tip_b b <<<"$(report ben --kind traffic --at 33.0502,109.0501 --accuracy 20 "crash, a motorcycle")"
    read -r tip_c c <<<"$(report cat --kind traffic --at 33.0501,109.0499 --accuracy 20 "motorcycle down")"
    [ "$b" = "$a" ] && [ "$c" = "$a" ]
    wait_for shown_is .witnesses "$a" 3
    "$DESK" split --home "$T/west" "$a" "$tip_b" "$tip_c" --as Tang --json >/dev/null
    wait_for open_is 2
    other=$(desk_list west --status open | jq -r "select (.incident != \"$a\") | .incident")
    shown_is .witnesses "$other" 2
    [ "$("$DESK" show --home "$T/west" --json "$other" | jq -r 'select (.type == "tip") | .incident' | sort -u)" = "$other" ]
    "$DESK" close --home "$T/west" "$a" --as Tang
    "$DESK" ack --home "$T/west" "$other" --as Tang
    wait_for state_is cat "$tip_c" acknowledged
    verify_ok
    before=$(desk_list west --status acknowledged)
    stop west
    stop broker
    rm "$T/broker"/state.db*
    start_broker
    start_desk west
    wait_for desks_of west 1
    strip='del (.as_of)'
    [ "$(desk_list west --status acknowledged | jq -S "$strip")" = "$(jq -S "$strip" <<<"$before")" ]
    # and the next witness finds the incident that was there before
    read -r _ more <<<"$(report ann --kind traffic --at 33.0502,109.0500 --accuracy 20 "a motorcycle lies there")"
    [ "$more" = "$other" ] || [ "$more" = "$a" ]
    verify_ok
}
