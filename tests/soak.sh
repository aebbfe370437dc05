#!/bin/bash
# The long run: CRASH_ROUNDS (200) kill rounds, then the demo with other tips each time, larger every round, and every scenario again, for SOAK_SECONDS (3600).
#   tests/soak.sh BUILD        stops at the first failure and leaves what it was doing in BUILD/demo or BUILD/check
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:?usage: tests/soak.sh BUILD}
echo "== kill rounds"
PATROL_BUILD=$build tests/crash/rounds.sh "${CRASH_ROUNDS:-200}" || { echo "soak: something was lost or shown twice"; exit 1; }
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
