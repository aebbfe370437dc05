#!/bin/bash
# What we agreed not to write. One line a finding; exit 1 if there is any.
set -u
cd "$(dirname "$0")/.." || exit 1
findings=0
shopt -s nullglob
c_files=(common/*.[ch] broker/*.[ch] node/*.[ch] desk/*.[ch] tests/*/*.[ch] bench/*.[ch])
shipped=(common/*.[ch] broker/*.[ch] node/*.[ch] desk/*.[ch])
scripts=(tests/*.sh tests/*/*.sh tests/scenarios/*.bats tests/scenarios/*.bash bench/*.sh deploy/*.sh .ci/run)

# forbid REASON PATTERN FILE...: comment lines and string contents do not count
forbid() {
    local reason=$1 pattern=$2; shift 2
    [ $# -gt 0 ] || return 0
    local found
    found=$(awk -v pattern="$pattern" '{
            line = $0
            gsub (/"([^"\\]|\\.)*"/, "\"\"", line)
            sub (/\/\/.*/, "", line)
            if (line ~ pattern) print FILENAME ":" FNR ": " $0 }' "$@")
    [ -n "$found" ] || return 0
    printf '%s\n' "$found" | sed "s|\$|    <- $reason|"
    findings=$((findings + $(printf '%s\n' "$found" | wc -l)))
}

word() { printf '(^|[^A-Za-z0-9_])(%s)[ ]*\\(' "$1"; }

forbid "unbounded copy: use snprintf or memcpy with a checked size" "$(word 'strcpy|strcat|sprintf|vsprintf|gets|stpcpy')" "${shipped[@]}"
forbid "no errors, no end: use strtoll or strtod" "$(word 'atoi|atol|atoll|atof|sscanf')" "${shipped[@]}"
forbid "predictable: use randombytes" "$(word 'rand|srand|random|drand48')" "${shipped[@]}"
forbid "keeps state between calls: use the _r form" "$(word 'strtok|localtime|gmtime|ctime|asctime|strerror_l')" "${shipped[@]}"
forbid "a shell sees what a person wrote: use posix_spawn or fork and exec" "$(word 'system|popen')" "${shipped[@]}"
forbid "overruns on foreign bytes" "$(word 'zmsg_decode|zframe_recv_nowait')" "${c_files[@]}"
forbid "not for production: our own ZAP handler" 'zauth_new|zauth' "${shipped[@]}"
forbid "a routing id chosen by a peer aborts or hijacks a ROUTER" 'ZMQ_CONNECT_ROUTING_ID|ZMQ_ROUTING_ID|ZMQ_IDENTITY|ZMQ_ROUTER_HANDOVER, *[1-9]' "${shipped[@]}"
forbid "PUB/SUB drops silently and is no access control" 'ZMQ_(X?PUB|X?SUB)[^A-Z_]' "${shipped[@]}"
forbid "no Ed25519 key used as X25519 key" 'crypto_core_ed25519_|ed25519_(pk|sk)_to_curve25519' "${c_files[@]}"
forbid "a border point belongs to its zone: covers, not contains" 'GEOS(Prepared)?Contains' "${shipped[@]}"
forbid "a test polls for its condition, it does not sleep through it" '(^|[^A-Za-z0-9_])(sleep|usleep)[ ]*\(' tests/unit/*.c

# words of unfinished work, in everything we wrote
unfinished=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${c_files[@]}" "${scripts[@]}" Makefile proto/* 2>/dev/null | grep -v '^tests/check-source.sh:')
if [ -n "$unfinished" ]; then
    printf '%s\n' "$unfinished" | sed 's/$/    <- unfinished work goes into an issue/'
    findings=$((findings + 1))
fi

# long files hide a second module
for file in "${c_files[@]}"; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 800 ] || { echo "$file: $lines lines    <- over 800: a second module hides in it"; findings=$((findings + 1)); }
done

# the three programs meet only in proto/ and common/; nothing in common/ knows a program
headers_of() { for header in "$1"/*.h; do basename "$header"; done | paste -sd'|'; }
for one in common broker node desk; do
    for other in broker node desk; do
        [ $one != $other ] || continue
        names=$(headers_of $other | sed 's/\./\\./g')
        files=("$one"/*.[ch])
        if [ -z "$names" ] || [ ${#files[@]} -eq 0 ]; then continue; fi
        found=$(grep -nE "^#include \"($names)\"" "${files[@]}") || continue
        printf '%s\n' "$found" | sed "s/\$/    <- $one includes $other/"
        findings=$((findings + 1))
    done
done

# module names are unique, and none is a bag
doubles=$(for file in common/*.c broker/*.c node/*.c desk/*.c; do basename "$file"; done | grep -vx main.c | sort | uniq -d)
[ -z "$doubles" ] || { echo "$doubles    <- the same module name in two folders"; findings=$((findings + 1)); }
bags=(*/util.[ch] */utils.[ch] */log.[ch] */misc.[ch])
[ ${#bags[@]} -eq 0 ] || { echo "${bags[*]}    <- says nothing of its job"; findings=$((findings + 1)); }

# protobuf-c unpacks by recursion: no message may contain itself, directly or through others
recursive=$(sed 's|//.*||; s/\([{};]\)/ \1 /g' proto/*.proto | tr -s ' \t\n' '\n' | awk '
    $0 == "{" { depth++; owner [depth] = kind == "message" ? name : owner [depth - 1]; type = kind = ""; next }
    $0 == "}" { depth--; type = ""; next }
    $0 == ";" { type = ""; next }
    kind == "?" { name = $0; kind = "message"; next }
    type == "" && $0 == "message" { kind = "?"; next }
    type == "" && depth && $0 !~ /^(repeated|optional|required|oneof|enum|reserved)$/ {
        type = $0
        messages [owner [depth]] = 1
        uses [owner [depth], type] = 1
        if (type ~ /^map<|Any$/) print type " in " owner [depth] ": not bounded"
    }
    END {
        for (via in messages) for (from in messages) for (to in messages)
            if (((from, via) in uses) && ((via, to) in uses)) uses [from, to] = 1
        for (message in messages) if ((message, message) in uses) print message " contains itself"
    }')
[ -z "$recursive" ] || { printf '%s\n' "$recursive" | sed 's/$/    <- proto/'; findings=$((findings + 1)); }

[ $findings -eq 0 ] || { echo "check-source: $findings findings"; exit 1; }
echo "check-source: ${#c_files[@]} C files, none of what we agreed not to write"
