#!/usr/bin/env bats
# quick
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Whoever has no right to it, whatever does not parse, whatever was changed, replayed or claimed for another: refused,
# with a reason that is counted in the broker's status and said on its stderr; honest members go on undisturbed.
bats_require_minimum_version 1.5.0
load helpers

HOSTILE=$PATROL_BUILD/hostile

setup() {
    make_broker
    start_broker
    make_node mallory
}

# attack NAME [OTHER]: what came of it, in $said
attack() { said=$("$HOSTILE" "$T/mallory" "$@" 2>&1); echo "$*: $said"; }

# refused NAME HOW CODE COUNTER [OTHER]: HOW is notice, refusal, receipt or nothing; COUNTER (of `status --json`) goes up
refused() {
    local name=$1 how=$2 code=$3 counter=$4 other=${5:-} before
    before=$(figure ".$counter // 0")
    attack "$name" ${other:+"$other"}
    [ "$how" = nothing ] || grep -q "^$how $code" <<<"$said"
    # what is said about a refusal never carries control characters on
    absent '[[:cntrl:]]' - <<<"$said"
    wait_for figure_above ".$counter // 0" "$before"
}

# nothing of all this is in the log as a tip, and an honest tip still goes through
honest_still() {
    "$BROKER" verify --home "$T/broker" --json >"$T/verify"
    jq -e --argjson tips "${1:-0}" '.ok and .tips == $tips' "$T/verify"
    attack honest
    grep -q "^receipt OK" <<<"$said"
    alive broker
}

@test "an unknown key, a refused key, an own routing id" {
    attack stranger
    [ "$said" = "shut out" ]
    wait_for figure_above .front.handshakes_unknown 0
    grep -q "unknown keys" "$T/broker.err"
    attack own-routing-id
    wait_for figure_above .front.frames_routing_id 0
    honest_still
}

@test "not even CURVE: garbage, silence and plain ZMTP on the port; members are served meanwhile" {
    local i
    for i in $(seq 40); do
        printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | to_port
        head -c 5000 /dev/urandom | to_port
        # a greeting of ZMTP 3.1 with the NULL mechanism, and a READY
        { printf '\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL'; head -c 48 /dev/zero; printf '\x04\x05\x05READY'; } | to_port
    done
    # connections that say nothing and stay
    local silent=() fd
    for i in $(seq 100); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
        silent+=("$fd")
    done
    honest_still
    for fd in "${silent[@]}"; do exec {fd}>&-; done
    wait_for figure_above .front.handshakes_malformed 0
    grep -q "not CURVE" "$T/broker.err"
}

# in a process of its own: the port may close on it
to_port() { bash -c 'cat >"/dev/tcp/127.0.0.1/$0"' "$PORT" 2>/dev/null || true; }

@test "frames: too large, too short, of another version, type or lane, the front's own, several parts" {
    # beyond what a frame can be: libzmq itself cuts the connection
    attack oversize
    grep -qx cut <<<"$said"
    local name
    for name in frame-too-long frame-too-short frame-empty frame-version frame-type frame-lane frame-reserved frame-of-front truncated; do
        attack $name
        grep -q "^notice BAD_FRAME" <<<"$said"
    done
    attack multipart
    grep -qx cut <<<"$said"
    # the front tells its counters once a second
    wait_for figure_is .front.frames_multipart 1
    figure_is .front.frames_bad 9
    grep -q "frames that do not parse" "$T/broker.err"
    grep -q "not one frame" "$T/broker.err"
    honest_still
}

@test "floods: 24,000 times the same tip is one tip, too many frames are slowed down, others are served meanwhile" {
    make_node ann
    start_node ann
    "$HOSTILE" "$T/mallory" bulk-flood >"$T/flood.out" 2>&1 3>&- &
    local flood=$!
    run "$NODE" tip --home "$T/ann" --kind hazard --at "$WEST" --wait accepted --timeout "$PATIENCE" "in between"
    [ "$status" -eq 0 ]
    run "$NODE" sos --home "$T/ann" --at "$WEST" --wait accepted --timeout "$PATIENCE"
    [ "$status" -eq 0 ]
    wait $flood
    attack urgent-flood
    refused talk-flood notice SLOW_DOWN front.frames_over_credit
    grep -q "beyond credit or rate" "$T/broker.err"
    "$BROKER" verify --home "$T/broker" --json | jq -e '.ok and .tips == 4'
}

