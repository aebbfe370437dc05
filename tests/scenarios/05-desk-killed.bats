#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A desk that is killed between taking a tip and acknowledging it has it once on its disk afterwards, and a tip is
# `delivered` only when it lies there. Lines of the watch may come again, none is skipped.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_node ann
}

@test "killed again and again while 1,500 tips come in: each once on its disk" {
    slow_disk desk.db-wal 5000
    PREFIX=("${SLOW[@]}")
    start_desk desk
    import_tips ann 1500 hazard "many"
    local round
    for round in 1 2 3 4 5 6 7; do
        wait_for delivered_above $((round * 40))
        # at any moment of the next write
        sleep "0.$((RANDOM % 2))$((RANDOM % 10))"
        kill9 desk
        # delivered is never said of what is not on a desk's disk
        [ "$(in_state ann delivered)" -le "$(desk_tips desk)" ]
        start_desk desk
    done
    wait_for all_in_state ann delivered 1500
    desk_has desk 1500
    [ "$(desk_rows desk)" -eq 1500 ]
}
delivered_above() { [ "$(desk_tips desk)" -gt "$1" ]; }

@test "stopped before it can acknowledge: not delivered, and delivered once when it goes on" {
    start_desk desk
    wait_for desks_of west 1
    # frozen, the desk takes bytes from the network and stores nothing
    kill -STOP "$(pid_of desk)"
    local id; id=$(tip ann --kind hazard --at "$WEST" "in between")
    wait_for state_is ann "$id" accepted
    kill9 desk
    state_is ann "$id" accepted
    [ "$(desk_rows desk)" -eq 0 ]
    start_desk desk
    wait_for state_is ann "$id" delivered
    [ "$(desk_rows desk)" -eq 1 ]
}

@test "a watch goes on after its last line when its daemon is killed" {
    start_desk desk
    import_tips ann 20 hazard "first"
    wait_for desk_has desk 20
    spawn watch "$DESK" watch --home "$T/desk" --from start --json
    wait_for lines_above watch 19
    kill9 desk
    start_desk desk
    import_tips ann 20 hazard "second"
    wait_for tips_of watch 40
    # in order, none skipped; repeats are allowed, but a watch that goes on knows its last line
    [ "$(jq -rs 'map (.text) | join (",")' "$T/watch.out")" = "$({ seq -f 'first %g' 20; seq -f 'second %g' 20; } | paste -sd,)" ]
    stop watch || true
    # the next watch of this home begins after what was seen
    import_tips ann 1 hazard "third"
    run --separate-stderr "$DESK" watch --home "$T/desk" --count 1 --json
    [ "$(jq -r .text <<<"$output")" = "third 1" ]
}
lines_above() { [ "$(wc -l <"$T/$1.out")" -gt "$2" ]; }
tips_of() { [ "$(jq -r .tip "$T/$1.out" | sort -u | wc -l)" -eq "$2" ]; }
