#!/bin/bash
# Does a tip get there without a link, how soon, and at what cost? docs/mesh.md says what is measured and how.
#   make bench-mesh         SCENARIOS="town rural" takes some of the seven; KEEP_WORK=1 keeps the logs
# Replays contact traces through the routing core that ships; the shared check.py reads the log, counts and finds breaches.
# `crowd` and `positions` are made by build/moves; the others are shared data. Writes build/bench/mesh.tsv. Rows whose data or checker
# are not there (PATROL_SHARED) are SKIP.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
bench_begin mesh
city=$build/city
scenarios=${SCENARIOS:-rural rural.stress rural.stress.1MB town town.stress crowd positions}

# baseline of data/mesh/README.md, beside ours: router, delivered, mean s, transfers a tip
baseline() {
    case $1 in
    town) printf '%s\n' "MaxProp 1.0000 305 281" "SprayAndWait-16 1.0000 657 14.7" "Epidemic 0.6629 997 8927" ;;
    town.stress) printf '%s\n' "MaxProp 1.0000 311 273" "SprayAndWait-16 1.0000 692 14.7" ;;
    rural) printf '%s\n' "MaxProp 0.9879 5949 18.6" "SprayAndWait-16 0.9676 6391 11.4" "PRoPHET 0.9757 7155 16.2" ;;
    rural.stress) printf '%s\n' "MaxProp 0.9018 7073 27.4" "SprayAndWait-16 0.8309 6396 14.7" "PRoPHET 0.7587 7707 22.2" ;;
    rural.stress.1MB) printf '%s\n' "MaxProp 0.9820 6876 19.9" ;;
    esac
}
# targets: delivered, latency factor, sos latency factor, transfers, control bytes, sender learns
targets() {
    case $1 in
    town) echo "0.999 1.6 1.05 42 9000 0.995" ;;
    town.stress) echo "0.999 1.7 1.10 45 9000 0.995" ;;
    rural) echo "0.985 1.05 1.02 10 2000 0.97" ;;
    rural.stress) echo "0.94 1.25 1.05 11 1500 0.97" ;;
    rural.stress.1MB) echo "0.985 1.2 1.02 11 1500 0.97" ;;
    esac
}

# What nodes counted against their neighbours, all of which are honest, in the run whose figures are in $work/city.out.
offences() { row "$1: offences counted, nobody cheating" "$(awk -F'\t' '/^offence_/ { n += $2 } END { print n + 0 }' "$work/city.out")" "" "<1"; }

run_one() {
    local name=$1 messages=${1%.1MB} contacts=${1%%.*} buffer=100000
    [ "$contacts" = rural ] || buffer=200000
    [ "$name" = "$messages" ] || buffer=1000000
    local traces=$shared/data/mesh
    zcat "$traces/$contacts.contacts.gz" >"$work/contacts" || fail "cannot unpack $contacts.contacts.gz"
    zcat "$traces/$messages.messages.gz" >"$work/messages" || fail "cannot unpack $messages.messages.gz"
    "$city" --contacts "$work/contacts" --messages "$work/messages" --gateways 3 --buffer $buffer --log "$work/log" >"$work/city.out" || fail "$name: the replay failed"
    python3 "$shared/tools/mesh/check.py" "$work/contacts" "$work/messages" 3 "$work/log" --buffer $buffer --json >"$work/json" 2>"$work/breaches"
    python3 "$shared/tools/mesh/oracle.py" "$work/contacts" "$work/messages" 3 >"$work/bound" || fail "$name: no bound"
    [ -s "$work/json" ] || fail "check.py: $(tail -n 1 "$work/breaches")"
    local delivered latency sos_latency transfers control learns bound_mean sos_ratio sos_mean
    read -r delivered latency sos_latency transfers control learns <<<"$(targets "$name")"
    bound_mean=$(awk '/^all/ { print $10 }' "$work/bound") sos_ratio=$(awk '/^sos/ { print $7 }' "$work/bound") sos_mean=$(awk '/^sos/ { print $10 }' "$work/bound")
    figure() { jq -r "$1" "$work/json"; }
    row "$name: delivered" "$(figure .all.ratio)" share ">=$delivered"
    row "$name: mean latency" "$(figure .all.lat_mean)" s
    row "$name: mean latency / bound" "$(figure ".all.lat_mean / $bound_mean * 1000 | round / 1000")" x "<$latency"
    row "$name: sos delivered / bound" "$(figure ".sos.ratio / $sos_ratio")" x ">=1"
    row "$name: sos mean latency / bound" "$(figure ".sos.lat_mean / $sos_mean * 1000 | round / 1000")" x "<$sos_latency"
    row "$name: transfers beyond the first, a tip" "$(figure .cost.overhead)" "" "<$transfers"
    row "$name: the same, normal tips alone" "$(figure .normal.overhead)" "" "$([ "$name" = town ] && echo '<26')"
    row "$name: control bytes a delivered tip" "$(figure .cost.ctl_per_delivered)" B "<$control"
    # check.py counts whoever learns before the trace ends; within life there is a bound that no mesh can pass
    local ever could_ever in_life could_live
    read -r ever could_ever in_life could_live < <(python3 "$here/bench/mesh_learn.py" "$work/contacts" "$work/messages" 3 "$work/log")
    row "$name: sender learns before the trace ends" "$ever" share ">=$learns"
    row "$name: could learn before the trace ends" "$could_ever" share
    row "$name: sender learns before the end of life" "$in_life" share
    row "$name: could learn before the end of life" "$could_live" share
    row "$name: of those who could in life, learn" "$(jq -n "$in_life / $could_live * 10000 | round / 10000")" share ">=0.97"
    row "$name: median until he learns" "$(figure .all.ack_median)" s "$([ "${name%%.*}" = town ] && echo '<800')"
    row "$name: breaches" "$(figure .cost.breaches)" "" "<1"
    offences "$name"
    while read -r router d mean copies; do
        row "$name: $router: delivered, mean s, transfers" "$d, $mean, $copies" "baseline"
    done < <(baseline "$name")
}

