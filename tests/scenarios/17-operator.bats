#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# The operator's commands: who is a member, what the broker is doing, which station has no desk, backups and their errors.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
}

@test "init: a home is made once; names, addresses and maps are checked; the authority's key is told" {
    run "$BROKER" init "$T/broker" --name Again
    [ "$status" -eq 1 ]
    one_line "$output"
    run "$BROKER" init "$T/other"
    [ "$status" -eq 2 ]
    one_line "$output"
    run "$BROKER" init "$T/other" --name X --listen http://here
    [ "$status" -ne 0 ]
    one_line "$output"
    run --separate-stderr "$BROKER" init "$T/other" --name "Other 区" --authority "$T/authority.key" --json
    [ "$status" -eq 0 ]
    one_line "$output"
    jq -e --arg key "$T/authority.key" '.authority == $key and .name == "Other 区"' <<<"$output"
    [ "$(stat -c %a "$T/authority.key")" = 600 ]
    [ "$(stat -c %a "$T/other")" = 700 ]
    [ "$(find "$T/other" -type f ! -perm 600 | wc -l)" -eq 0 ]
}

@test "members: who, role, station, unit, last seen, tips, state" {
    "$NODE" join --home "$T/ann" "$(invitation --role node --name ann --unit taxi)"
    make_desk desk west
    make_coordinator chief
    start_node ann
    tip ann --kind hazard --at "$WEST" --wait accepted "one"
    run --separate-stderr "$BROKER" members --home "$T/broker" --json
    [ "$status" -eq 0 ]
    [ "$(wc -l <<<"$output")" -eq 3 ]
    jq -es 'map (.role) | sort == ["coordinator", "desk", "node"]' <<<"$output"
    jq -es 'map (select (.name == "ann")) | .[0] | .unit == "taxi" and .tips == 1 and .state == "active" and (.last_seen | length > 10)' <<<"$output"
    jq -es 'map (select (.role == "desk")) | .[0].station == "west"' <<<"$output"
    run "$BROKER" members --home "$T/broker"
    [ "$(wc -l <<<"$output")" -ge 4 ]
    [[ "$output" == *taxi* ]]
}

@test "invite: count, expiry, QR; wrong ones are refused in one line" {
    run --separate-stderr "$BROKER" invite --home "$T/broker" --role node --count 20 --json
    [ "$(wc -l <<<"$output")" -eq 20 ]
    [ "$(jq -r .invitation <<<"$output" | sort -u | wc -l)" -eq 20 ]
    jq -es 'all (.[]; (keys | sort) == ["expires", "invitation", "role"] and .role == "node" and (.invitation | startswith ("patrol1:")))' <<<"$output"
    run "$BROKER" invite --home "$T/broker" --role node --qr
    [ "$(wc -l <<<"$output")" -gt 15 ]
    local bad
    for bad in "--role king" "--role desk" "--role desk --station nowhere" "--role node --expires never" "--role node --expires -1h" "--role node --count 0" "--role node --count 100000" "--role node --count 1x" ""; do
        run "$BROKER" invite --home "$T/broker" $bad
        echo "$bad: $status $output"
        [ "$status" -ne 0 ]
        one_line "$output"
    done
    [ "$("$BROKER" members --home "$T/broker" --json | wc -l)" -eq 0 ]
}

