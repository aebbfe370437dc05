#!/usr/bin/env bats
# What the documents tell people to type works: the marked blocks of docs/, and the tour of README.md.

load helpers

# blocks FILE: the ```sh blocks that begin with the mark, as numbered scripts; prints their names
blocks() {
    awk -v prefix="$T/$(basename "$1" .md)" '
        /^```sh$/ { inside = 1; first = 1; next }
        /^```$/ { if (name) { close (name); print name } inside = 0; name = ""; next }
        inside && first { first = 0; if ($0 == "# run-in-test") name = sprintf ("%s-%02d.sh", prefix, ++count) }
        inside && name { print > name }' "$1"
}

# run_blocks FILE: each in a shell of its own, in order
run_blocks() {
    local block count=0
    for block in $(blocks "$1"); do
        count=$((count + 1))
        (cd "$T/work" && bash -eu "$block" </dev/null >"$block.out" 2>&1 3>&-) || {
            echo "failed: $block"; cat "$block" "$block.out"
            return 1
        }
    done
    [ $count -gt 0 ]
}

# tour FILE: the indented commands of the section "Five minutes by hand"
tour() {
    awk '/^## / { inside = /Five minutes by hand|五分钟亲手走一遍/ } inside && /^    / { print substr ($0, 5) }' "$1"
}

setup() {
    pick_port
    mkdir "$T/work"
    write_areas "$T/areas.geojson"
    printf 'name,lat,lon,kind,area,aliases\nWest market,33.05,109.05,market,,\n' >"$T/places.csv"
    export DIR=$T/home AREAS=$T/areas.geojson PLACES=$T/places.csv PORT PATH=$PATROL_BUILD:$PATH
}

@test "docs/operations.md and docs/security.md: every marked block runs, one after the other" {
    run_blocks docs/operations.md
    run_blocks docs/security.md
    # what they were to show
    grep -q '"station": *"west"' "$T"/operations-03.sh.out
    "$BROKER" members --home "$DIR" --json | jq -e 'select (.name == "17") | .state == "revoked"'
    [ "$("$BROKER" status --home "$DIR-new" --json | jq .incarnation)" -gt 1 ]
    "$BROKER" verify --home "$DIR-new" --json | jq -e '.ok and .state == "equal"'
}

# run_tour FILE: the same words, with this test's port, folder and programs, and the first incident instead of the word INCIDENT
run_tour() {
    {
        echo 'set -emu'
        echo 'on_exit() { for job in $(jobs -p); do kill -KILL -- -"$job" 2>/dev/null || true; done; }'
        echo 'trap on_exit EXIT'
        tour "$1" | sed -e '/^make /d' -e '/^mkdir /s|.*|county make .|' -e '/^export PATH/d' -e "s|:7410|:$PORT|" \
            -e 's| INCIDENT | "${INCIDENT:=$(patrol-desk list --home desk --json \| jq -rs ".[0].incident")}" |' \
            -e 's|^kill -9 %1$|& ; wait %1 \|\| true; until flock -n broker/lock true; do sleep 0.1; done|' \
            -e 's|^patrol-broker run --home broker &|patrol-broker run --home broker >ready \& until [ -s ready ]; do sleep 0.1; done|'
        # what it promises at its end: all three arrived, each once
        echo 'until patrol-node status --home node --json | jq -es "map (.state) == [\"closed\", \"delivered\", \"delivered\"]"; do sleep 0.2; done'
        echo 'patrol-desk replay --home coordinator --json | jq -es "map (select (.type == \"tip\")) | length == 3"'
    } >"$T/tour.sh"
    (cd "$T/work" && timeout 120 bash "$T/tour.sh" </dev/null >"$T/tour.out" 2>"$T/tour.err" 3>&-) || { cat "$T/tour.sh" "$T/tour.out"; return 1; }
}

@test "README.md: five minutes by hand" {
    [ -x "$PATROL_BUILD/county" ] || skip "no county generator in this build"
    run_tour README.md
    grep -q 'She is with her mother' "$T/tour.out"
}

@test "README.zh-CN.md: the same in Chinese" {
    [ -x "$PATROL_BUILD/county" ] || skip "no county generator in this build"
    run_tour README.zh-CN.md
}
