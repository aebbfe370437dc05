#!/bin/bash
# Builds the node for other processors, and lets it do its work there under qemu-user beside a broker and a desk of this machine.
#   tests/cross.sh BUILD [ARCH...]        Debian names: arm64 armhf (both when none is given)
# What a node of that processor links with are Debian's own packages of it, unpacked into BUILD/cross/ARCH/root: nothing of this
# machine's package state changes. Last line: `N passed, N failed`.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:?usage: tests/cross.sh BUILD [ARCH...]}") || exit 1
shift
[ $# -gt 0 ] || set -- arm64 armhf
packages='libc6-dev libzmq3-dev libsodium-dev libprotobuf-c-dev libsqlite3-dev libjansson-dev libsmartcols-dev libsystemd-dev libqrencode-dev libgeos-dev libcmocka-dev'
# what a node's tips, numbers, seals and disk depend on
tests='intervals_test envelope_test identity_test frame_test geodesy_test outbox_test sender_test store_test utf8_test timefmt_test'
passed=0 failed=0
verdict() { # NAME COMMAND...
    local name=$1 said=$here/$1.said; shift
    if "$@" >"$said" 2>&1; then passed=$((passed + 1)); printf '%-8s %-28s ok\n' "$arch" "$name"
    else failed=$((failed + 1)); printf '%-8s %-28s FAILED, see %s\n' "$arch" "$name" "$said"; tail -n 15 "$said" | sed 's/^/    /'; fi
}

# The packages of a processor and all they need, from the places this machine's apt knows.
fill_root() {
    local apt=$here/apt cached
    [ ! -f "$here/root.done" ] || return 0
    rm -rf "$root" && mkdir -p "$root" "$apt/lists/partial" "$apt/archives/partial" && : >"$apt/status" || return 1
    local options=(-q -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists"
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt" -o "Dir::Cache::archives=$apt/archives" -o APT::Sandbox::User=root
        -o APT::Install-Recommends=false -o Debug::NoLocking=1)
    # a place that has nothing for this processor is no fault as long as the packages are found
    apt-get "${options[@]}" update || echo "some package lists could not be read"
    # shellcheck disable=SC2086  # a list of words
    apt-get "${options[@]}" -y --download-only install $packages || return 1
    for cached in "$apt"/archives/*.deb; do dpkg-deb -x "$cached" "$root" || return 1; done
    rm -rf "$apt" && : >"$here/root.done"
}
compile() {
    local goals=("$out/patrol-node") each
    for each in $tests; do goals+=("$out/tests/$each"); done
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/$triplet/pkgconfig:$root/usr/share/pkgconfig \
        make --no-print-directory -j"$(nproc)" BUILD="$out" CC="$triplet-gcc --sysroot=$root" BROKER= DESK= "${goals[@]}"
}
# own code and data without symbols; the promise is a node of under 1 MB
small() {
    "$triplet-strip" -o "$here/patrol-node.stripped" "$out/patrol-node" || return 1
    local size
    size=$(stat -c %s "$here/patrol-node.stripped")
    echo "stripped: $size bytes"
    [ "$size" -lt 1000000 ]
}
emulated() { qemu-"$qemu" -L "$root" "$@"; }

# A tip goes from the emulated node through a broker of this machine to a desk of this machine, and its state comes back.
work() {
    local home=$here/homes port=$((20000 + RANDOM % 20000)) pids=() rc=1 broker=$build/patrol-broker desk=$build/patrol-desk
    rm -rf "$home" && mkdir -p "$home" || return 1
    "$broker" init "$home/broker" --name Cross --listen "tcp://127.0.0.1:$port" || return 1
    "$broker" run --home "$home/broker" & pids+=($!)
    for _ in $(seq 150); do [ ! -S "$home/broker/local.sock" ] || break; sleep 0.2; done
    if [ ! -S "$home/broker/local.sock" ]; then
        echo "the broker of this machine was not ready in 30 s: no $home/broker/local.sock"
        kill "${pids[@]}"; wait "${pids[@]}"
        return 1
    fi
    "$desk" join --home "$home/desk" "$("$broker" invite --home "$home/broker" --role desk --station district --json | jq -r .invitation)" &&
        { "$desk" run --home "$home/desk" & pids+=($!); } &&
        emulated "$out/patrol-node" join --home "$home/node" "$("$broker" invite --home "$home/broker" --role node --json | jq -r .invitation)" &&
        emulated "$out/patrol-node" tip --home "$home/node" --kind hazard --at 33.04,109.40 --wait delivered --timeout 60 "煤气味很重" &&
        emulated "$out/patrol-node" status --home "$home/node" --json | tee /dev/stderr | jq -e 'select (.state == "delivered")' >/dev/null &&
        "$desk" list --home "$home/desk" --json | tee /dev/stderr | jq -e 'select (.text == "煤气味很重")' >/dev/null && rc=0
    kill "${pids[@]}"
    wait "${pids[@]}"
    rm -rf "$home"
    return $rc
}

for arch in "$@"; do
    case $arch in
    arm64) triplet=aarch64-linux-gnu qemu=aarch64 ;;
    armhf) triplet=arm-linux-gnueabihf qemu=arm ;;
    *) echo "cross: $arch is not known; arm64 or armhf" >&2; exit 2 ;;
    esac
    here=$build/cross/$arch root=$build/cross/$arch/root out=$build/cross/$arch/build
    mkdir -p "$here"
    verdict packages fill_root
    [ -f "$here/root.done" ] || continue
    verdict build compile
    [ -x "$out/patrol-node" ] || continue
    verdict "under 1 MB stripped" small
    sed 's/^/         /' "$here/under 1 MB stripped.said"
    for each in $tests; do verdict "$each" emulated "$out/tests/$each"; done
    verdict "a tip there and back" work
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
