#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A node takes its position from a gpsd: one that comes later, goes away and comes back.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    command -v gpsd >/dev/null || PATH=$PATH:/usr/sbin
    make_broker
    start_broker
    make_node sam
}

nmea() {
    local body=$1 sum=0 i
    for ((i = 0; i < ${#body}; i++)); do sum=$((sum ^ $(printf '%d' "'${body:i:1}"))); done
    printf '$%s*%02X\r\n' "$body" "$sum"
}
# A receiver that stands still, one fix a second.
receiver() {
    while :; do
        { nmea "GPGGA,$(date -u +%H%M%S).00,3418.0000,N,10854.0000,E,1,08,0.9,400.0,M,0.0,M,,"
          nmea "GPRMC,$(date -u +%H%M%S).00,A,3418.0000,N,10854.0000,E,0.0,0.0,$(date -u +%d%m%y),,,A"; } >"/dev/udp/127.0.0.1/$1"
        sleep 1
    done
}
start_gpsd() { spawn gpsd gpsd -N -n -S "$(mesh_port gpsd)" "udp://127.0.0.1:$(mesh_port nmea)"; }
has_fix() { mesh_is sam '.gpsd.connected and .gpsd.fix_s != null' true; }

@test "a node takes its position from a gpsd" {
    start_mesh sam -- --no-broker --gpsd "127.0.0.1:$(mesh_port gpsd)"
    wait_for grep -q "gpsd: 127.0.0.1:.*: Connection refused; trying every 10 s" "$T/sam.err"
    "$NODE" mesh --home "$T/sam" | grep -q "no connection to gpsd"
    start_gpsd
    wait_for mesh_is sam '.gpsd.connected' true
    mesh_is sam '.gpsd.fix_s' null
    spawn receiver receiver "$(mesh_port nmea)"
    wait_for has_fix
    "$NODE" mesh --home "$T/sam" | grep -q "gpsd gave it"
    stop gpsd
    wait_for mesh_is sam '.gpsd.connected' false
    grep -q "gpsd: 127.0.0.1:.*: closed the connection" "$T/sam.err"
    # only a fix of the new connection counts
    start_gpsd
    wait_for has_fix
    stop sam
    stop receiver KILL
}

@test "an address of no gpsd is named" {
    run -2 "$NODE" run --home "$T/sam" --gpsd nowhere
    [[ $output == *'--gpsd "nowhere" is not usable; write 127.0.0.1:2947'* ]]
}
