#!/bin/bash
# An invented contact trace: groups of three or four meet for some seconds, go, and meet others; towards the end everybody
# stands in a row beside node 0. Lines as in traces: `time_s node_a node_b up|down`.
#   tests/city/invent.sh NODES SECONDS SEED
set -u
nodes=${1:?usage: tests/city/invent.sh NODES SECONDS SEED} seconds=${2:?} seed=${3:?}
awk -v nodes="$nodes" -v seconds="$seconds" -v seed="$seed" '
function up (t, a, b) { if (a > b) { c = a; a = b; b = c } printf "%.1f %d %d up\n", t, a, b }
function down (t, a, b) { if (a > b) { c = a; a = b; b = c } printf "%.1f %d %d down\n", t, a, b }
BEGIN {
    srand (seed)
    round = 10                     # a meeting and the way to the next one
    for (t = 1; t + round <= seconds * 0.7; t += round) {
        for (i = 0; i < nodes; i++) who [i] = i
        for (i = nodes - 1; i > 0; i--) { j = int (rand () * (i + 1)); c = who [i]; who [i] = who [j]; who [j] = c }
        for (i = 0; i < nodes; i += size) {
            size = 3 + int (rand () * 2)
            for (a = i; a < i + size && a < nodes; a++)
                for (b = a + 1; b < i + size && b < nodes; b++) { up (t + rand (), who [a], who [b]); down (t + round - 1 + rand (), who [a], who [b]) }
        }
    }
    for (i = 0; i + 1 < nodes; i++) up (seconds * 0.7 + 1 + i * 0.01, i, i + 1)
}' | sort -n -k 1,1