@test "envelopes: changed, under another's handle, of another district, of another make" {
    make_node victim
    refused mutated refusal BAD_SEAL refused.BAD_SEAL
    refused mutated-header refusal BAD_SEAL refused.BAD_SEAL
    refused foreign-handle refusal BAD_SEAL refused.BAD_SEAL "$T/victim"
    refused domain refusal BAD_SEAL refused.BAD_SEAL
    refused padding refusal BAD_SEAL refused.BAD_SEAL
    refused unknown-field refusal BAD_SEAL refused.BAD_SEAL
    refused tag refusal BAD_SEAL refused.BAD_SEAL
    refused unknown-handle refusal UNKNOWN_KEY refused.UNKNOWN_KEY
    refused other-district refusal WRONG_DISTRICT refused.WRONG_DISTRICT
    refused envelope-version refusal BAD_FRAME refused.BAD_FRAME
    grep -q "refused: BAD_SEAL" "$T/broker.err"
    grep -q "refused: UNKNOWN_KEY" "$T/broker.err"
    grep -q "refused: WRONG_DISTRICT" "$T/broker.err"
    # nobody was blamed for it
    "$BROKER" members --home "$T/broker" --json | jq -es 'all (.[]; .tips == 0)'
    honest_still
}

@test "replays: of a tip answered with the first receipt, of a session message refused" {
    attack replay-envelope
    [ "$(grep -c '^taken 1$' <<<"$said")" -ge 5 ]
    absent "refusal" - <<<"$said"
    wait_for figure_above .duplicates 3
    figure_is .accepted 1
    refused replay-session nothing - refused.REPLAYED
    refused other-session nothing - refused.REPLAYED
    refused old-session nothing - refused.REPLAYED
    refused mutated-session nothing - refused.BAD_SEAL
    make_node victim
    refused foreign-box nothing - refused.BAD_SEAL "$T/victim"
    refused ack-beyond nothing - refused.BAD_COUNTER
    grep -q "refused: REPLAYED" "$T/broker.err"
    honest_still 1
}

@test "a node asks nothing and commands nothing" {
    refused query refusal NOT_ALLOWED refused.NOT_ALLOWED
    refused command receipt NOT_ALLOWED refused.NOT_ALLOWED
    grep -q "refused: NOT_ALLOWED" "$T/broker.err"
    "$BROKER" verify --home "$T/broker" --json | jq -e '.ok and .audit_rows == 0'
    honest_still
}

@test "counters: zero, far ahead, too many gaps, too many epochs" {
    refused counter-zero refusal BAD_COUNTER refused.BAD_COUNTER
    refused counter-far refusal BAD_COUNTER refused.BAD_COUNTER
    refused gaps refusal SLOW_DOWN refused.SLOW_DOWN
    refused epochs refusal SLOW_DOWN refused.SLOW_DOWN
    verify_ok
}

@test "tips that are not right are refused by the broker too, and their number is settled" {
    refused unknown-kind receipt UNKNOWN_KIND refused.UNKNOWN_KIND
    refused severity receipt UNKNOWN_KIND refused.UNKNOWN_KIND
    refused text-control receipt BAD_TEXT refused.BAD_TEXT
    refused text-utf8 receipt BAD_TEXT refused.BAD_TEXT
    verify_ok
}

@test "text, position and time out of their limits" {
    refused text-bidi receipt BAD_TEXT refused.BAD_TEXT
    refused text-nul receipt BAD_TEXT refused.BAD_TEXT
    refused text-long receipt BAD_TEXT refused.BAD_TEXT
    refused position receipt BAD_POSITION refused.BAD_POSITION
    verify_ok
}

@test "datum, accuracy, seen in the future, written before 1970" {
    refused datum receipt BAD_POSITION refused.BAD_POSITION
    refused accuracy receipt BAD_POSITION refused.BAD_POSITION
    refused future receipt BAD_TIME refused.BAD_TIME
    refused before-1970 receipt BAD_TIME refused.BAD_TIME
    verify_ok
}

@test "a refusal never carries an escape sequence on to a terminal" {
    refused kind-escape receipt UNKNOWN_KIND refused.UNKNOWN_KIND
    absent $'\x1b' "$T/broker.err"
    absent $'\x07' "$T/broker.err"
}

