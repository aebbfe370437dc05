#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Many nodes in one cell: every sos is soon with everybody, few links do, nobody is taken for an offender, and when one of them finds
# the broker the sos go first.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with; }

COUNT=14
crowd() { local i; for ((i = 0; i < COUNT; i++)); do "$@" "k$i" || return 1; done; }
in_crowd() {
    local name=$1; shift
    spawn "$name" "$NODE" run --home "$T/$name" --loopback "$@"
    wait_for listens "$T/$name"
}
has_all_sos() { mesh_is "$1" .carried.sos $((COUNT - 1)); }
knows() { [ "$("$NODE" status --home "$T/$1" --json | jq -s 'map (select (.state | IN ("accepted", "delivered"))) | length')" -eq 2 ]; }
links_of() { mesh_of "$1" | jq '[.neighbours [] | select (.linked)] | length'; }
is_clean() { mesh_of "$1" | jq -e '.offences == {}'; }
# nobody here has ever been beside a gateway, whatever a node that has just started says
is_far() { mesh_of "$1" | jq -e '.utility_s == null and .hops == null'; }

@test "fourteen nodes in one cell, and one of them finds the broker" {
    local links order
    crowd make_node
    crowd_writes() { tip "$1" --kind hazard --at "$WEST" "in the crowd"; "$NODE" sos --home "$T/$1" --at "$WEST"; }
    crowd crowd_writes
    crowd_starts() { in_crowd "$1" --no-broker; }
    crowd crowd_starts
    wait_for crowd has_all_sos
    crowd is_clean
    crowd is_far
    links=$(crowd links_of | awk '{ n += $1 } END { print n }')
    echo "links: $links of $((COUNT * (COUNT - 1)))"
    [ "$links" -lt $((COUNT * (COUNT - 1))) ]
    stop k0
    in_crowd k0
    wait_for crowd knows
    crowd is_clean
    figure_is .accepted $((2 * COUNT))
    wait_for desk_has desk $((2 * COUNT))
    # the gateway's own tip may be ahead of what it carries, no other
    make_coordinator chief
    order=$("$DESK" replay --home "$T/chief" --json | jq -r 'select (.type == "tip") | .class')
    [ "$(awk '$1 == "sos" { ahead = others } $1 != "sos" { others++ } END { print ahead + 0 }' <<<"$order")" -le 1 ]
    verify_ok
}
