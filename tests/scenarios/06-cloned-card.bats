#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A node whose card was copied: both copies write different tips under the same numbers. None is swallowed, the broker
# says so, and each copy learns the truth about its own tip.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_desk desk
    local id; id=$(tip ann --kind hazard --at "$WEST" --wait accepted "before the copy")
}

@test "both copies' tips arrive, the conflict is counted and shown, no text is lost" {
    cp -a "$T/ann" "$T/twin"
    # the same number, two texts, both written before either was sent
    local one two
    one=$(tip ann --kind hazard --at "$WEST" "of the first card")
    two=$(tip twin --kind hazard --at "$WEST" "of the copy")
    [ "$one" = "$two" ]
    start_node ann
    wait_for state_is ann "$one" delivered
    stop ann
    start_node twin
    wait_for copy_delivered
    [ "$(desk_rows desk)" -eq 3 ]
    desk_list desk | jq -rs 'map (.text) | sort | join ("|")' >"$T/texts"
    grep -qx 'before the copy|of the copy|of the first card' "$T/texts"
    verify_ok
}
copy_delivered() { "$NODE" status --home "$T/twin" --json | jq -es 'map (select (.text == "of the copy" or .resent_as != null or .state == "delivered")) | length >= 2 and all (.[]; .state == "delivered")'; }

@test "the very same tip of both copies is one tip" {
    local id; id=$(tip ann --kind hazard --at "$WEST" "written before the copy")
    cp -a "$T/ann" "$T/twin"
    start_node ann
    wait_for state_is ann "$id" delivered
    stop ann
    start_node twin
    wait_for state_is twin "$id" delivered
    [ "$(desk_rows desk)" -eq 2 ]
    figure_above .duplicates 0
}

@test "both copies at work in turn: every tip arrives once" {
    cp -a "$T/ann" "$T/twin"
    local round
    for round in 1 2 3; do
        start_node ann
        import_tips ann 5 other "ann $round"
        wait_for desk_has desk $((1 + 10 * round - 5))
        stop ann
        start_node twin
        import_tips twin 5 other "twin $round"
        wait_for desk_has desk $((1 + 10 * round))
        stop twin
    done
    [ "$(desk_rows desk)" -eq 31 ]
    [ "$(desk_list desk | jq -rs 'map (.text) | unique | length')" -eq 31 ]
    verify_ok
}
