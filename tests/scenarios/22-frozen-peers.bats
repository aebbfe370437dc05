#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A desk or node that takes nothing any more (frozen, not gone) holds up nobody else; when it goes on, it gets what it missed, once.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_node bob
    make_desk west west
    make_desk east east
    start_node ann
    start_desk west
    start_desk east
}

@test "a frozen desk: 3,000 tips for it, others served meanwhile, all there when it thaws" {
    wait_for desks_of west 1
    kill -STOP "$(pid_of west)"
    import_tips ann 3000 hazard "$(head -c 1500 /dev/zero | tr '\0' x)"
    start_node bob
    import_tips bob 200 hazard "for the east" "$EAST"
    wait_for all_in_state bob delivered 200
    [ "$(desk_rows east)" -eq 200 ]
    wait_for all_in_state ann accepted 3000
    kill -CONT "$(pid_of west)"
    wait_for all_in_state ann delivered 3000
    [ "$(desk_rows west)" -eq 3000 ]
    verify_ok
}

@test "a frozen core: nobody is told anything that is not so, and nothing is lost" {
    import_tips ann 20 hazard "before"
    wait_for all_in_state ann delivered 20
    local core; core=$(broker_child core)
    kill -STOP "$core"
    import_tips ann 300 hazard "while it is frozen"
    run --separate-stderr "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --wait accepted --timeout 1 "nobody answers"
    [ "$status" -eq 3 ]
    [ "$(in_state ann held)" -eq 301 ]
    kill -CONT "$core"
    wait_for all_in_state ann delivered 321
    [ "$(desk_rows west)" -eq 321 ]
    verify_ok
}

other_child() { local pid; pid=$(broker_child "$1") && [ "$pid" != "$2" ]; }

@test "a core or a front that hangs is killed and started again; what was taken is there, once" {
    stop broker
    # as systemd says it: for so long a child may be silent
    start_broker env WATCHDOG_USEC=3000000
    local role hung sent=0
    for role in core front; do
        hung=$(broker_child $role)
        kill -STOP "$hung"
        import_tips ann 50 hazard "while the $role hangs"
        sent=$((sent + 50))
        wait_for other_child $role "$hung"
        wait_for all_in_state ann delivered $sent
        grep -q "$role gives no sign of life for 3 s; killed" "$T/broker.err"
    done
    [ "$(desk_rows west)" -eq $sent ]
    # and one that only has nothing to do is left alone
    local core front; core=$(broker_child core) front=$(broker_child front)
    sleep 5
    [ "$(broker_child core)" = "$core" ]
    [ "$(broker_child front)" = "$front" ]
    verify_ok
}
