#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2119,SC2154    # what bats sets and runs in subshells
# Twenty rounds of kill -9 under load, each time another process at another moment: every tip that any node was told is accepted is in
# the log exactly once, every desk has its tips exactly once, log and state agree; and the check notices one record taken away.
# More rounds: tests/crash/rounds.sh N, or `make soak`.
bats_require_minimum_version 1.5.0

@test "20 rounds" {
    run "$BATS_TEST_DIRNAME/../crash/rounds.sh" "${PATROL_ROUNDS:-20}"
    echo "$output"
    [ "$status" -eq 0 ]
}
