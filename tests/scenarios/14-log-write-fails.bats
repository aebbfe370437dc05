#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# The disk fails under the log (a write or a sync comes back with an error): no receipt is given for that batch, one line
# says why, the core ends and is started again from what is on the disk; nothing accepted is lost, nothing is there twice.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    ! ldd "$BROKER" | grep -q libasan || skip "not under AddressSanitizer"
    make_broker
    start_broker env "LD_PRELOAD=$PATROL_BUILD/failio.so" FAILIO_FILE=log.db "FAILIO_WHILE=$T/fail" \
        "FAILIO_CALL=${BATS_TEST_DESCRIPTION##*: }"
    make_node ann
    make_desk desk west
    start_node ann
    start_desk desk
    local id; id=$(tip ann --kind hazard --at "$WEST" "before")
    wait_for state_is ann "$id" delivered
}

fails() {
    touch "$T/fail"
    import_tips ann 100 hazard "while it fails"
    wait_for grep -q "the log cannot be written" "$T/broker.err"
    # nobody is told that it was accepted
    [ "$(in_state ann held)" -eq 100 ]
    [ "$(desk_rows desk)" -eq 1 ]
    alive broker
    local front; front=$(broker_child front)
    rm "$T/fail"
    wait_for all_in_state ann delivered 101
    [ "$(desk_rows desk)" -eq 101 ]
    # only the core was started again
    [ "$(broker_child front)" = "$front" ]
    verify_ok
    [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq 101 ]
}

@test "what fails: write" { fails; }

@test "what fails: sync" { fails; }
