#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# A tip with only the name of a place: found, ambiguous, decided by who asks and from where, or left for an officer to place. And `places find`.
bats_require_minimum_version 1.5.0
load helpers

# towns of one name in both stations' areas; the county around the western one has two names
write_places() {
    cat >"$1" <<'PLACES'
name,lat,lon,kind,area,aliases
旬阳市,,,county,,旬阳县;Xunyang
城关镇,33.05,109.05,town,旬阳市,Chengguan
蜀河镇,,,town,旬阳市,Shuhe
兰滩社区,33.02,109.02,village,旬阳市蜀河镇,
龙潭村委会,,,village,旬阳市蜀河镇,
汉阴县,33.06,109.16,county,,Hanyin
城关镇,33.05,109.15,town,汉阴县,Chengguan
东桥岗,33.051,109.151,post,汉阴县城关镇,
PLACES
}

setup() {
    write_places "$T/places.csv"
    make_broker --places "$T/places.csv"
    start_broker
}
find_json() { "$BROKER" places find --home "$T/broker" "$@" --json; }
west_and_east() {
    make_desk west west
    make_desk east east
    start_desk west
    start_desk east
}
# the one incident of a desk, once it is there
one_incident() { desk_list "$1" | jq -es 'length == 1'; }

@test "a bare name is ambiguous: unlocated, the desk is asked to place it, and it is placed by hand" {
    make_coordinator boss
    make_node ann
    start_node ann
    local id incident
    id=$(tip ann --kind order --place "城关镇" "a quarrel that is turning")
    wait_for state_is ann "$id" accepted
    incident=$(incident_of ann "$id")
    start_desk boss
    desk_list boss | jq -es '.[0] | .unlocated and .station == "district" and .place == "城关镇" and (has ("lat") | not)
        and (.why | contains ("ambiguous: 2 places") and contains ("旬阳市 城关镇") and contains ("汉阴县 城关镇"))'
    run --separate-stderr "$DESK" list --home "$T/boss" --lang en
    [[ "$output" == *"to be placed"* ]]
    [[ "$stderr" == *"1 to be placed by hand: patrol-desk place"* ]]
    run --separate-stderr "$DESK" list --home "$T/boss" --lang zh
    [[ "$output" == *"待定位"* && "$stderr" == *"1 起待人工定位"* ]]
    run "$DESK" watch --home "$T/boss" --from start --count 1 --lang en
    [[ "$output" == *"to be placed"* ]]
    "$DESK" place --home "$T/boss" "$incident" --at "$EAST" --as Li
    desk_list boss | jq -es '.[0] | (has ("unlocated") | not) and .lat == 33.05 and .lon == 109.15 and (.place == "East town 城关镇")'
    run --separate-stderr "$DESK" list --home "$T/boss" --lang en
    [ -z "$stderr" ]
    verify_ok
}

@test "the same name from a member whose home is east, from one whose unit is the county, and from where a device was last" {
    make_node eve --station east
    make_node uma --unit "旬阳县"
    make_node ann
    west_and_east
    local id
    start_node eve
    id=$(tip eve --kind order --place "城关镇" "at home")
    wait_for state_is eve "$id" delivered
    wait_for one_incident east
    desk_list east | jq -es '.[0] | .lon == 109.15 and (has ("unlocated") | not) and (.why | contains ("first of 2, home area"))'
    start_node uma
    id=$(tip uma --kind order --place "Chengguan" "in her unit")
    wait_for state_is uma "$id" delivered
    desk_list west | jq -es 'length == 1 and .[0].lon == 109.05 and (.[0].why | contains ("home area"))'
    start_node ann
    id=$(tip ann --kind order --at 33.04,109.06 "I am here")
    wait_for state_is ann "$id" delivered
    id=$(tip ann --kind other --place "城关镇" "and this is near")
    wait_for state_is ann "$id" delivered
    desk_list west | jq -es 'map (select (.text == "and this is near")) | .[0].lon == 109.05 and (.[0].why | contains ("near the last place"))'
    # what an anonymous tip tells does not depend on where its device was
    id=$(tip ann --kind order --anonymous --place "城关镇" "nobody said this")
    wait_for state_is ann "$id" accepted
    [ "$(tip_status ann "$id" | jq -r .station)" = district ]
}

@test "county and name settle it; a place without a point has its neighbours' and says so; nothing known stays unlocated" {
    make_node ann
    west_and_east
    start_node ann
    local id
    id=$(tip ann --kind hazard --place "汉阴县城关镇北街12号门口" "gas")
    wait_for state_is ann "$id" delivered
    desk_list east | jq -es '.[0] | .lon == 109.15 and (.why | contains ("placed by name: 汉阴县 城关镇"))'
    id=$(tip ann --kind hazard --place "Shuhe, Xunyang" "smoke")
    wait_for state_is ann "$id" delivered
    desk_list west | jq -es '.[0] | .lon == 109.02 and .accuracy >= 3000 and (.why | contains ("point derived"))'
    # a part of a name, of a place that nothing says is near
    id=$(tip ann --kind hazard --place "滩社" "which one?")
    wait_for state_is ann "$id" accepted
    [ "$(tip_status ann "$id" | jq -r .station)" = district ]
    id=$(tip ann --kind hazard --place "月亮背面" "craters")
    wait_for state_is ann "$id" accepted
    [ "$(tip_status ann "$id" | jq -r .station)" = district ]
}

