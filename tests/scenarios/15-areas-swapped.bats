#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Areas are swapped while tips come in: every tip goes to one station, by the old map or the new one, with the reason written down; a tip keeps
# the decision it was given. `areas explain` says for any point who would get it, and why.
bats_require_minimum_version 1.5.0
load helpers

# the same two areas, given to the other station each
write_swapped() { sed 's/"west"/"WAS"/; s/"east"/"west"/; s/"WAS"/"east"/' "$T/areas.geojson" >"$T/swapped.geojson"; }

setup() {
    make_broker
    write_swapped
    start_broker
    make_node ann
    make_desk west west
    make_desk east east
    start_desk west
    start_desk east
}

explain() { "$BROKER" areas explain --home "$T/broker" --json "$@"; }

@test "600 tips while the map changes three times: each at exactly one station, none lost" {
    start_node ann
    import_tips ann 600 hazard "on the move"
    local round
    for round in 1 2 3; do
        wait_for figure_above .accepted $((round * 30))
        "$BROKER" areas load --home "$T/broker" "$T/$([ $((round % 2)) -eq 1 ] && echo swapped || echo areas).geojson"
    done
    wait_for all_in_state ann delivered 600
    [ $(($(desk_rows west) + $(desk_rows east))) -eq 600 ]
    # by the log: every tip's station is the one its areas version says
    make_coordinator chief
    "$DESK" replay --home "$T/chief" --json | jq -r 'select (.type == "tip") | [.tip, .station] | @tsv' >"$T/log"
    [ "$(cut -f1 "$T/log" | sort -u | wc -l)" -eq 600 ]
    [ "$(grep -c "west$" "$T/log")" -eq "$(desk_rows west)" ]
    verify_ok
    # the map in force survives a restart
    stop broker
    start_broker
    explain --at "$WEST" | jq -e '.station == "east"'
}

@test "a tip keeps its station when the map changes under it" {
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$WEST" "before the change")
    wait_for state_is ann "$id" delivered
    "$BROKER" areas load --home "$T/broker" "$T/swapped.geojson"
    local second; second=$(tip ann --kind hazard --at "$WEST" "after the change")
    wait_for state_is ann "$second" delivered
    tip_status ann "$id" | jq -e '.station == "west"'
    tip_status ann "$second" | jq -e '.station == "east"'
    "$DESK" ack --home "$T/west" "$(incident_of ann "$id")" --as Li
    wait_for state_is ann "$id" acknowledged
    # a tip that follows it goes where the incident is
    local third; third=$(tip ann --kind hazard --at "$WEST" --follows "$id" "still there")
    wait_for state_is ann "$third" delivered
    tip_status ann "$third" | jq -e '.station == "west"'
}

@test "a station that is no longer on the map keeps what it has, and its desk goes on" {
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$EAST" "for the east")
    wait_for state_is ann "$id" delivered
    jq -c '.features |= map (select (.properties.station == "west"))' "$T/areas.geojson" >"$T/west-only.geojson"
    "$BROKER" areas load --home "$T/broker" "$T/west-only.geojson"
    "$DESK" ack --home "$T/east" "$(incident_of ann "$id")" --as Li
    wait_for state_is ann "$id" acknowledged
    # what comes now goes to the nearest, with the reason
    id=$(tip ann --kind hazard --at 33.05,109.11 "now of the west")
    wait_for state_is ann "$id" delivered
    tip_status ann "$id" | jq -e '.station == "west"'
    stop broker
    start_broker
    verify_ok
}