@test "status: counters, lanes, disk, stations; also without a running broker" {
    make_node ann
    make_desk desk west
    start_node ann
    start_desk desk
    wait_for desks_of west 1
    tip ann --kind hazard --at "$WEST" --wait delivered "one"
    tip ann --kind hazard --at "$EAST" --wait accepted "two"
    run --separate-stderr "$BROKER" status --home "$T/broker" --json
    [ "$status" -eq 0 ]
    one_line "$output"
    jq -e '.accepted == 2 and .sessions >= 2 and .members == 2 and .disk_free > 0 and .incarnation > 0 and .front_connected and (.version | length > 2)' <<<"$output"
    jq -e '.stations | map ({key: .station, value: .}) | from_entries | .west.desks == 1 and .west.undelivered == 0 and .west.unacknowledged == 1 and (.west.oldest_unacknowledged | length > 10)
        and .east.desks == 0 and (.east.no_desk_since | length > 10) and .east.undelivered == 1 and (.east.oldest_undelivered | length > 10)' <<<"$output"
    # for people, with a row a station
    run "$BROKER" status --home "$T/broker"
    [[ "$output" == *West\ town* ]]
    stop broker
    run --separate-stderr "$BROKER" status --home "$T/broker" --json
    [ "$status" -eq 0 ]
    jq -e '.front_connected == false' <<<"$output"
}

@test "a station without a desk and an sos that reached nobody are said on stderr, once a minute, not more" {
    clock_off "+0 x200"
    make_node ann
    stop broker
    # the broker's wall clock runs two hundred times as fast; what it waits for on the monotonic clock does not
    start_broker "${FAKE[@]}"
    start_node ann
    "$NODE" sos --home "$T/ann" --at "$WEST" --wait accepted --timeout "$PATIENCE"
    wait_for grep -q "sos .* has not reached a desk of station west" "$T/broker.err"
    wait_for grep -q "station west has no desk connected" "$T/broker.err"
    # over when a desk has it
    make_desk desk west
    start_desk desk
    wait_for desk_has desk 1
}

@test "backup and restore: errors in one line, nothing overwritten, nothing half done" {
    make_node ann
    start_node ann
    tip ann --kind hazard --at "$WEST" --wait accepted "one"
    "$BROKER" backup --home "$T/broker" "$T/backup.db"
    [ "$(stat -c %a "$T/backup.db")" = 600 ]
    # into a folder that is not there; over a file that is
    run "$BROKER" backup --home "$T/broker" "$T/nowhere/backup.db"
    [ "$status" -eq 1 ]
    one_line "$output"
    # restore while the broker runs
    run "$BROKER" restore "$T/broker" "$T/backup.db"
    echo "$output"
    [ "$status" -eq 1 ]
    one_line "$output"
    stop broker
    # of something that is no backup, of a damaged one, of another district, into a folder without keys
    echo "not a backup" >"$T/text"
    run "$BROKER" restore "$T/broker" "$T/text"
    [ "$status" -eq 1 ]
    one_line "$output"
    run "$BROKER" restore "$T/broker" "$T/nothing"
    [ "$status" -eq 1 ]
    one_line "$output"
    "$BROKER" init "$T/other" --name Other >/dev/null
    run "$BROKER" restore "$T/other" "$T/backup.db"
    echo "$output"
    [ "$status" -eq 1 ]
    one_line "$output"
    mkdir -m 700 "$T/empty"
    run "$BROKER" restore "$T/empty" "$T/backup.db"
    echo "$output"
    [ "$status" -eq 1 ]
    one_line "$output"
    cp "$T/backup.db" "$T/damaged.db"
    printf 'damage' | dd of="$T/damaged.db" bs=1 seek=9000 conv=notrunc 2>/dev/null
    run "$BROKER" restore "$T/broker" "$T/damaged.db"
    echo "$output"
    # whatever came of these, the home is as it was
    start_broker
    verify_ok
    "$BROKER" verify --home "$T/broker" --json | jq -e '.tips == 1'
    # a new home with the keys of the old one: the tip is there, readable
    stop broker
    mkdir -m 700 "$T/moved"
    cp -p "$T"/broker/{core.key,transport.key,issuer.key,issuer.cert,authority.pub,district.id,settings.json,daykeys.db} "$T/moved/"
    "$BROKER" restore "$T/moved" "$T/backup.db"
    rm -rf "$T/broker"; mv "$T/moved" "$T/broker"
    start_broker
    make_desk desk west
    start_desk desk
    wait_for desk_has desk 1
    desk_list desk | jq -e '.text == "one"'
}
