#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# What a person, a file or a clock gets wrong is refused in one clear line that names the value, nothing is lost by it and
# nothing is half done.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_broker
    start_broker
}

# refused_line EXIT PATTERN COMMAND...: exit code, one line on stderr, the wrong value in it
refused_line() {
    local code=$1 pattern=$2; shift 2
    run --separate-stderr "$@"
    echo "exit $status: $stderr"
    [ "$status" -eq "$code" ]
    [ -z "$output" ]
    one_line "$stderr"
    grep -qi -- "$pattern" <<<"$stderr"
}

# a map with one bad feature beside a good one: NAME COORDINATES (of the ring)
bad_map() {
    printf '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"station":"good"},"geometry":{"type":"Polygon","coordinates":[[[109,33],[109.1,33],[109.1,33.1],[109,33.1],[109,33]]]}},
{"type":"Feature","properties":{"station":"bad"},"geometry":{"type":"Polygon","coordinates":[%s]}}]}' "$2" >"$T/$1.geojson"
}

@test "area files: crossed, unclosed, swapped, not finite, not JSON; each names its feature and the old map stays" {
    bad_map crossed '[[110,33],[110.1,33.1],[110.1,33],[110,33.1],[110,33]]'
    bad_map unclosed '[[110,33],[110.1,33],[110.1,33.1],[110,33.1]]'
    bad_map swapped '[[33,110],[33.1,110],[33.1,110.1],[33,110.1],[33,110]]'
    bad_map short '[[110,33],[110.1,33],[110,33]]'
    bad_map nan '[[110,33],[NaN,33],[110.1,33.1],[110,33.1],[110,33]]'
    bad_map huge '[[110,33],[1e999,33],[110.1,33.1],[110,33.1],[110,33]]'
    bad_map words '[[110,33],["a",33],[110.1,33.1],[110,33.1],[110,33]]'
    bad_map deep "$(printf '[%.0s' $(seq 3000))"
    printf '\xff\xfe not json' >"$T/bytes.geojson"
    : >"$T/empty.geojson"
    local before name; before=$(figure .areas_version)
    for name in crossed unclosed swapped short nan huge words deep bytes empty missing; do
        run --separate-stderr "$BROKER" areas check "$T/$name.geojson"
        echo "$name: exit $status: $stderr"
        [ "$status" -eq 1 ]
        [ -n "$stderr" ]
        [ "$(wc -l <<<"$stderr")" -le 4 ]
        case $name in crossed|unclosed|swapped|short) grep -q "feature" <<<"$stderr"; grep -q "bad" <<<"$stderr";; esac
        run "$BROKER" areas load --home "$T/broker" "$T/$name.geojson"
        [ "$status" -eq 1 ]
    done
    run --separate-stderr "$BROKER" areas check "$T/swapped.geojson"
    grep -qiE "lat|lon|swap|range" <<<"$stderr"
    [ "$(figure .areas_version)" = "$before" ]
    "$BROKER" areas explain --home "$T/broker" --at "$WEST" --json | jq -e '.station == "west"'
    # and no home is made with such a map
    run "$BROKER" init "$T/other" --name Other --areas "$T/crossed.geojson"
    [ "$status" -eq 1 ]
    [ ! -e "$T/other/core.key" ]
    [ ! -e "$T/other/log.db" ]
}

@test "a byte order mark before a map, a gazetteer or an import is no fault" {
    { printf '\xef\xbb\xbf'; cat "$T/areas.geojson"; } >"$T/bom.geojson"
    "$BROKER" areas check "$T/bom.geojson"
    printf '\xef\xbb\xbfname,lat,lon,kind,area,aliases\r\nEast gate,33.05,109.15,gate,,\r\n' >"$T/bom.csv"
    "$BROKER" places load --home "$T/broker" "$T/bom.csv"
    "$BROKER" places find --home "$T/broker" "east gate" --json | jq -e '.name == "East gate" and .lat == 33.05'
    make_node ann
    printf '\xef\xbb\xbf{"kind":"hazard","at":"33.05,109.05","text":"first"}\r\n{"kind":"hazard","at":"33.05,109.05","text":"second"}\r\n' >"$T/bom.jsonl"
    "$NODE" import --home "$T/ann" "$T/bom.jsonl"
    [ "$(in_state ann held)" -eq 2 ]
}

