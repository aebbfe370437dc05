#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# The coordinator replays any stretch of the log: by time, area, box, kind and station; a long one in pages; twice the
# same, to the byte. A pace can be chosen.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_coordinator chief
    make_desk desk west
    start_node ann
    start_desk chief
}

replay() { "$DESK" replay --home "$T/chief" --json "$@"; }
tips_in() { jq -r 'select (.type == "tip") | .text' | paste -sd'|'; }

@test "filters: kind, several kinds, station, area, box, time; alone and together" {
    local middle
    tip ann --kind hazard --at "$WEST" --wait accepted "hazard west"
    tip ann --kind traffic --at "$EAST" --wait accepted "traffic east"
    sleep_past_a_millisecond
    middle=$(date -u +%FT%T.%3NZ)
    sleep_past_a_millisecond
    tip ann --kind dispute --at 33.02,109.02 --wait accepted "dispute south-west"
    tip ann --kind lost --wait accepted "lost, nobody knows where"
    [ "$(replay | tips_in)" = "hazard west|traffic east|dispute south-west|lost, nobody knows where" ]
    [ "$(replay --kind traffic | tips_in)" = "traffic east" ]
    [ "$(replay --kind traffic --kind dispute | tips_in)" = "traffic east|dispute south-west" ]
    [ "$(replay --station west | tips_in)" = "hazard west|dispute south-west" ]
    [ "$(replay --station district | tips_in)" = "lost, nobody knows where" ]
    local area; area=$("$BROKER" areas explain --home "$T/broker" --at "$EAST" --json | jq -r .area)
    [ "$(replay --area "$area" | tips_in)" = "traffic east" ]
    [ "$(replay --box 33.0,109.0,33.03,109.03 | tips_in)" = "dispute south-west" ]
    [ "$(replay --box 33.0,109.0,33.1,109.2 | tips_in)" = "hazard west|traffic east|dispute south-west" ]
    [ "$(replay --to "$middle" | tips_in)" = "hazard west|traffic east" ]
    [ "$(replay --from "$middle" | tips_in)" = "dispute south-west|lost, nobody knows where" ]
    [ "$(replay --from "$middle" --station west --kind dispute | tips_in)" = "dispute south-west" ]
    [ -z "$(replay --from 2000-01-01T00:00:00Z --to 2000-01-02T00:00:00Z)" ]
    [ -z "$(replay --kind fraud | tips_in)" ]
    local bad
    for bad in "--kind ufo" "--box 1,2,3" "--box 34,109,33,110" "--from soon" "--speed fast" "--from 2020-01-02T00:00:00Z --to 2020-01-01T00:00:00Z" "--speed 0" "--speed nan"; do
        run replay $bad
        echo "$bad: $status $output"
        [ "$status" -eq 2 ]
        one_line "$output"
    done
    run replay --area nowhere
    [ "$status" -eq 0 ] || { [ "$status" -eq 5 ]; one_line "$output"; }
}
# the clock of the log counts milliseconds
sleep_past_a_millisecond() { local now; now=$(date +%s%3N); while [ "$(date +%s%3N)" -le $((now + 1)) ]; do :; done; }

@test "2,500 tips with their statuses: in pages, in order, complete, and twice the same to the byte" {
    import_tips ann 2500 other "one of many"
    start_desk desk
    wait_for all_in_state ann delivered 2500
    desk_list desk | jq -r .incident | head -20 | while read -r incident; do "$DESK" ack --home "$T/desk" "$incident" --as Li >/dev/null; done
    replay --as Chen >"$T/one"
    replay --as Chen >"$T/two"
    cmp "$T/one" "$T/two"
    [ "$(jq -r 'select (.type == "tip") | .tip' "$T/one" | sort -u | wc -l)" -eq 2500 ]
    [ "$(jq -r 'select (.type == "tip") | .tip' "$T/one" | wc -l)" -eq 2500 ]
    [ "$(jq -r 'select (.type == "status") | .actor' "$T/one" | wc -l)" -eq 20 ]
    # positions and times never go back
    jq -r '.position | split ("-") [1]' "$T/one" | sort -nc
    jq -r .at "$T/one" | times_in_order
    # a restarted broker tells the same story
    stop broker
    start_broker
    wait_for replay_works
    replay --as Chen >"$T/three"
    cmp "$T/one" "$T/three"
    # and one without its state, too
    stop broker
    rm "$T"/broker/state.db*
    start_broker
    wait_for replay_works
    replay --as Chen >"$T/four"
    cmp "$T/one" "$T/four"
    # a desk's replay of its own station is the same stretch
    "$DESK" replay --home "$T/desk" --json | jq -r 'select (.type == "tip") | .tip' | sort -u | wc -l | grep -qx 2500
}
replay_works() { replay --from 2000-01-01T00:00:00Z --to 2000-01-02T00:00:00Z; }

@test "--speed: as it was, faster, at once; the lines are the same" {
    tip ann --kind hazard --at "$WEST" --wait accepted "one"
    tip ann --kind hazard --at "$WEST" --wait accepted "two"
    tip ann --kind hazard --at "$WEST" --wait accepted "three"
    replay --speed max >"$T/max"
    replay --speed 100 >"$T/fast"
    replay --from "$(jq -rs 'map (select (.type == "tip")) | .[0].at' "$T/max")" --speed 1 >"$T/as-it-was"
    cmp "$T/max" "$T/fast"
    [ "$(tips_in <"$T/as-it-was")" = "one|two|three" ]
}

@test "replay for people, and in a pipe that ends early" {
    import_tips ann 1500 hazard "one of many"
    wait_for all_in_state ann accepted 1500
    run bash -c "'$DESK' replay --home '$T/chief' | head -3"
    [ "$(wc -l <<<"$output")" -eq 3 ]
    alive chief
    # nobody left waiting: the next one works
    [ "$(replay | jq -r 'select (.type == "tip") | .tip' | wc -l)" -eq 1500 ]
}
