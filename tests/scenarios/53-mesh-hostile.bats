#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Who is not of the district, or not any more, gets no link, and no server is asked for that. An enrolled node that
# misbehaves is counted under its key, and honest tips arrive through others all the same.
bats_require_minimum_version 1.5.0
load helpers

setup() { west_with sam eve; }

@test "a node of another district is refused" {
    start_mesh sam -- --no-broker
    mkdir "$T/elsewhere"
    "$BROKER" init "$T/elsewhere/broker" --name Elsewhere --listen "tcp://127.0.0.1:$(mesh_port elsewhere)" >/dev/null
    spawn elsewhere "$BROKER" run --home "$T/elsewhere/broker"
    wait_for test -s "$T/elsewhere.out"
    "$NODE" join --home "$T/stranger" "$("$BROKER" invite --home "$T/elsewhere/broker" --role node --json | jq -r .invitation)" >/dev/null
    start_mesh stranger sam -- --no-broker
    wait_for mesh_is sam '.refused.foreign // 0 | . > 0' true
    linked sam 0
    linked stranger 0
    refused_by_key sam "$(own_key stranger)" foreign
}

@test "a node whose credential is over is refused, whoever dials" {
    # a good credential of this district, out of its dates, as a device has that was never enrolled again
    local key; key=$("$MESHFOE" "$T/eve" expire "$T/broker/issuer.key" | sed -n 's/^key //p')
    make_node gate
    start_mesh gate
    start_mesh sam gate -- --no-broker
    start_mesh eve sam -- --no-broker
    wait_for refused_by_key sam "$key" expired
    stop sam
    stop eve
    start_mesh eve -- --no-broker
    start_mesh sam gate eve -- --no-broker
    wait_for refused_by_key sam "$key" expired
    linked sam 1
    linked eve 0
    # and the others go on
    local id; id=$(tip sam --kind hazard --at "$WEST" "in spite of all")
    wait_for state_is sam "$id" delivered
}

@test "a revoked node is cut, and refused where no server can be asked" {
    local member
    make_node gate
    start_mesh gate
    start_mesh sam gate -- --no-broker
    start_mesh eve sam -- --no-broker
    wait_for linked sam 2
    member=$("$BROKER" members --home "$T/broker" --json | jq -r 'select (.name == "eve") | .member')
    "$BROKER" revoke --home "$T/broker" "$member" --why "lost handset" >/dev/null
    # the list reaches sam over the gateway, and sam cuts the link
    wait_for mesh_is sam .receipts.revoked 1
    wait_for linked sam 1
    # it stays out when sam comes back alone, with no gateway in sight
    stop gate
    kill9 sam
    start_mesh sam -- --no-broker
    wait_for mesh_is sam '.refused.revoked // 0 | . > 0' true
    refused_by_key sam "$(own_key eve)" revoked
    linked sam 0
    # an honest one is still a way
    start_mesh gate sam
    local id; id=$(tip sam --kind hazard --at "$WEST" "in spite of all")
    wait_for state_is sam "$id" delivered
}

setup_pair() { make_node gate; start_mesh sam -- --no-broker; }

@test "forged receipts, lists and letters delete nothing" {
    local id attack
    setup_pair
    id=$(tip sam --kind hazard --at "$WEST" "must stay")
    for attack in forged-epoch forged-revocation; do
        foe $attack sam
        wait_for offended sam forged_epoch
        kill9 foe
        mesh_is sam .receipts.revoked 0
        mesh_is sam .receipts.epochs 0
    done
    # who forges is shut out for a while, and that outlives no restart
    foe forged-epoch sam
    wait_for mesh_is sam '.refused.banned // 0 | . > 0' true
    kill9 foe
    kill9 sam
    start_mesh sam -- --no-broker
    foe forged-letter sam
    wait_for offended sam bad_frame
    kill9 foe
    mesh_is sam .carried.own 1
    # the foe may have taken a copy; nobody has accepted it
    [[ $(state_of sam "$id") =~ ^(held|carried)$ ]]
    start_mesh gate sam
    wait_for state_is sam "$id" delivered
}

@test "junk, floods of ids, altered envelopes and minted tokens are counted under the neighbour's key" {
    local attack
    setup_pair
    for attack in junk:bad_frame many-ids:too_many_ids altered:unasked_tip minted:minted_tokens; do
        # a link that was closed for its offences stays closed for a while: each attack meets sam afresh
        kill9 sam
        start_mesh sam -- --no-broker
        foe "${attack%:*}" sam
        wait_for offended sam "${attack#*:}"
        kill9 foe
    done
    # what was altered was not taken
    [ "$(sql "$T/sam/outbox.db" 'SELECT count (*) FROM mesh_sealed')" -le 3 ]
    still_arrives sam
}

@test "a flood of own tips fills no more than its share, is counted, and who carries it on is no offender" {
    setup_pair
    foe flood sam
    # 600 envelopes of 10 KB: half as much again as one neighbour is asked for in a minute
    wait_for mesh_is sam '.carried.normal > 20' true
    import_tips sam 20 other "my own"
    still_arrives sam
    within_budget sam
    wait_for offended sam too_many_tips
    within_budget sam
    mesh_is sam '.carried.normal < 400' true
    echo "the gate counts: $(mesh_of gate | jq -c '[.neighbours [].offences]')"
    mesh_is gate '.neighbours | all (.offences == {})' true
    wait_for all_in_state sam delivered 21
    kill9 foe
}

@test "a black hole that says it is a gateway costs copies, not the tip" {
    setup_pair
    foe black-hole sam
    wait_for linked sam 1
    local id; id=$(tip sam --kind hazard --at "$WEST" "swallowed first")
    wait_for grep -q swallowed "$T/foe.out"
    # a neighbour has it, and the broker has not: nothing more is said
    wait_for state_is sam "$id" carried
    start_mesh gate sam
    wait_for state_is sam "$id" delivered
    [ "$(desk_rows desk)" -eq 1 ]
}
