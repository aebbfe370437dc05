# What the benches share; sourced by them. A row of NAME.tsv is: figure, value, unit, target, ok|short|info.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by who sources this

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${PATROL_BUILD:?set it to the build folder (make bench-speed does)}
shared=${PATROL_SHARED:-}
broker=$build/patrol-broker node=$build/patrol-node desk=$build/patrol-desk
tsv='' pids=() desk_pids=()

fail() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }
say() { echo "$*" >&2; }

# bench_begin NAME: an empty folder to work in, on the disk of the build, and an empty table
bench_begin() {
    for program in "$broker" "$node" "$desk"; do [ -x "$program" ] || fail "$program is not built; run make"; done
    work=$build/bench/$1.work tsv=$build/bench/$1.tsv
    rm -rf "$work" && mkdir -p "$work" && : >"$tsv" || exit 1
    trap bench_end EXIT
    trap 'exit 130' INT TERM
}
bench_end() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    [ -n "${KEEP_WORK:-}" ] || rm -rf "$work"
}

# row FIGURE VALUE UNIT [TARGET]: TARGET is ">=N" or "<N"; without one the row is information
row() {
    awk -v figure="$1" -v value="$2" -v unit="$3" -v target="${4:-}" 'BEGIN {
        verdict = "info"
        if (target ~ /^>=/) verdict = value + 0 >= substr (target, 3) + 0 ? "ok" : "short"
        else if (target ~ /^</) verdict = value + 0 < substr (target, 2) + 0 ? "ok" : "short"
        printf "%s\t%s\t%s\t%s\t%s\n", figure, value, unit, target, verdict }' >>"$tsv"
}
bench_table() {
    { printf 'figure\tvalue\tunit\ttarget\t\n'; cat "$tsv"; } | awk -F'\t' '
        { for (i = 1; i <= 5; i++) { cell [NR, i] = $i; if (length ($i) > wide [i]) wide [i] = length ($i) } }
        END { for (r = 1; r <= NR; r++) printf "%-*s  %*s  %-*s  %-*s  %s\n", wide [1], cell [r, 1], wide [2], cell [r, 2],
            wide [3], cell [r, 3], wide [4], cell [r, 4], cell [r, 5] }'
    local short
    short=$(grep -c $'\tshort$' "$tsv")
    [ "$short" -eq 0 ] || say "$short of $(grep -c . "$tsv") figures short of their target"
}

# until_true SECONDS WHAT COMMAND...
until_true() {
    local until=$((SECONDS + $1)) what=$2; shift 2
    until "$@"; do
        [ $SECONDS -lt $until ] || fail "not reached in time: $what"
        sleep 0.1
    done
}
has_line() { grep -q . "$1" 2>/dev/null; }
free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

# start NAME COMMAND...: in the background, what it says in $work/NAME.out and .err, its pid in $pid
start() {
    local name=$1; shift
    : >"$work/$name.out"
    "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pid=$!
    pids+=("$pid")
}
start_broker() {
    start broker "$broker" run --home "$work/broker"
    broker_pid=$pid
    until_true 30 "the broker is ready: $(tail -n 1 "$work/broker.err")" has_line "$work/broker.out"
}
# stop PID: ends it cleanly
stop() {
    if ! kill "$1" || ! wait "$1"; then fail "process $1 did not end cleanly"; fi
    local rest=() each
    for each in "${pids[@]}"; do [ "$each" = "$1" ] || rest+=("$each"); done
    pids=("${rest[@]}")
}
invitations() { "$broker" invite --home "$work/broker" --expires 24h --json "$@" | jq -r .invitation; }
start_desk() {
    "$desk" join --home "$work/desk.$1" "$(invitations --role desk --station "$1")" >>"$work/join.out" 2>&1 || fail "desk $1 could not join"
    start "desk.$1" "$desk" run --home "$work/desk.$1"
    desk_pids+=("$pid")
    until_true 30 "desk $1 is ready" has_line "$work/desk.$1.out"
}
broker_status() { "$broker" status --home "$work/broker" --json; }