@test "gazetteers: a wrong header, a latitude out of range, a row cut short; the line is named, nothing is loaded" {
    printf 'name,lat,lon,kind,area,aliases\nGood,33,109,town,,\n' >"$T/good.csv"
    "$BROKER" places load --home "$T/broker" "$T/good.csv"
    printf 'title,lat\nx,1\n' >"$T/header.csv"
    printf 'name,lat,lon,kind,area,aliases\nFirst,33,109,town,,\nFar,133,109,town,,\n' >"$T/range.csv"
    printf 'name,lat,lon,kind,area,aliases\nFirst,33,109,town,,\nBad,nan,109,town,,\n' >"$T/nan.csv"
    printf 'name,lat,lon,kind,area,aliases\n"no end,33,109,town,,\n' >"$T/quote.csv"
    printf 'name,lat,lon,kind,area,aliases\n\xff\xfe,33,109,town,,\n' >"$T/bytes.csv"
    local name
    for name in header range nan quote bytes; do
        run "$BROKER" places load --home "$T/broker" "$T/$name.csv"
        echo "$name: $status $output"
        [ "$status" -eq 1 ]
        [ -n "$output" ]
    done
    run "$BROKER" places load --home "$T/broker" "$T/range.csv"
    grep -q "3" <<<"$output"
    "$BROKER" places find --home "$T/broker" Good --json | jq -e '.lat == 33'
}

@test "a tip typed wrong: one line that says what would be right, nothing is kept" {
    make_node ann
    local write=("$NODE" tip --home "$T/ann")
    refused_line 2 "ufo" "${write[@]}" --kind ufo --at "$WEST" "text"
    refused_line 2 "purple" "${write[@]}" --kind hazard --severity purple --at "$WEST" "text"
    refused_line 2 "nan" "${write[@]}" --kind hazard --at "nan,109" "text"
    refused_line 2 "inf" "${write[@]}" --kind hazard --at "33,inf" "text"
    # 109 cannot be a latitude: the line says which comes first
    refused_line 2 "lat" "${write[@]}" --kind hazard --at "109.05,33.05" "text"
    refused_line 2 "33.05" "${write[@]}" --kind hazard --at "33.05" "text"
    refused_line 2 "mars" "${write[@]}" --kind hazard --at "$WEST" --datum mars "text"
    refused_line 2 "minus" "${write[@]}" --kind hazard --at "$WEST" --accuracy minus "text"
    refused_line 2 "yesterday" "${write[@]}" --kind hazard --at "$WEST" --seen yesterday "text"
    refused_line 2 "2999" "${write[@]}" --kind hazard --at "$WEST" --seen 2999-01-01T00:00:00Z "text"
    refused_line 2 "kind" "${write[@]}" --at "$WEST" "text"
    refused_line 2 "text" "${write[@]}" --kind hazard --at "$WEST" ""
    refused_line 2 "4000" "${write[@]}" --kind hazard --at "$WEST" "$(head -c 100000 /dev/zero | tr '\0' a)"
    refused_line 2 "text" "${write[@]}" --kind hazard --at "$WEST" "$(printf 'over-long \xc0\xaf')"
    refused_line 2 "text" "${write[@]}" --kind hazard --at "$WEST" "$(printf 'bell \x07')"
    refused_line 2 "text" "${write[@]}" --kind hazard --at "$WEST" "$(printf 'turned \xe2\x80\xae round')"
    refused_line 2 "place" "${write[@]}" --kind hazard --at "$WEST" --place "$(head -c 300 /dev/zero | tr '\0' a)" "text"
    refused_line 2 "soon" "${write[@]}" --kind hazard --at "$WEST" --wait soon "text"
    refused_line 2 "ages" "${write[@]}" --kind hazard --at "$WEST" --wait accepted --timeout ages "text"
    [ -z "$("$NODE" status --home "$T/ann" --json)" ]
    # the longest text that is right, in characters of three bytes, arrives whole
    start_node ann
    make_desk desk west
    start_desk desk
    local long; long=$(printf '火%.0s' $(seq 1333))
    local id; id=$(tip ann --kind hazard --at "$WEST" "$long")
    wait_for state_is ann "$id" delivered
    [ "$(desk_list desk | jq -r .text)" = "$long" ]
}

