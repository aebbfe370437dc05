#!/bin/sh
# Installs what is missing of deploy/packages.txt, and nothing when all of it is there.
#   deploy/setup.sh          what building and testing need
#   deploy/setup.sh lint     that, the second compiler and the linters; `cross`: the compilers of other processors
set -eu
here=$(cd "$(dirname "$0")" && pwd)
groups="make check $*"

wanted=$(awk -v groups=" $groups " '!/^#/ && NF == 2 && index (groups, " " $2 " ") { print $1 }' "$here/packages.txt")

missing() {
    for package in $wanted; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
    done
}

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not a Debian system; install by other means what deploy/packages.txt names" >&2
    exit 0
fi
need=$(missing)
[ -n "$need" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "setup: missing: $need- run as root: apt-get install $need" >&2
        exit 1
    }
    sudo=sudo
fi
echo "setup: installing $need" >&2
$sudo apt-get -q update >&2
# shellcheck disable=SC2086  # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $need >&2
need=$(missing)
[ -z "$need" ] || { echo "setup: still missing: $need" >&2; exit 1; }
