#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A full disk under the broker: no receipt is given for what is not on it, one clear line says so, nodes keep their tips,
# and when there is room again everything goes on by itself, nothing lost and nothing twice. The same for a desk and a node.
bats_require_minimum_version 1.5.0
load helpers

small_disk() {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount a small disk"
    mkdir -p "$1"
    mount -t tmpfs -o mode=0700,size="$2" tmpfs "$1" 2>/dev/null || skip "tmpfs cannot be mounted here"
    DISKS+=("$1")
}
DISKS=()
teardown() {
    end_all
    local disk
    for disk in "${DISKS[@]}"; do umount "$disk" 2>/dev/null || umount -l "$disk"; done
    DISKS=()
    [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 25 "$T"/*.err
    [ -z "${PORT:-}" ] || rmdir "${TMPDIR:-/tmp}/patrol-port-$PORT" 2>/dev/null || true
    no_sanitizer_report
}

fill() { head -c 1G /dev/zero >"$1/filler" 2>/dev/null || true; }

@test "the broker's disk" {
    small_disk "$T/broker" 12M
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_desk desk
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$WEST" "while there is room")
    wait_for state_is ann "$id" delivered
    fill "$T/broker"
    import_tips ann 300 hazard "$(head -c 3000 /dev/zero | tr '\0' x)"
    # whichever of the two wants room first; it tries again by itself, in vain. At midnight it is the key of the new day.
    wait_for said_to_be_full
    # the broker lives and says so; no receipt for what is not on the disk
    alive broker
    local accepted; accepted=$((300 - $(in_state ann held)))
    echo "accepted with a full disk: $accepted"
    [ "$(in_state ann held)" -gt 0 ]
    [ "$(wc -l <"$T/broker.err")" -le 60 ]
    rm "$T/broker/filler"
    wait_for all_in_state ann delivered 301
    [ "$(desk_rows desk)" -eq 301 ]
    verify_ok
    [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq 301 ]
}

said_to_be_full() {
    grep -q "daykeys.db: failed" "$T/broker.err" ||
        { grep -qE "the (log|state) cannot be written" "$T/broker.err" && restarts_above 2; }
}
restarts_above() { [ "$(grep -c "started again" "$T/broker.err")" -gt "$1" ]; }

@test "a desk's disk: not delivered until it is written, then delivered once" {
    make_broker
    start_broker
    make_node ann
    start_node ann
    small_disk "$T/desk" 12M
    make_desk desk west
    start_desk desk
    local id; id=$(tip ann --kind hazard --at "$WEST" "while there is room")
    wait_for state_is ann "$id" delivered
    fill "$T/desk"
    import_tips ann 200 hazard "$(head -c 3000 /dev/zero | tr '\0' x)"
    wait_for all_known ann
    wait_for grep -qiE "disk|room|written|full" "$T/desk.err"
    alive desk
    # what the node is told is what lies on the desk's disk
    [ "$(in_state ann delivered)" -le "$(desk_tips desk)" ]
    [ "$(in_state ann accepted)" -gt 0 ]
    # what it has can still be read
    desk_list desk >/dev/null
    rm "$T/desk/filler"
    wait_for all_in_state ann delivered 201
    [ "$(desk_rows desk)" -eq 201 ]
}
all_known() { [ "$(in_state "$1" held)" -eq 0 ]; }

@test "a node's disk: a tip that is not on it is not said to be held" {
    make_broker
    start_broker
    small_disk "$T/ann" 3M
    make_node ann
    start_node ann --no-broker
    local first; first=$(tip ann --kind hazard --at "$WEST" "while there is room")
    fill "$T/ann"
    local status=0 round kept=1
    for round in $(seq 300); do
        run --separate-stderr "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --json "$(head -c 3000 /dev/zero | tr '\0' x) $round"
        [ "$status" -eq 0 ] || break
        kept=$((kept + 1))
    done
    echo "kept $kept, then: $stderr"
    [ "$status" -eq 1 ]
    one_line "$stderr"
    [ -z "$output" ]
    alive ann
    rm "$T/ann/filler"
    local last; last=$(tip ann --kind hazard --at "$WEST" "room again")
    [ "$(in_state ann held)" -eq $((kept + 1)) ]
    stop ann
    start_node ann
    wait_for all_in_state ann accepted $((kept + 1))
    [ "$("$BROKER" verify --home "$T/broker" --json | jq .tips)" -eq $((kept + 1)) ]
}
