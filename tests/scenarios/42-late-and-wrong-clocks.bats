#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# What was seen longer ago than its kind's life is logged, listed and replayed, marked late, and calls nobody; a device's clock that is off is
# measured and shown, what was seen is corrected, and what the device said is kept.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk west west
    make_coordinator chief
    start_desk west
}
watched() { "$DESK" watch --home "$T/west" --from start --count "$1" --json; }
of_text() { jq -es --arg text "$1" 'map (select (.type == "tip" and .text == $text)) | .[0]'; }

@test "older than its kind's life: late in watch, list, show and replay, and without the word that calls" {
    start_node ann
    # traffic lives 24 hours; the same age of a missing person, 72 hours, is not late; an sos never is
    local id; id=$(tip ann --kind traffic --severity red --at "$WEST" --seen -26h "crash of yesterday")
    wait_for state_is ann "$id" delivered
    id=$(tip ann --kind missing --severity red --at "$WEST" --seen -26h "missing since yesterday")
    wait_for state_is ann "$id" delivered
    id=$(tip ann --kind traffic --severity red --at "$WEST" "crash of now")
    wait_for state_is ann "$id" delivered
    watched 3 >"$T/watched"
    of_text "crash of yesterday" <"$T/watched" | jq -e '.late == true and .status == "open" and .role == "owner" and (.seen < .accepted)'
    of_text "missing since yesterday" <"$T/watched" | jq -e 'has ("late") | not'
    of_text "crash of now" <"$T/watched" | jq -e 'has ("late") | not'
    desk_list west | of_text "crash of yesterday" | jq -e .late
    "$DESK" replay --home "$T/chief" --json | of_text "crash of yesterday" | jq -e .late
    # for people: both are red, only one is urgent
    run "$DESK" list --home "$T/west" --lang en
    echo "$output"
    grep "crash of yesterday" <<<"$output" | grep late
    ! grep "crash of yesterday" <<<"$output" | grep -i urgent
    grep "crash of now" <<<"$output" | grep -i urgent
    run "$DESK" list --home "$T/west" --lang zh
    grep "crash of yesterday" <<<"$output" | grep 迟到
    # open like any other, but nobody is rung for it
    "$BROKER" status --home "$T/broker" --json | jq -e '.stations [] | select (.station == "west") | .open == 3 and .unacknowledged == 2'
    # it is the station's all the same
    local incident; incident=$(of_text "crash of yesterday" <"$T/watched" | jq -r .incident)
    "$DESK" close --home "$T/west" "$incident" --as Li
    wait_for shown_as "$incident" closed
    verify_ok
}
shown_as() { "$DESK" list --home "$T/west" --status "$2" --json | jq -es --arg id "$1" 'any (.incident == $id and .late)'; }

@test "the broker's map of the time it was seen decides, and the line says which map" {
    jq -c '.features [0].properties.until = "2026-01-01" | .features += [.features [0] | .properties = {station: "new", level: 1, from: "2026-01-01"}]' \
        "$T/areas.geojson" >"$T/dated.geojson"
    "$BROKER" areas load --home "$T/broker" "$T/dated.geojson"
    "$BROKER" areas explain --home "$T/broker" --at "$WEST" --when 2025-06-01 --json | jq -e '.station == "west" and .areas_version == 2'
    "$BROKER" areas explain --home "$T/broker" --at "$WEST" --json | jq -e '.station == "new"'
    "$BROKER" areas explain --home "$T/broker" --at "$WEST" --json | jq -e '.candidates | any (.why | contains ("no longer in force"))'
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$WEST" --seen 2025-06-01T12:00:00Z "of last year")
    wait_for state_is ann "$id" delivered
    tip_status ann "$id" | jq -e '.station == "west"'
    watched 1 | of_text "of last year" | jq -e '.late and .areas_version == 2 and (.why | contains ("inside area"))'
}

@test "a clock two hours ahead: seen is corrected, the offset is shown, the device's own times stay" {
    clock_off +2h
    "${FAKE[@]}" "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" "by a fast clock" >/dev/null
    spawn ann "${FAKE[@]}" "$NODE" run --home "$T/ann"
    wait_for desk_has west 1
    watched 1 | of_text "by a fast clock" >"$T/line"
    cat "$T/line"
    jq -e '.clock_offset_ms == 7200000 or .clock_offset_ms == 7140000' "$T/line"
    local seen at; seen=$(date -d "$(jq -r .seen "$T/line")" +%s) at=$(date -d "$(jq -r .accepted "$T/line")" +%s)
    [ $((at - seen)) -ge -60 ]
    [ $((at - seen)) -le 120 ]
    "$BROKER" members --home "$T/broker" --json | jq -es 'any (.clock_offset_s != null and .clock_offset_s > 7100 and .clock_offset_s < 7300)'
    "$BROKER" members --home "$T/broker" | grep -E '[+][0-9]+ (h|min)'
    "$DESK" show --home "$T/west" "$(jq -r .incident "$T/line")" --lang en | grep "its clock was"
    # an anonymous tip does not tell its device by its clock
    "${FAKE[@]}" "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --anonymous "by nobody" >/dev/null
    wait_for desk_has west 2
    watched 2 | of_text "by nobody" | jq -e 'has ("clock_offset_ms") | not'
}
