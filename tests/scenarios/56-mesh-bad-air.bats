#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Real nodes whose links come and go as a contact trace says, and are bad while they last: every tip is in the log once, and its
# writer learns of it. tests/city/real.sh makes the air: namespaces and nftables where they are allowed, bad lines on loopback elsewhere.
bats_require_minimum_version 1.5.0
load helpers

# city OPTIONS: over the trace in $T/trace; its promises are checked by itself
city() {
    local rc=0
    PATROL_BUILD=$PATROL_BUILD TMPDIR=$T tests/city/real.sh "$T/trace" --patience $((PATIENCE * 3)) "$@" >"$T/said" 2>"$T/city.err" 3>&- || rc=$?
    [ $rc -ne 77 ] || skip "$(cat "$T/said")"
    cat "$T/said"
    return $rc
}
# without namespaces on bad lines that are not bad
city_anywhere() { if ip netns add "pm-try-$$" 2>/dev/null; then ip netns del "pm-try-$$"; city "$@"; else city --proxy "$@"; fi; }
said() { grep -qx "$1"$'\t'"$2" "$T/said"; }

@test "three packets of ten are lost" {
    tests/city/invent.sh 6 30 1 >"$T/trace"
    city --nodes 6 --loss 30
    said "tips written" 18
    said "known to their writers" 18
}

@test "a partition that heals, over thin links" {
    # three and three, of whom one reaches the broker; a bridge for some seconds, and later for good
    cat >"$T/trace" <<'TRACE'
0 0 1 up
0 1 2 up
0 3 4 up
0 4 5 up
10 2 3 up
14 2 3 down
20 2 3 up
TRACE
    city --nodes 6 --tips 4 --rate 64kbit
    said "known to their writers" 30
}

@test "the broker is down while twenty nodes meet: nothing lost, nothing twice, all writers learn" {
    tests/city/invent.sh 20 40 3 >"$T/trace"
    city_anywhere --nodes 20 --tips 1 --gateways 2 --broker-down 0-30
    said "in the log" 40
    said "in the log twice" 0
    said "known to their writers" 40
}

@test "late lines that are reset again and again" {
    tests/city/invent.sh 5 30 4 >"$T/trace"
    city --proxy --nodes 5 --tips 3 --delay 150 --reset 50000
    said "known to their writers" 20
}

@test "a connection that goes silent in the middle of a transfer is given up, and the tips go another way" {
    make_broker
    start_broker
    make_desk desk west
    start_desk desk
    wait_for desks_of west 1
    make_node sam
    make_node gate
    make_node other
    start_mesh gate
    # the line carries the beginning of a talk and no more
    mkfifo "$T/line.in"
    exec 9<>"$T/line.in"
    # shellcheck disable=SC2016  # for the inner shell
    spawn line bash -c 'exec "$1" --stall 8000 <"$2"' line "$PATROL_BUILD/badline" "$T/line.in"
    printf 'open %s %s\nup %s\n' "$(mesh_port line)" "$(mesh_port gate)" "$(mesh_port line)" >&9
    start_mesh sam line -- --no-broker
    wait_for linked sam 1
    import_tips sam 40 hazard "through a line that goes silent"
    # both ends give the link up: it is not the other's bytes that are counted against it
    wait_for linked sam 0
    [ "$(in_state sam delivered)" -lt 40 ]
    start_mesh other sam
    wait_for all_in_state sam delivered 40
    wait_for desk_has desk 40
    [ "$(desk_rows desk)" -eq 40 ]
    figure_is .accepted 40
    exec 9>&-
}
