#!/bin/bash
# Does a tip get there without a link, how soon, and at what cost? docs/mesh.md says what is measured and how.
#   make bench-mesh         SCENARIOS="town rural" takes some of the five; KEEP_WORK=1 keeps the logs
# Replays contact traces through the routing core that ships; the shared check.py reads the log, counts and finds breaches.
# Writes build/bench/mesh.tsv. Without the shared data (PATROL_SHARED) all rows are SKIP.
set -u
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"
bench_begin mesh
city=$build/city
scenarios=${SCENARIOS:-rural rural.stress rural.stress.1MB town town.stress}

if [ ! -d "$shared/data/mesh" ]; then
    for each in $scenarios; do row "$each: delivered" SKIP "no ../shared"; done
    bench_table
    exit 0
fi

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
    row "$name: sender learns before the end of life" "$(figure ".all.sender_acked / .all.delivered * 10000 | round / 10000")" share ">=$learns"
    row "$name: median until he learns" "$(figure .all.ack_median)" s "$([ "${name%%.*}" = town ] && echo '<800')"
    row "$name: breaches" "$(figure .cost.breaches)" "" "<1"
    while read -r router d mean copies; do
        row "$name: $router: delivered, mean s, transfers" "$d, $mean, $copies" "baseline"
    done < <(baseline "$name")
}

for each in $scenarios; do
    say "mesh: $each"
    run_one "$each"
done
bench_table
