# shellcheck shell=bash
# What the scenarios share: a small district of two stations, processes by name, waiting for a condition.
#   load helpers; setup() { make_broker; start_broker; make_node ann; ... }
# Homes and logs lie in $T; every process is started by `spawn` and ended by its pid in teardown.

PATROL_BUILD=${PATROL_BUILD:-$PWD/build}
BROKER=$PATROL_BUILD/patrol-broker NODE=$PATROL_BUILD/patrol-node DESK=$PATROL_BUILD/patrol-desk
T=$BATS_TEST_TMPDIR
PATIENCE=${PATROL_PATIENCE:-40}         # seconds a condition may take; a bound, never a measured promise
unset PATROL_HOME PATROL_OFFICER LANGUAGE LC_MESSAGES
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC

# well inside the two stations' areas, and outside both
WEST=33.05,109.05 EAST=33.05,109.15
export WEST EAST

# ---- waiting

# wait_for COMMAND...: until it succeeds. Shows what the processes said if it never does.
wait_for() {
    local until=$((SECONDS + PATIENCE))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $until ]; then
            echo "never came true: $*"
            return 1
        fi
        sleep 0.1
    done
}

# ---- processes, by name: NAME.pid, NAME.out, NAME.err in $T

spawn() {
    local name=$1; shift
    : >"$T/$name.out"
    "$@" >"$T/$name.out" 2>>"$T/$name.err" 3>&- &
    echo $! >"$T/$name.pid"
}

pid_of() { cat "$T/$1.pid"; }
alive() { [ -e "$T/$1.pid" ] && kill -0 "$(pid_of "$1")" 2>/dev/null; }
dead() { ! alive "$1"; }

# ends NAME and returns its exit status; bounded
stop() {
    local name=$1 signal=${2:-TERM} pid status=0
    pid=$(pid_of "$name")
    # bash would tell of every child that was killed
    [ "$signal" != KILL ] || disown "$pid" 2>/dev/null || true
    kill -s "$signal" "$pid" 2>/dev/null || true
    wait_for dead "$name" || { kill -s KILL "$pid" 2>/dev/null; return 1; }
    rm -f "$T/$name.pid"
    [ "$signal" != KILL ] || return 0
    wait "$pid" 2>/dev/null || status=$?
    return $status
}

kill9() { stop "$1" KILL; }

