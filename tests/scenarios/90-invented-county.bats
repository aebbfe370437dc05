#!/usr/bin/env bats
# The invented county is the same on every machine, and the broker finds no fault with it.
# quick

setup() {
    mkdir "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/two"
    "$PATROL_BUILD/county" make "$BATS_TEST_TMPDIR/one"
}

@test "the same number gives the same county, another one another" {
    "$PATROL_BUILD/county" make "$BATS_TEST_TMPDIR/two"
    cmp "$BATS_TEST_TMPDIR/one/areas.geojson" "$BATS_TEST_TMPDIR/two/areas.geojson"
    cmp "$BATS_TEST_TMPDIR/one/places.csv" "$BATS_TEST_TMPDIR/two/places.csv"
    "$PATROL_BUILD/county" make "$BATS_TEST_TMPDIR/two" --county 8
    run cmp -s "$BATS_TEST_TMPDIR/one/areas.geojson" "$BATS_TEST_TMPDIR/two/areas.geojson"
    [ "$status" -eq 1 ]
    [ "$("$PATROL_BUILD/county" tips --count 50 | sha256sum)" = "$("$PATROL_BUILD/county" tips --count 50 | sha256sum)" ]
}

@test "towns and county: no overlap, no gap, no fault" {
    run "$PATROL_BUILD/patrol-broker" areas check "$BATS_TEST_TMPDIR/one/areas.geojson"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a broker takes areas and places, and each town's seat belongs to its own station" {
    "$PATROL_BUILD/patrol-broker" init "$BATS_TEST_TMPDIR/home" --name Chengxi --areas "$BATS_TEST_TMPDIR/one/areas.geojson" \
        --places "$BATS_TEST_TMPDIR/one/places.csv"
    local towns=0
    while IFS=, read -r name lat lon kind _; do
        [ "$kind" = town ] || continue
        run "$PATROL_BUILD/patrol-broker" areas explain --home "$BATS_TEST_TMPDIR/home" --at "$lat,$lon" --kind dispute --json
        echo "$name: $output"
        [ "$status" -eq 0 ]
        [[ "$(jq -r .name <<<"$output")" == "${name%镇}"* ]]
        towns=$((towns + 1))
    done <"$BATS_TEST_TMPDIR/one/places.csv"
    [ $towns -eq 6 ]
}

@test "the map is well-formed and shows an incident where it happened" {
    echo '{"type":"tip","role":"owner","severity":"red","lat":33.05,"lon":109.42}' >"$BATS_TEST_TMPDIR/incidents.jsonl"
    "$PATROL_BUILD/county" map --incidents "$BATS_TEST_TMPDIR/incidents.jsonl" >"$BATS_TEST_TMPDIR/map.svg"
    grep -q '<circle cx="640.0" cy="502.0" r="7.0"' "$BATS_TEST_TMPDIR/map.svg"
    [ "$(tail -1 "$BATS_TEST_TMPDIR/map.svg")" = "</svg>" ]
}