@test "explain: polygon, border with a copy, line and checkpoint before polygon, kinds, dates, nearest, district" {
    cat >"$T/rich.geojson" <<'AREAS'
{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"station":"west","name":"West town","level":1},"geometry":{"type":"Polygon","coordinates":[[[109.0,33.0],[109.1,33.0],[109.1,33.1],[109.0,33.1],[109.0,33.0]]]}},
{"type":"Feature","properties":{"station":"east","name":"East town","level":1},"geometry":{"type":"Polygon","coordinates":[[[109.1,33.0],[109.2,33.0],[109.2,33.1],[109.1,33.1],[109.1,33.0]]]}},
{"type":"Feature","properties":{"station":"village","name":"Village","level":0},"geometry":{"type":"Polygon","coordinates":[[[109.02,33.02],[109.03,33.02],[109.03,33.03],[109.02,33.03],[109.02,33.02]]]}},
{"type":"Feature","properties":{"station":"traffic","name":"Road 5","buffer_m":100,"kinds":["traffic"]},"geometry":{"type":"LineString","coordinates":[[109.0,33.08],[109.2,33.08]]}},
{"type":"Feature","properties":{"station":"gate","name":"Toll gate","radius_m":200},"geometry":{"type":"Point","coordinates":[109.15,33.08]}},
{"type":"Feature","properties":{"station":"fair","name":"Fair","level":0,"from":"2030-05-01","until":"2030-05-31"},"geometry":{"type":"Polygon","coordinates":[[[109.17,33.02],[109.18,33.02],[109.18,33.03],[109.17,33.03],[109.17,33.02]]]}}
]}
AREAS
    "$BROKER" areas check "$T/rich.geojson"
    "$BROKER" areas load --home "$T/broker" "$T/rich.geojson"
    explain --at 33.05,109.05 >"$T/explained"
    jq -e '(["station","name","area","level","by","why","copies","candidates"] - keys) == []' "$T/explained"
    jq -e '.station == "west" and .name == "West town" and .by == "polygon" and .copies == []' "$T/explained"
    # nearer to the border than the position is accurate: the neighbour gets a copy
    explain --at 33.05,109.0989 --accuracy 200 | jq -e '.station == "west" and .copies == ["east"]'
    # the lower level wins
    explain --at 33.025,109.025 | jq -e '.station == "village" and .level == 0'
    # a road for its kind only; a checkpoint before the road
    explain --at 33.0801,109.05 --kind traffic | jq -e '.station == "traffic" and .by == "line"'
    explain --at 33.0801,109.05 --kind hazard | jq -e '.station == "west"'
    explain --at 33.0801,109.15 --kind traffic | jq -e '.station == "gate" and .by == "checkpoint"'
    # dates
    explain --at 33.025,109.175 --when 2030-05-10T12:00:00Z | jq -e '.station == "fair"'
    explain --at 33.025,109.175 --when 2030-06-10T12:00:00Z | jq -e '.station == "east"'
    # outside, near and far
    explain --at 33.05,109.201 | jq -e '.station == "east" and .by == "nearest" and (.why | length > 5)'
    explain --at 40,116 | jq -e '.station == "district" and .by == "district"'
    # for people, in both languages
    run "$BROKER" areas explain --home "$T/broker" --at 33.05,109.05
    [[ "$output" == *west* ]]
    # in another datum the same numbers are another place, some 500 m away
    [ "$(explain --at 33.05,109.1015 --datum gcj02 | jq -r .station)" != "$(explain --at 33.05,109.1015 | jq -r .station)" ]
    run "$BROKER" areas explain --home "$T/broker" --at 33.05
    [ "$status" -eq 2 ]
    one_line "$output"
    # what explain says is what happens
    start_node ann
    local id; id=$(tip ann --kind traffic --at 33.0801,109.15 "queue at the gate")
    wait_for state_is ann "$id" accepted
    tip_status ann "$id" | jq -e '.station == "gate"'
}

@test "a copy: the neighbour sees it as a copy and cannot act on it" {
    start_node ann
    local id; id=$(tip ann --kind hazard --at 33.05,109.0989 --accuracy 200 "at the border")
    wait_for state_is ann "$id" delivered
    tip_status ann "$id" | jq -e '.station == "west"'
    wait_for desk_has east 1
    desk_list east | jq -es 'length == 1 and .[0].role == "copy" and .[0].text == "at the border"'
    desk_list west | jq -es 'length == 1 and .[0].role == "owner"'
    run "$DESK" ack --home "$T/east" "$(incident_of ann "$id")" --as Mallory
    echo "$output"
    [ "$status" -eq 4 ]
    one_line "$output"
    [[ "$output" == *west* ]]
    # the owner's work is shown to the neighbour
    "$DESK" ack --home "$T/west" "$(incident_of ann "$id")" --as Li
    wait_for copy_shows acknowledged
}
copy_shows() { desk_list east | jq -es --arg status "$1" '.[0].status == $status'; }