@test "an import with bad lines: each is told with its number, the good ones are kept, once" {
    make_node ann
    {
        echo '{"kind":"hazard","at":"33.05,109.05","text":"good one"}'
        echo 'not json'
        echo '{"kind":"hazard","at":"33.05,109.05","text":"bad key","colour":"red"}'
        echo '{"kind":"ufo","at":"33.05,109.05","text":"bad kind"}'
        printf '{"kind":"hazard","text":"%s"}\n' "$(head -c 1000000 /dev/zero | tr '\0' a)"
        printf '{"kind":"hazard","text":"over-long \xc0\xaf"}\n'
        echo '{"kind":"hazard","kind":"fire","text":"two kinds"}'
        echo
        printf '{"kind":"hazard","at":"33.05,109.05","text":"good two, no end of line"}'
    } >"$T/mixed.jsonl"
    run --separate-stderr "$NODE" import --home "$T/ann" "$T/mixed.jsonl"
    echo "$output"; echo "$stderr" | cut -c1-300
    [ "$status" -eq 1 ]
    local line
    for line in 2 3 4 5 6 7; do [ "$(grep -c "line $line:" <<<"$stderr")" -eq 1 ]; done
    absent "line 1:" - <<<"$stderr"
    absent "line 9:" - <<<"$stderr"
    [ "$("$NODE" status --home "$T/ann" --json | jq -r .text | paste -sd'|')" = "good one|good two, no end of line" ]
    run "$NODE" import --home "$T/ann" "$T/mixed.jsonl"
    [ "$(in_state ann held)" -eq 2 ]
}

@test "a node's clock two years off: its tips arrive, marked and corrected, and it is told so" {
    make_desk desk west
    start_desk desk
    local off
    for off in +2y -2y; do
        local name=node$off
        make_node "$name"
        clock_off "$off"
        PREFIX=("${FAKE[@]}")
        start_node "$name"
        PREFIX=()
        local id
        id=$(tip "$name" --kind lost --at "$WEST" "clock $off") # a kind that never merges
        wait_for state_is "$name" "$id" delivered
        wait_for says_clock "$name" "$id"
        # what the desk is shown as seen is near the truth
        desk_list desk | jq -r --arg text "clock $off" 'select (.text == $text) | .seen' >"$T/seen"
        local said; said=$(date -d "$(cat "$T/seen")" +%s)
        echo "$off: seen $(cat "$T/seen")"
        [ $((said - $(date +%s))) -ge -300 ]
        [ $((said - $(date +%s))) -le 300 ]
        stop "$name"
    done
    # log times did not jump
    "$BROKER" verify --home "$T/broker" --json | jq -e .ok
    local newest; newest=$(desk_list desk | jq -rs 'map (.at) | max')
    [ $(($(date -d "$newest" +%s) - $(date +%s))) -le 300 ]
}
says_clock() { tip_status "$1" "$2" | jq -e '.clock_offset_ms != null and (.clock_offset_ms | fabs) > 60000000000'; }

@test "damaged files of a home: one line that names the file" {
    make_node ann
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$WEST" --wait accepted "before")
    stop ann
    cp -a "$T/ann" "$T/copy"
    echo 'not json' >"$T/copy/device.json"
    refused_line 1 "device.json" "$NODE" status --home "$T/copy"
    rm -rf "$T/copy"; cp -a "$T/ann" "$T/copy"
    head -c 20000 /dev/urandom >"$T/copy/outbox.db"; rm -f "$T"/copy/outbox.db-*
    run "$NODE" status --home "$T/copy"
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q "outbox.db" <<<"$output"
    rm -rf "$T/copy"; cp -a "$T/ann" "$T/copy"
    chmod 644 "$T/copy/device.key"
    run "$NODE" status --home "$T/copy"
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q "device.key" <<<"$output"
    refused_line 2 "patrol-broker" "$NODE" status --home "$T/broker"
    refused_line 1 "nowhere" "$NODE" status --home "$T/nowhere"
    refused_line 1 "$T/nowhere: cannot be used as a home" "$BROKER" status --home "$T/nowhere"
    run "$BROKER" status --home "$T/ann"
    [ "$status" -eq 1 ]
    [ -n "$output" ]
    state_is ann "$id" accepted
}
