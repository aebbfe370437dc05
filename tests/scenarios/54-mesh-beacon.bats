#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Nodes that have never been told of one another meet by their beacons, with one link between two of them, and take up again by
# themselves when one comes back under another port and key.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with sam gate; }

# by_beacon NAME [OPTIONS]
by_beacon() {
    local name=$1; shift
    spawn "$name" "$NODE" run --home "$T/$name" --loopback "$@"
    wait_for listens "$T/$name"
}

@test "two nodes of one machine find each other" {
    local id
    by_beacon sam --no-broker
    id=$(tip sam --kind hazard --at "$WEST" "who is there")
    by_beacon gate
    wait_for state_is sam "$id" delivered
    linked gate 1
    linked sam 1
    # the gateway goes, and comes back as what looks like somebody else
    kill9 gate
    id=$(tip sam --kind hazard --at "$WEST" "still there?")
    state_is sam "$id" held
    by_beacon gate
    wait_for state_is sam "$id" delivered
    [ "$(desk_rows desk)" -eq 2 ]
}

@test "a flood of made-up and replayed beacons does not keep two nodes apart" {
    local id
    make_node eve
    by_beacon sam --no-broker
    foe forged-beacons
    wait_for grep -q heard "$T/foe.out"
    id=$(tip sam --kind hazard --at "$WEST" "through the noise")
    by_beacon gate
    wait_for state_is sam "$id" delivered
    linked sam 1
    alive foe
    [ "$(desk_rows desk)" -eq 1 ]
}

@test "no beacon, no neighbour" {
    by_beacon gate
    start_node sam --no-broker --listen "tcp://127.0.0.1:$(mesh_port sam)"
    local id; id=$(tip sam --kind hazard --at "$WEST" "all alone")
    # each has had time to hear the other, had it spoken: the gateway's own link is up
    wait_for mesh_is gate .gateway true
    linked sam 0
    state_is sam "$id" held
    # and a node that neither listens, calls nor beacons has no mesh at all
    stop sam
    start_node sam --no-broker
    run --separate-stderr "$NODE" mesh --home "$T/sam"
    [ "$status" -eq 1 ]
    one_line "$stderr"
}

@test "wrong options say what would be right" {
    local option
    for option in --peer=tcp://example.org:1 --peer=192.0.2.1:7 --peer=tcp://192.0.2.1:99999 --listen=7420; do
        run --separate-stderr "$NODE" run --home "$T/sam" "${option%%=*}" "${option#*=}"
        [ "$status" -eq 2 ]
        one_line "$stderr"
    done
}