@test "a post's tip without a place is at the post; a unit's tip goes to its home station, unlocated" {
    make_node post --unit "东桥岗"
    make_node vol --unit "城关镇" --station west
    west_and_east
    start_node post
    start_node vol
    local id
    id=$(tip post --kind suspicious "a man looks into cars")
    wait_for state_is post "$id" delivered
    desk_list east | jq -es '.[0] | .lon == 109.151 and .accuracy == 50 and (.why | startswith ("at the sender'"'"'s post")) and (has ("unlocated") | not)'
    id=$(tip vol --kind suspicious "somewhere here")
    wait_for state_is vol "$id" delivered
    desk_list west | jq -es '.[0] | .unlocated and (has ("lat") | not) and (.why | contains ("home station"))'
    # anonymous: a post would tell who it was
    id=$(tip post --anonymous --kind suspicious "from nobody")
    wait_for state_is post "$id" accepted
    [ "$(tip_status post "$id" | jq -r .station)" = district ]
}

@test "places find: candidates, ambiguity, --near, derived points, letters, both languages" {
    find_json "城关镇" | jq -es 'length == 2 and all (.[]; .ambiguous and .candidates == 2 and .confidence <= 0.5 and (has ("distance_m") | not))'
    find_json "城关镇" --near "$EAST" | jq -es 'length == 2 and (.[0] | .area == "汉阴县" and (.ambiguous | not) and .confidence > 0.7 and .distance_m < 100)'
    find_json "旬阳县蜀河镇" | jq -es 'length == 1 and (.[0] | .name == "蜀河镇" and .area == "旬阳市" and .derived and .lon == 109.02)'
    find_json "Xunyang Shuhe" | jq -es '.[0].name == "蜀河镇" and .[0].derived'
    find_json "龙潭" | jq -es '.[0] | .name == "龙潭村委会" and .derived'
    find_json "滩社" | jq -es '.[0].name == "兰滩社区"'
    run --separate-stderr "$BROKER" places find --home "$T/broker" "城关镇" --near "$WEST" --lang zh
    [ "$status" -eq 0 ]
    [[ "$output" == *"距离"*"旬阳市"* && "$output" != *"有歧义"* ]]
    run --separate-stderr "$BROKER" places find --home "$T/broker" "城关镇" --lang zh
    [[ "$output" == *"有歧义：共 2 处"* ]]
    run --separate-stderr "$BROKER" places find --home "$T/broker" "蜀河" --lang en
    [[ "$output" == *"33.02000,109.02000 ~"* && "$output" == *"no point of its own"* ]]
}

@test "places find: wrong input is one line" {
    run "$BROKER" places find --home "$T/broker" "月亮背面" --lang zh
    [ "$status" -eq 5 ]; one_line "$output"; [[ "$output" == *"月亮背面"* ]]
    run "$BROKER" places find --home "$T/broker" ""
    [ "$status" -eq 2 ]; one_line "$output"
    run "$BROKER" places find --home "$T/broker" "$(printf 'a\xff')"
    [ "$status" -eq 2 ]; one_line "$output"
    run "$BROKER" places find --home "$T/broker" "$(head -c 201 /dev/zero | tr '\0' a)"
    [ "$status" -eq 2 ]; one_line "$output"
    run "$BROKER" places find --home "$T/broker" "城关" --near 109.1,33.0
    [ "$status" -eq 2 ]; one_line "$output"; [[ "$output" == *"109.1,33.0"* ]]
    run --separate-stderr "$BROKER" places find --home "$T/broker" "月亮背面" --json
    [ "$status" -eq 5 ]; [ -z "$output" ]
}

@test "places load while the broker runs: swapped in whole; a fault is one line and the old one stays" {
    printf 'name,lat,lon,kind,area,aliases\n新桥,33.01,109.01,bridge,,\n' >"$T/new.csv"
    printf 'name,lat,lon,kind,area,aliases\n新桥,33.01,109.01,bridge,,\n老桥,133,109,bridge,,\n' >"$T/bad.csv"
    run "$BROKER" places load --home "$T/broker" "$T/bad.csv"
    [ "$status" -eq 1 ]; one_line "$output"; [[ "$output" == *"line 3: lat '133'"* ]]
    find_json "蜀河镇" | jq -es 'length == 1'
    run --separate-stderr "$BROKER" places load --home "$T/broker" "$T/new.csv" --json
    [ "$status" -eq 0 ]
    jq -e '.places == 1' <<<"$output"
    run "$BROKER" places find --home "$T/broker" "蜀河镇"
    [ "$status" -eq 5 ]
    kill9_broker
    start_broker
    find_json "新桥" | jq -es '.[0].lat == 33.01'
    verify_ok
}
