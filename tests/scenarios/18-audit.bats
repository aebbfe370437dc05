#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Every read of tips leaves exactly one row in the audit trail, however many pages it took and also when it was refused; the
# rows are chained, and `verify` notices a changed, removed or missing one, and a changed log.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    make_coordinator chief
    start_node ann
    start_desk desk
    start_desk chief
    wait_for desks_of west 1
}

rows() { figure .audit_rows; }
# reads N COMMAND...: leaves N rows more
reads() {
    local want=$1 before after; shift
    before=$(rows)
    "$@" >/dev/null 2>&1 || true
    after=$(rows)
    echo "$*: $((after - before)) rows"
    [ $((after - before)) -eq "$want" ]
}

@test "one row a read, whoever reads, however long it is" {
    import_tips ann 1200 hazard "many"
    wait_for all_in_state ann delivered 1200
    local incident; incident=$(desk_list desk | jq -rs '.[0].incident')
    reads 1 "$DESK" list --home "$T/desk" --as Li
    reads 1 "$DESK" show --home "$T/desk" "$incident" --as Li
    reads 1 "$DESK" replay --home "$T/desk" --as Li --json
    reads 1 "$DESK" replay --home "$T/chief" --as Chen --json
    reads 1 "$DESK" replay --home "$T/chief" --as Chen --kind traffic --json
    reads 1 "$DESK" list --home "$T/chief" --as Chen --status closed
    # looked for and not found, or not allowed: on record as well
    reads 1 "$DESK" show --home "$T/desk" 0000000000011 --as Mallory
    # what the broker itself sends is no read
    reads 0 "$DESK" watch --home "$T/desk" --from start --count 5 --json
    reads 0 "$NODE" inbox --home "$T/ann"
    # who, what, and that it happened before the answer: the row is on disk
    sql "$T/broker/audit.db" "SELECT officer, ask, station FROM audit ORDER BY seq DESC LIMIT 1" | grep -qi "Mallory.*show\|Mallory.*west"
    [ "$(sql "$T/broker/audit.db" "SELECT count (*) FROM audit WHERE officer = 'Chen'")" -eq 3 ]
    verify_ok
}

watch_rows() { sql "$T/broker/audit.db" "SELECT count (*) FROM audit WHERE ask = 'watch'"; }
watch_rows_are() { [ "$(watch_rows)" -eq "$1" ]; }

@test "a coordinator's live feed is a read of every station: on record before the first tip goes out, once a connection" {
    import_tips ann 30 hazard "before"
    wait_for all_in_state ann delivered 30
    wait_for watch_rows_are 1
    [[ $(sql "$T/broker/audit.db" "SELECT role, officer, detail FROM audit WHERE ask = 'watch'") == *"live, after log position"* ]]
    stop chief
    start_desk chief
    import_tips ann 10 hazard "after"
    wait_for all_in_state ann delivered 40
    wait_for watch_rows_are 2
    verify_ok
    # no room for the row: the station gets its tips, the coordinator none until the trail can be written again
    stop chief
    local before; before=$(desk_rows chief)
    stop broker
    sqlite3 "$T/broker/audit.db" "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise (FAIL, 'no room'); END"
    start_broker
    start_desk chief
    import_tips ann 10 hazard "not for the chief"
    wait_for all_in_state ann delivered 50
    [ "$(desk_rows desk)" -eq 50 ]
    wait_for grep -q "no room" "$T/broker.err"
    [ "$(desk_rows chief)" -eq "$before" ]
    stop broker
    sqlite3 "$T/broker/audit.db" "DROP TRIGGER full"
    start_broker
    wait_for chief_has 50
    wait_for watch_rows_are 3
    verify_ok
}
chief_has() { [ "$(desk_rows chief)" -eq "$1" ]; }

tamper() { sqlite3 "$T/broker/$1" "$2"; }
not_verified() {
    run "$BROKER" verify --home "$T/broker" --json
    echo "$output"
    [ "$status" -eq 1 ]
    grep -qi -- "$1" <<<"$output"
}

prepare() {
    import_tips ann 10 hazard "few"
    wait_for all_in_state ann delivered 10
    local officer
    for officer in Li Wang Chen Zhao; do desk_list desk --as $officer >/dev/null; done
    stop broker
    cp -a "$T/broker" "$T/kept"
    "$BROKER" verify --home "$T/broker" --json | jq -e '.ok and .audit_rows >= 4'
}
again() { rm -rf "$T/broker"; cp -a "$T/kept" "$T/broker"; }

@test "verify notices a changed, a removed and a cut-off row of the audit trail" {
    prepare
    tamper audit.db "UPDATE audit SET officer = 'Nobody' WHERE officer = 'Wang'"
    not_verified "audit"
    again
    tamper audit.db "DELETE FROM audit WHERE officer = 'Wang'"
    not_verified "audit"
    again
    # the newest rows gone, as if nobody had looked last night: the log remembers how many there were
    tamper audit.db "DELETE FROM audit WHERE seq >= (SELECT min (seq) FROM audit WHERE officer = 'Wang')"
    not_verified "audit"
    again
    rm "$T"/broker/audit.db*
    not_verified "audit"
}

@test "verify notices a changed, a removed and a doubled record of the log, and a changed state" {
    prepare
    tamper log.db "UPDATE record SET body = zeroblob (length (body)) WHERE seq = (SELECT max (seq) - 2 FROM record)"
    not_verified "damaged\|record"
    again
    tamper log.db "DELETE FROM record WHERE seq = (SELECT max (seq) FROM record)"
    not_verified "record\|log\|state"
    again
    tamper log.db "DELETE FROM record WHERE seq = (SELECT max (seq) - 3 FROM record)"
    not_verified "record\|state\|differs"
    again
    tamper state.db "UPDATE incident SET status = 3, version = version + 1 WHERE id = (SELECT min (id) FROM incident)"
    not_verified "state"
    again
    tamper state.db "DELETE FROM taken WHERE counter = 3"
    not_verified "state"
}