# a line that no process may have said: the sanitizers'
no_sanitizer_report() {
    ! grep -l 'AddressSanitizer\|LeakSanitizer\|runtime error:' "$T"/*.err 2>/dev/null
}

end_all() {
    local file pid until=$((SECONDS + 10))
    for file in "$T"/*.pid; do
        [ -e "$file" ] || continue
        kill -TERM "$(<"$file")" 2>/dev/null || true
        kill -CONT "$(<"$file")" 2>/dev/null || true
    done
    for file in "$T"/*.pid; do
        [ -e "$file" ] || continue
        pid=$(<"$file")
        while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $until ]; do sleep 0.05; done
        kill -KILL "$pid" 2>/dev/null || true
    done
}

teardown() {
    end_all
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        local file
        for file in "$T"/*.err; do
            [ -s "$file" ] || continue
            echo "--- $(basename "$file")"
            tail -n 25 "$file"
        done
    fi
    [ -z "${PORT:-}" ] || rmdir "${TMPDIR:-/tmp}/patrol-port-$PORT" 2>/dev/null || true
    no_sanitizer_report
}

# Fewer ports than the system hands out by itself; the folder keeps two suites that run side by side apart.
pick_port() {
    local try
    for try in $(seq 200); do
        PORT=$((20000 + (RANDOM * 32768 + RANDOM + try) % 12000))
        mkdir "${TMPDIR:-/tmp}/patrol-port-$PORT" 2>/dev/null || continue
        if ! (exec 7<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then return 0; fi
        rmdir "${TMPDIR:-/tmp}/patrol-port-$PORT"
    done
    return 1
}

# ---- the district

# two stations side by side, an area each of a tenth of a degree
write_areas() {
    cat >"$1" <<'AREAS'
{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"station":"west","name":"West town","level":1},
 "geometry":{"type":"Polygon","coordinates":[[[109.0,33.0],[109.1,33.0],[109.1,33.1],[109.0,33.1],[109.0,33.0]]]}},
{"type":"Feature","properties":{"station":"east","name":"East town","level":1},
 "geometry":{"type":"Polygon","coordinates":[[[109.1,33.0],[109.2,33.0],[109.2,33.1],[109.1,33.1],[109.1,33.0]]]}}
]}
AREAS
}

make_broker() {
    pick_port
    write_areas "$T/areas.geojson"
    "$BROKER" init "$T/broker" --name Test --areas "$T/areas.geojson" --listen "tcp://127.0.0.1:$PORT" "$@" >/dev/null 2>>"$T/init.err" \
        || { cat "$T/init.err"; return 1; }
}

broker_ready() { [ -s "$T/broker.out" ]; }
home_is_free() { flock -n "$1/lock" true; }

# start_broker [PREFIX...]: PREFIX stands before the command, e.g. env LD_PRELOAD=...
start_broker() {
    spawn broker "$@" "$BROKER" run --home "$T/broker"
    wait_for broker_ready || { cat "$T/broker.err"; return 1; }
}

# the whole program at once, as at a power cut; the children die with their parent
kill9_broker() {
    kill9 broker
    wait_for home_is_free "$T/broker"
}

# broker_child core|front: its pid
broker_child() {
    local pid
    for pid in $(pgrep -P "$(pid_of broker)"); do
        if tr '\0' '\n' <"/proc/$pid/cmdline" | sed -n 2p | grep -qx "$1"; then echo "$pid"; return 0; fi
    done
    return 1
}

broker_status() { "$BROKER" status --home "$T/broker" --json; }
# figure FILTER: of the broker's status; figure_is FILTER VALUE
figure() { broker_status | jq -r "$1"; }
figure_is() { [ "$(figure "$1")" = "$2" ]; }
figure_above() { local have; have=$(figure "$1"); [ "${have:-0}" != null ] && [ "${have:-0}" -gt "$2" ]; }
desks_of() { figure_is ".stations[] | select (.station == \"$1\") | .desks" "$2"; }
verify_ok() { local said; said=$("$BROKER" verify --home "$T/broker" --json) || true; jq -e ".ok == true" <<<"$said" || { echo "$said"; return 1; }; }

# ---- members

invitation() { "$BROKER" invite --home "$T/broker" --json "$@" | jq -r .invitation; }

make_node() {
    local name=$1; shift
    "$NODE" join --home "$T/$name" "$(invitation --role node --name "$name" "$@")" >/dev/null
}
make_desk() { "$DESK" join --home "$T/$1" "$(invitation --role desk --station "$2" --name "$1")" >/dev/null; }
make_coordinator() { "$DESK" join --home "$T/$1" "$(invitation --role coordinator --name "$1")" >/dev/null; }
# a broker with the west's desk attached, and nodes that have joined
west_with() {
    local name
    make_broker
    start_broker
    for name in "$@"; do make_node "$name"; done
    make_desk desk west
    start_desk desk
    wait_for desks_of west 1
}

listens() { [ -S "$1/local.sock" ] && ! home_is_free "$1"; }
# start_node NAME [OPTIONS of run]; PREFIX=(...) stands before the command. Without beacons: nodes of one machine would find each other
start_node() {
    local name=$1; shift
    spawn "$name" "${PREFIX[@]}" "$NODE" run --home "$T/$name" --no-beacon "$@"
    wait_for listens "$T/$name"
}
start_desk() {
    local name=$1; shift
    spawn "$name" "${PREFIX[@]}" "$DESK" run --home "$T/$name" "$@"
    wait_for listens "$T/$name"
}
PREFIX=()

# ---- the mesh: nodes that listen on loopback and dial whom they are told to

# mesh_port NAME: the node's port, the same for the whole test
mesh_port() {
    local try port
    if [ ! -e "$T/$1.port" ]; then
        for try in $(seq 200); do
            port=$((13000 + (RANDOM * 32768 + RANDOM + try) % 7000))
            grep -qx "$port" "$T"/*.port 2>/dev/null && continue
            (exec 7<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
        done
        echo "$port" >"$T/$1.port"
    fi
    cat "$T/$1.port"
}
# start_mesh NAME [PEER...] [-- OPTIONS of run]
start_mesh() {
    local name=$1 options=(); shift
    options=(--listen "tcp://127.0.0.1:$(mesh_port "$name")")
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=(--peer "tcp://127.0.0.1:$(mesh_port "$1")"); shift
    done
    [ $# -eq 0 ] || shift
    start_node "$name" "${options[@]}" "$@"
}
mesh_of() { "$NODE" mesh --home "$T/$1" --json; }
# mesh_is NAME FILTER VALUE
mesh_is() { [ "$(mesh_of "$1" | jq -r "$2")" = "$3" ]; }
linked() { mesh_is "$1" '[.neighbours [] | select (.linked)] | length' "$2"; }
# carried by NAME, in all classes
carries() { mesh_is "$1" '.carried | .sos + .urgent + .normal + .bulk' "$2"; }

# meshfoe: an enrolled node, the home eve, that attacks NAME...; its own key as others show it
MESHFOE=$PATROL_BUILD/meshfoe
foe() {
    local attack=$1 peers=(); shift
    while [ $# -gt 0 ]; do peers+=("tcp://127.0.0.1:$(mesh_port "$1")"); shift; done
    spawn foe "$MESHFOE" "$T/eve" "$attack" "${peers[@]}"
    wait_for test -s "$T/foe.out"
}
foe_key() { sed -n 's/^key //p' "$T/foe.out"; }
# offended NAME OFFENCE: NAME has counted it under the foe's key
offended() { mesh_of "$1" | jq -e --arg key "$(foe_key)" --arg offence "$2" '.neighbours | any (.key == $key and .offences [$offence] > 0)'; }
# refused_by_key NAME KEY REASON: NAME has refused that key for that reason
refused_by_key() { mesh_of "$1" | jq -e --arg key "$2" --arg why "$3" '.refused_keys | any (.key == $key and .reasons [$why] > 0)'; }
# the device key of a home, as neighbours show it
own_key() { "$MESHFOE" "$T/$1" key | sed -n 's/^key //p'; }
# still_arrives NAME: a tip of NAME's gets to the desk over the gateway "gate", started beside the foe if it is not there
still_arrives() {
    local id
    alive gate || start_mesh gate "$1"
    id=$(tip "$1" --kind hazard --at "$WEST" "in spite of all")
    wait_for state_is "$1" "$id" delivered
    [ "$(desk_list desk | jq -s 'map (select (.text == "in spite of all")) | length')" -eq 1 ]
}
# within its budget NAME is still
within_budget() { mesh_is "$1" '.budget.bytes <= .budget.of' true; }

# times_in_order: the times that come in, one a line, never go back (a whole second has no fraction)
times_in_order() { sed -E 's/:([0-9]{2})Z$/:\1.000Z/' | sort -c; }

# clock_off HOW: FAKE, to stand before a command, sets its wall clock off, as libfaketime says
clock_off() {
    local lib; lib=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1
    # preloading it under a sanitizer's runtime does not work
    if ldd "$BROKER" | grep -q libasan; then skip "not under AddressSanitizer"; fi
    [ -e "$lib" ] || { echo "libfaketime is not installed: make setup"; return 1; }
    FAKE=(env "LD_PRELOAD=$lib" "FAKETIME=$1" FAKETIME_DONT_FAKE_MONOTONIC=1)
}

# slow_disk FILE MICROSECONDS: SLOW, to stand before a command, makes each of its writes to FILE take longer, so that a kill finds one under way
slow_disk() {
    SLOW=()
    if [ -e "$PATROL_BUILD/failio.so" ] && ! ldd "$BROKER" | grep -q libasan; then
        SLOW=(env "LD_PRELOAD=$PATROL_BUILD/failio.so" "FAILIO_FILE=$1" "FAILIO_SLOW_US=$2")
    fi
}

# ---- a node's tips

# tip NODE [OPTIONS] TEXT: prints its id
tip() { local name=$1; shift; "$NODE" tip --home "$T/$name" --json "$@" | jq -r .tip; }
tip_status() { "$NODE" status --home "$T/$1" --json "$2"; }
state_of() { tip_status "$1" "$2" | jq -r .state; }
state_is() { [ "$(state_of "$1" "$2")" = "$3" ]; }
incident_of() { tip_status "$1" "$2" | jq -r .incident; }
# how many tips of NODE are in STATE
in_state() { "$NODE" status --home "$T/$1" --json | jq -s "map (select (.state == \"$2\")) | length"; }
all_in_state() { [ "$(in_state "$1" "$2")" -eq "$3" ]; }
# import NODE COUNT KIND TEXT: COUNT tips in one commit
import_tips() {
    local name=$1 count=$2 kind=$3 text=$4 at=${5:-$WEST}
    seq "$count" | jq -c --arg kind "$kind" --arg text "$text" --arg at "$at" '{kind: $kind, at: $at, text: ($text + " " + tostring)}' >"$T/import.jsonl"
    "$NODE" import --home "$T/$name" "$T/import.jsonl" >/dev/null
}

# ---- what lies on the disks, read without touching it

sql() { sqlite3 -cmd ".timeout 5000" "file:$1?mode=ro" "$2"; }
# tips at a desk: how many rows, and how many different ones
desk_rows() { sql "$T/$1/desk.db" "SELECT count (*) FROM item WHERE type = 1"; }
desk_tips() { sql "$T/$1/desk.db" "SELECT count (DISTINCT tip) FROM item WHERE type = 1"; }
desk_has() { [ "$(desk_tips "$1")" -eq "$2" ]; }
# desk_list NAME [OPTIONS]: incidents as JSON lines
desk_list() { local name=$1; shift; "$DESK" list --home "$T/$name" --json "$@"; }

# absent PATTERN FILE...: in none of them (a bare `! grep` does not fail a bats test)
absent() {
    local pattern=$1; shift
    if grep -a -- "$pattern" "$@"; then echo "found: $pattern"; return 1; fi
}

# one_line TEXT: exactly one non-empty line
one_line() { [ -n "$1" ] && [ "$(wc -l <<<"$1")" -eq 1 ]; }