# 300 nodes that all hear one another, no gateway: 300 links a node
run_crowd() {
    "$build/moves" crowd 1 "$work/crowd" || fail "crowd: no trace"
    "$city" --contacts "$work/crowd.contacts" --messages "$work/crowd.messages" --gateways 1 --buffer 20000 --log "$work/log" >"$work/city.out" ||
        fail "crowd: the replay failed"
    said() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$work/city.out"; }
    row "crowd of 300: useful share of all bytes" "$(said useful_share)" share ">=0.9"
    row "crowd of 300: sos, nodes and tips reached" "$(awk '
        FNR == NR { if ($5 == "sos") { n++; sos[$2] } next }
        $2 == "tx" && $3 in sos && !(($3, $5) in had) { had[$3, $5]; got++ }
        END { printf "%.4f", got / (n * 299) }' "$work/crowd.messages" "$work/log")" share ">=1"
    row "crowd of 300: sos, longest until all have it" "$(awk '
        FNR == NR { if ($5 == "sos") sos[$2] = $1; next }
        $2 == "tx" && $3 in sos && $1 - sos[$3] > most { most = $1 - sos[$3] }
        END { printf "%.1f", most }' "$work/crowd.messages" "$work/log")" s "<30"
    row "crowd of 300: most bytes held by a node" "$(said most_held)" B "<20001"
    offences "crowd of 300"
    row "crowd of 300: tips sent" "$(said transfers)" ""
    row "crowd of 300: control bytes a tip sent" "$(awk -F'\t' '{ v[$1] = $2 } END { printf "%.0f", v["control"] / v["transfers"] }' "$work/city.out")" B
    if [ -f "$shared/tools/mesh/check.py" ]; then
        python3 "$shared/tools/mesh/check.py" "$work/crowd.contacts" "$work/crowd.messages" 1 "$work/log" --buffer 20000 --json >"$work/json" 2>"$work/breaches"
        row "crowd of 300: breaches" "$(jq -r .cost.breaches "$work/json")" "" "<1"
    else
        row "crowd of 300: breaches" SKIP "no ../shared"
    fi
}

# the same trace with what the receivers of positions say, and without
run_positions() {
    local kind=$1 seed=$2 buffer=$3 each with=() without=()
    "$build/moves" "$kind" "$seed" "$work/moves" || fail "$kind: no trace"
    for each in 0 1; do
        local options=(--contacts "$work/moves.contacts" --messages "$work/moves.messages" --gateways 3 --buffer "$buffer" --no-position "$each")
        [ "$each" = 1 ] || options+=(--positions "$work/moves.positions")
        "$city" "${options[@]}" >"$work/city.out" || fail "$kind: the replay failed"
        local values
        mapfile -t values < <(awk -F'\t' '{ v[$1] = $2 } END { printf "%.4f\n%s\n%s\n%s\n", v["delivered"] / v["created"], v["latency_mean"], v["overhead"], v["control_per_delivered"] }' "$work/city.out")
        if [ "$each" = 0 ]; then with=("${values[@]}"); else without=("${values[@]}"); fi
    done
    local name="$kind, seed $seed" at=0 figure
    for figure in delivered "mean latency, s" "transfers beyond the first, a tip" "control bytes a delivered tip"; do
        row "$name: $figure: with positions, without" "${with[at]}, ${without[at]}" ""
        at=$((at + 1))
    done
}

for each in $scenarios; do
    say "mesh: $each"
    case $each in
    crowd) run_crowd ;;
    positions)
        for seed in 1 2 3 4; do run_positions villages $seed 100000; done
        run_positions town 1 200000
        ;;
    *) if [ -d "$shared/data/mesh" ]; then run_one "$each"; else row "$each: delivered" SKIP "no ../shared"; fi ;;
    esac
done
bench_table
