#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Every verb of the three programs has help in both languages; wrong usage is one line and exit 2; --json puts nothing but JSON
# objects on stdout, one a line.
bats_require_minimum_version 1.5.0
load helpers

BROKER_VERBS=(init run invite members revoke "areas check" "areas load" "areas explain" "places load" "places find" verify backup restore status)
NODE_VERBS=(join run tip sos withdraw import status inbox)
DESK_VERBS=(join run watch list show ack dispatch close reopen place stations replay)

each_verb() { # FUNCTION: called with PROGRAM and the words of the verb
    local verb
    for verb in "${BROKER_VERBS[@]}"; do $1 "$BROKER" $verb; done
    for verb in "${NODE_VERBS[@]}"; do $1 "$NODE" $verb; done
    for verb in "${DESK_VERBS[@]}"; do $1 "$DESK" $verb; done
}

has_help() {
    local english chinese
    run --separate-stderr "$@" --help
    [ "$status" -eq 0 ] || { echo "$*: exit $status"; return 1; }
    [ -z "$stderr" ] || { echo "$*: $stderr"; return 1; }
    english=$output
    run --separate-stderr "$@" --help --lang zh
    [ "$status" -eq 0 ]
    chinese=$output
    shift
    [[ "$english" == *"$*"* ]] || { echo "$*: help does not name the verb"; return 1; }
    [ "$english" != "$chinese" ] || { echo "$*: not translated"; return 1; }
    grep -qP '\p{Han}' <<<"$chinese" || { echo "$*: no Chinese"; return 1; }
    if grep -P '\p{Han}' <<<"$english"; then echo "$*: Chinese in the English help"; return 1; fi
}

@test "--help on every level, in English and in Chinese" {
    local program
    for program in "$BROKER" "$NODE" "$DESK"; do
        run --separate-stderr "$program" --help
        [ "$status" -eq 0 ]
        [ "$(wc -l <<<"$output")" -gt 8 ]
        run --separate-stderr "$program" --help --lang zh
        grep -qP '\p{Han}' <<<"$output"
        LANGUAGE=zh run --separate-stderr "$program" --help
        grep -qP '\p{Han}' <<<"$output"
    done
    each_verb has_help
}

unknown_option() {
    run --separate-stderr "$@" --no-such-option
    [ "$status" -eq 2 ] || { echo "$*: exit $status"; return 1; }
    [ -z "$output" ]
    one_line "$stderr" || { echo "$*: $stderr"; return 1; }
    grep -q -- "--no-such-option" <<<"$stderr"
}
too_many() {
    run --separate-stderr "$@" --home "$T" a b c d e
    [ "$status" -eq 2 ] || { echo "$*: exit $status: $stderr"; return 1; }
    one_line "$stderr" || { echo "$*: $stderr"; return 1; }
}

@test "wrong usage: one line on stderr, nothing on stdout, exit 2" {
    each_verb unknown_option
    each_verb too_many
    local program
    for program in "$BROKER" "$NODE" "$DESK"; do
        run --separate-stderr "$program"
        [ "$status" -eq 2 ]
        run --separate-stderr "$program" fly
        [ "$status" -eq 2 ]
        one_line "$stderr"
        [ -z "$output" ]
        run --separate-stderr "$program" status --lang xx --home "$T"
        [ "$status" -eq 2 ]
    done
    # no home at all
    run --separate-stderr "$NODE" status
    [ "$status" -eq 2 ]
    one_line "$stderr"
    # an option without its value, a value that begins with a dash
    run --separate-stderr "$NODE" tip --home "$T" --kind
    [ "$status" -eq 2 ]
    one_line "$stderr"
    # in Chinese, too
    run --separate-stderr "$NODE" fly --lang zh
    [ "$status" -eq 2 ]
    one_line "$stderr"
}

json_only() {
    run --separate-stderr "$@" --json
    echo "$*: exit $status, $(wc -l <<<"$output") lines"
    [ -z "$output" ] || jq -es 'all (.[]; type == "object")' <<<"$output" >/dev/null
    # one object a line
    [ -z "$output" ] || [ "$(jq -c . <<<"$output" | wc -l)" -eq "$(wc -l <<<"$output")" ]
    [ "$status" -eq 0 ] || one_line "$stderr"
}

@test "--json: only JSON objects on stdout, one a line, in any language" {
    make_broker
    start_broker
    make_node ann
    make_desk desk west
    start_desk desk
    start_node ann
    local id; id=$(tip ann --kind hazard --at "$WEST" --wait delivered "one")
    export LANGUAGE=zh
    json_only "$BROKER" status --home "$T/broker"
    json_only "$BROKER" members --home "$T/broker"
    json_only "$BROKER" invite --home "$T/broker" --role node --count 3
    json_only "$BROKER" areas explain --home "$T/broker" --at "$WEST"
    json_only "$BROKER" places find --home "$T/broker" "nowhere"
    json_only "$BROKER" verify --home "$T/broker"
    json_only "$BROKER" areas check "$T/areas.geojson"
    json_only "$BROKER" areas load --home "$T/broker" "$T/areas.geojson"
    json_only "$BROKER" backup --home "$T/broker" "$T/backup"
    json_only "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" "two"
    json_only "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --wait delivered "three"
    json_only "$NODE" tip --home "$T/ann" --kind ufo "four"
    json_only "$NODE" sos --home "$T/ann"
    json_only "$NODE" sos --home "$T/ann" --cancel
    json_only "$NODE" status --home "$T/ann"
    json_only "$NODE" status --home "$T/ann" "$id"
    json_only "$NODE" withdraw --home "$T/ann" "$id"
    json_only "$NODE" inbox --home "$T/ann"
    json_only "$DESK" list --home "$T/desk"
    json_only "$DESK" show --home "$T/desk" "$(incident_of ann "$id")"
    json_only "$DESK" show --home "$T/desk" 0000000000011
    json_only "$DESK" watch --home "$T/desk" --from start --count 2
    json_only "$DESK" stations --home "$T/desk"
    json_only "$DESK" replay --home "$T/desk"
    json_only "$DESK" ack --home "$T/desk" "$(incident_of ann "$id")" --as Li
    json_only "$DESK" ack --home "$T/desk" "$(incident_of ann "$id")" --as Li
    # an unknown tip or incident: exit 5
    run "$NODE" status --home "$T/ann" nonsense
    [ "$status" -eq 5 ]
    run "$DESK" show --home "$T/desk" 0000000000011
    [ "$status" -eq 5 ]
    # a person's output keeps colour for terminals
    run "$DESK" list --home "$T/desk"
    absent $'\x1b' - <<<"$output"
    absent $'\x1b' - <<<"$("$NODE" status --home "$T/ann")"
}

@test "an officer's name is needed to act, from --as or PATROL_OFFICER" {
    make_broker
    start_broker
    make_desk desk west
    start_desk desk
    run "$DESK" ack --home "$T/desk" 0000000000011
    [ "$status" -eq 2 ]
    one_line "$output"
    local unknown
    for unknown in 0000000000011 0000000000000; do
        PATROL_OFFICER=Li run "$DESK" ack --home "$T/desk" $unknown
        [ "$status" -eq 5 ]
    done
    PATROL_HOME=$T/desk run "$DESK" list
    [ "$status" -eq 0 ]
}
