#!/bin/bash
# The long run: CRASH_ROUNDS (200) kill rounds, CITY_SECONDS (5400) of real nodes that meet while the broker is down, then the demo with other tips each time, larger every round, and every scenario again, for SOAK_SECONDS (3600).
#   tests/soak.sh BUILD        stops at the first failure and leaves what it was doing in BUILD/demo or BUILD/check
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:?usage: tests/soak.sh BUILD}
echo "== kill rounds"
PATROL_BUILD=$build tests/crash/rounds.sh "${CRASH_ROUNDS:-200}" || { echo "soak: something was lost or shown twice"; exit 1; }
echo "== twenty nodes meet for an hour and a half, and the broker is down for two thirds of it"
city=${CITY_SECONDS:-5400}
tests/city/invent.sh 20 "$city" 1 >"$build/soak.trace"
# twelve tips each in the first half, one of ten an sos
awk -v s="$city" 'BEGIN { srand (1); for (i = 0; i < 240; i++) printf "%d m%d %d %d %s 86400\n", 10 + i * (s / 2 - 10) / 240, i, i % 20, 300 + int (rand () * 900), rand () < 0.1 ? "sos" : "normal" }' >"$build/soak.messages"
PATROL_BUILD=$build tests/city/real.sh "$build/soak.trace" --nodes 20 --gateways 2 --messages "$build/soak.messages" --broker-down "60-$((city * 2 / 3))" --patience 600
rc=$?
[ $rc -eq 0 ] || [ $rc -eq 77 ] || { echo "soak: a tip was lost, doubled or not told"; exit 1; }
end=$((SECONDS + ${SOAK_SECONDS:-3600}))
round=0
while [ $SECONDS -lt $end ]; do
    round=$((round + 1))
    tips=$((320 + 400 * (round - 1)))
    [ $tips -le 4000 ] || tips=4000
    echo "== round $round: demo with $tips tips"
    DEMO_SEED=$round DEMO_TIPS=$tips tests/demo.sh "$build" >"$build/soak.said" 2>&1 || { tail -n 60 "$build/soak.said"; echo "soak: the demo failed in round $round"; exit 1; }
    tail -n 12 "$build/soak.said"
    echo "== round $round: scenarios"
    tests/check.sh "$build" scenarios || { echo "soak: a scenario failed in round $round"; exit 1; }
done
echo "soak: $round rounds, nothing lost, nothing twice, no scenario failed"
