#!/bin/bash
# Compares what the devices were told with what lies in the log and at the desks, after a run of rounds.sh.
#   tests/crash/check.sh FOLDER        exit 1 if anything is lost or there twice
# In FOLDER, one id or tab-separated line each:
#   log.tsv        TIP STATION         every tip of the log, by a coordinator's replay
#   log-acts.tsv   INCIDENT STATUS OFFICER
#   said           TIP                 what a command said to be held
#   accepted       TIP                 what any status ever showed as accepted or further
#   delivered      TIP                 what any status ever showed as delivered or further
#   final.tsv      TIP STATE STATION   all tips of all nodes at the end
#   was.tsv        OLD NEW             tips that were sealed again under another number
#   desk.STATION   TIP                 tips on the disk of that station's desk, a line for each row
#   acts.tsv       INCIDENT STATUS OFFICER      what a desk's command was told to be done
set -u
cd "${1:?usage: tests/crash/check.sh FOLDER}" || exit 2
wrong=0

# row WHAT HOW-MANY BAD-FILE: one row of the table; a file that is not empty is a fault
row() {
    local bad; bad=$(wc -l <"$3")
    printf '  %-66s %7d' "$1" "$2"
    if [ "$bad" -eq 0 ]; then echo "      ok"; return; fi
    printf ' %7d WRONG\n' "$bad"
    head -n 5 "$3" | sed 's/^/      /'
    wrong=1
}
lines() { wc -l <"$1"; }
# missing A B: lines of A (one id a line) that are not in B; an id that was given up for another counts as that
missing() { awk 'FILENAME == ARGV [1] { new [$1] = $2; next } FILENAME == ARGV [2] { have [$1] = 1; next } !($1 in have) && !(($1 in new) && (new [$1] in have))' was.tsv "$2" "$1"; }

cut -f1 log.tsv | sort >log.ids
uniq -d log.ids >bad.twice
row "tips in the log, each once" "$(lines log.ids)" bad.twice
sort -u accepted >accepted.ids
missing accepted.ids log.ids >bad.lost
row "tips some node was told are accepted: in the log" "$(lines accepted.ids)" bad.lost
sort -u said >said.ids
missing said.ids log.ids >bad.said
row "tips that were said to be held: in the log in the end" "$(lines said.ids)" bad.said
awk -F'\t' '$2 != "delivered" && $2 != "acknowledged"' final.tsv >bad.state
row "tips of all nodes at the end: delivered or further" "$(lines final.tsv)" bad.state
cut -f1 final.tsv >final.ids
missing log.ids final.ids >bad.foreign
row "tips in the log: known to a node" "$(lines log.ids)" bad.foreign
: >at-desks
for desk in desk.*; do
    station=${desk#desk.}
    sort "$desk" >"at.$station"
    cat "at.$station" >>at-desks
    uniq -d "at.$station" >bad.desk
    row "tips on the disk of the desk of $station, each once" "$(lines "$desk")" bad.desk
    awk -F'\t' -v station="$station" '$2 == station { print $1 }' log.tsv | sort >"of.$station"
    comm -3 "of.$station" <(uniq "at.$station") >bad.differs
    row "the log's tips of $station and the desk's are the same" "$(lines "of.$station")" bad.differs
done
sort -u delivered >delivered.ids
missing delivered.ids at-desks >bad.delivered
row "tips some node was told are delivered: on a desk's disk" "$(lines delivered.ids)" bad.delivered
sort -u acts.tsv >acts
sort log-acts.tsv >log-acts
comm -23 acts <(uniq log-acts) >bad.acts
row "what officers were told is done: in the log" "$(lines acts)" bad.acts
uniq -d log-acts >bad.acted
row "what officers did is in the log once" "$(lines log-acts)" bad.acted
exit $wrong
