#!/usr/bin/env bats
# Contact traces through the routing core that ships: a mule carries a tip home and its receipt back; partitions that heal lose nothing;
# a crowd is not drowned in its own talk. The shared traces are replayed when they are there.

# quick
setup() {
    city=$PATROL_BUILD/city
    home=$BATS_TEST_TMPDIR
}
figure() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$home/out"; }
# nobody cheats in a trace
no_offences() { [ "$(awk '/^offence_/ { n += $2 } END { print n + 0 }' "$home/out")" = 0 ]; }
replay() { "$city" --contacts "$home/contacts" --messages "$home/messages" --gateways 1 --log "$home/log" "$@" >"$home/out"; }

@test "a mule takes the tip to the gateway and the receipt back to the sender" {
    printf '%s\n' "10 1 2 up" "20 1 2 down" "100 0 2 up" "110 0 2 down" "500 0 2 up" "510 0 2 down" "600 1 2 up" "610 1 2 down" >"$home/contacts"
    echo "5 M1 1 600 normal 3600" >"$home/messages"
    replay --buffer 100000
    [ "$(figure delivered)" = 1 ]
    grep -E '^10\.[0-9]+ tx M1 1 2$' "$home/log"
    grep -E '^100\.[0-9]+ tx M1 2 0$' "$home/log"
    # the sender learns at the second meeting, not before
    grep -E '^600\.[0-9]+ ack M1 1$' "$home/log"
    [ "$(figure transfers)" = 2 ]
}

@test "a tip is dead at the end of its life, wherever it is" {
    printf '%s\n' "10 1 2 up" "20 1 2 down" "700 0 2 up" "710 0 2 down" >"$home/contacts"
    echo "5 M1 1 600 normal 600" >"$home/messages"
    replay --buffer 100000
    [ "$(figure delivered)" = 0 ]
    grep -qE ' drop M1 1$' "$home/log"
    grep -qE ' drop M1 2$' "$home/log"
}

@test "a contact that ends during the transfer loses the transfer, not the tip" {
    printf '%s\n' "10 0 1 up" "10.1 0 1 down" "50 0 1 up" "60 0 1 down" >"$home/contacts"
    echo "5 M1 1 600 normal 600" >"$home/messages"
    replay --buffer 100000
    [ "$(figure cut)" = 1 ]
    [ "$(figure delivered)" = 1 ]
    grep -E '^50\.[0-9]+ tx M1 1 0$' "$home/log"
}

@test "two halves that heal: everything arrives, sos before the rest" {
    python3 - "$home" <<'END'
import sys
home = sys.argv[1]
events = []
for a in range(1, 6):
    for b in range(a + 1, 6):
        events += [(1, f"1 {a} {b} up"), (400, f"400 {a} {b} down")]
events += [(500, "500 0 3 up"), (560, "560 0 3 down")]
open(home + "/contacts", "w").write("".join(line + "\n" for _, line in sorted(events)))
open(home + "/messages", "w").write("".join(f"{10 + i} M{i} {1 + i % 5} 600 {'sos' if i == 29 else 'normal'} 3600\n" for i in range(30)))
END
    replay --buffer 100000
    [ "$(figure delivered)" = 30 ]
    [ "$(awk '$2 == "tx" && $5 == 0 { print $3; exit }' "$home/log")" = M29 ]
}

@test "a crowd in one cell: every sos is everywhere, memory is bounded" {
    python3 - "$home" <<'END'
import sys, random
home, nodes = sys.argv[1], 60
random.seed(4)
with open(home + "/contacts", "w") as out:
    for a in range(1, nodes + 1):
        for b in range(a + 1, nodes + 1):
            out.write(f"1 {a} {b} up\n")
    out.write(f"120 1 2 down\n")
with open(home + "/messages", "w") as out:
    for i in range(60):
        out.write(f"{5 + i * 0.5:.1f} M{i} {random.randint(1, nodes)} {672 if i % 10 else 592} {'normal' if i % 10 else 'sos'} 7200\n")
END
    replay --buffer 50000
    cat "$home/out"
    [ "$(figure most_held)" -le 50000 ]
    # every sos is everywhere
    [ "$(awk '$2 == "tx" && $3 == "M0"' "$home/log" | wc -l)" -ge 59 ]
}

@test "a crowd of 300 in one cell: nine bytes in ten are tips, every sos is everywhere" {
    "$PATROL_BUILD/moves" crowd 2 "$home/crowd"
    "$city" --contacts "$home/crowd.contacts" --messages "$home/crowd.messages" --gateways 1 --buffer 20000 --log "$home/log" >"$home/out"
    cat "$home/out"
    [ "$(figure most_held)" -le 20000 ]
    awk '$1 >= 0.9 { ok = 1 } END { exit !ok }' <<<"$(figure useful_share)"
    no_offences
    for sos in $(awk '$5 == "sos" { print $2 }' "$home/crowd.messages"); do
        [ "$(awk -v id="$sos" '$2 == "tx" && $3 == id' "$home/log" | wc -l)" -eq 299 ]
    done
}

@test "made movements: the same seed the same trace, another seed another, and tips arrive" {
    for seed in 3 3 4; do "$PATROL_BUILD/moves" villages $seed "$home/v" && md5sum <"$home/v.contacts" >>"$home/sums"; done
    [ "$(sort -u "$home/sums" | wc -l)" -eq 2 ]
    "$city" --contacts "$home/v.contacts" --messages "$home/v.messages" --positions "$home/v.positions" --gateways 3 --buffer 100000 >"$home/out"
    [ "$(figure delivered)" -gt $(($(figure created) * 3 / 4)) ]
    [ "$(figure control_places)" -gt 0 ]
    no_offences
    # with little room, tips leave that were offered and wanted
    "$city" --contacts "$home/v.contacts" --messages "$home/v.messages" --positions "$home/v.positions" --gateways 3 --buffer 10000 >"$home/out"
    [ "$(figure evicted)" -gt 1000 ]
    no_offences
    run "$PATROL_BUILD/moves" moon 1 "$home/v"
    [ "$status" -eq 2 ]
}

@test "the shared rural trace: no breach, and what the bound delivers" {
    [ -d "${PATROL_SHARED:-}/data/mesh" ] || skip "no shared data (PATROL_SHARED)"
    zcat "$PATROL_SHARED/data/mesh/rural.contacts.gz" >"$home/contacts"
    zcat "$PATROL_SHARED/data/mesh/rural.messages.gz" >"$home/messages"
    "$city" --contacts "$home/contacts" --messages "$home/messages" --gateways 3 --buffer 100000 --log "$home/log" >"$home/out"
    python3 "$PATROL_SHARED/tools/mesh/check.py" "$home/contacts" "$home/messages" 3 "$home/log" --buffer 100000
    [ "$(figure delivered)" -ge 730 ]
    no_offences
}

@test "a file that is wrong is named with its line" {
    echo "10 1 1 up" >"$home/contacts"
    echo "5 M1 1 600 normal 600" >"$home/messages"
    run "$city" --contacts "$home/contacts" --messages "$home/messages"
    [ "$status" -eq 1 ]
    [[ "$output" == *"contacts:1"* ]]
}