@test "an invitation: unknown, used by another, expired, of another role, not an invitation, and good for enrolment only" {
    local line expired
    line=$(invitation --role node --name new)
    run "$HOSTILE" "$T/mallory" guest "$line"
    echo "$output"
    wait_for figure_above .front.frames_not_allowed 0
    wait_for figure_above .refused.BAD_KEY 0
    # it was not used up by that
    run "$NODE" join --home "$T/new" "$line"
    echo "$output"
    [ "$status" -eq 0 ]
    # a second device
    run "$NODE" join --home "$T/second" "$line"
    echo "$output"
    [ "$status" -eq 4 ]
    one_line "$output"
    [ ! -e "$T/second/device.json" ]
    # joined already
    run "$NODE" join --home "$T/new" "$(invitation --role node)"
    [ "$status" -ne 0 ]
    one_line "$output"
    # expired
    expired=$("$BROKER" invite --home "$T/broker" --role node --expires 1s --json)
    wait_for is_past "$(jq -r .expires <<<"$expired")"
    run "$NODE" join --home "$T/late" "$(jq -r .invitation <<<"$expired")"
    echo "$output"
    [ "$status" -eq 4 ]
    one_line "$output"
    # made up: its keys are nobody's
    run "$NODE" join --home "$T/forger" "${line:0:${#line}-60}$(printf 'A%.0s' $(seq 60))"
    echo "$output"
    [ "$status" -ne 0 ]
    one_line "$output"
    run "$NODE" join --home "$T/forger" "patrol1:nonsense"
    [ "$status" -ne 0 ]
    one_line "$output"
    # a desk's invitation is no node's
    run "$NODE" join --home "$T/wrong" "$(invitation --role desk --station west)"
    echo "$output"
    [ "$status" -ne 0 ]
    one_line "$output"
    "$BROKER" members --home "$T/broker" --json | jq -es 'length == 2'
}
is_past() { [ "$(date +%s%N)" -gt "$(date -d "$1" +%s%N)" ]; }

@test "a revoked member: its live session is cut within moments, its return refused, its tips not taken" {
    make_node good
    start_node good
    spawn hold "$HOSTILE" "$T/mallory" hold
    wait_for grep -qx attached "$T/hold.out"
    local member; member=$("$BROKER" members --home "$T/broker" --json | jq -r 'select (.name == "mallory") | .member')
    run "$BROKER" revoke --home "$T/broker" "$member" --why "lost its phone"
    [ "$status" -eq 0 ]
    wait_for grep -qx cut "$T/hold.out"
    attack knock
    [ "$said" = "shut out" ]
    wait_for figure_above .front.handshakes_revoked 0
    "$BROKER" members --home "$T/broker" --json | jq -es --arg member "$member" 'map (select (.member == $member)) | .[0].state == "revoked"'
    # the node itself: keeps its tip, says why
    local id; id=$(tip mallory --kind hazard --at "$WEST" "still here")
    start_node mallory
    wait_for stuck_refused mallory "$id"
    state_is mallory "$id" held
    # a second time: said so, exit 5; and it stays revoked after a restart
    run "$BROKER" revoke --home "$T/broker" "$member"
    [ "$status" -eq 5 ]
    one_line "$output"
    stop mallory
    stop broker
    start_broker
    attack knock
    [ "$said" = "shut out" ]
    id=$(tip good --kind hazard --at "$WEST" "of a good one")
    wait_for state_is good "$id" accepted
}
stuck_refused() { tip_status "$1" "$2" | jq -e '.stuck | test ("know|admit|refus|revok"; "i")'; }

@test "a revoked desk: its session is cut and it asks nothing more; what it has it keeps" {
    make_desk desk west
    start_desk desk
    make_node good
    start_node good
    local id; id=$(tip good --kind hazard --at "$WEST" "before")
    wait_for state_is good "$id" delivered
    "$BROKER" revoke --home "$T/broker" "$("$BROKER" members --home "$T/broker" --json | jq -r 'select (.role == "desk") | .member')"
    wait_for desks_of west 0
    id=$(tip good --kind hazard --at "$WEST" "after")
    wait_for state_is good "$id" accepted
    run --separate-stderr "$DESK" list --home "$T/desk" --json
    absent "after" - <<<"$output"
    run "$DESK" replay --home "$T/desk" --json
    [ "$status" -ne 0 ]
    [ "$(desk_rows desk)" -eq 1 ]
}
