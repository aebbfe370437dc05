#!/bin/bash
# cppcheck, clang-tidy and shellcheck over what we wrote; exit 1 if one of them objects.
set -u
cd "$(dirname "$0")/.." || exit 1
shopt -s nullglob
rc=0
make --no-print-directory all >/dev/null || exit 1       # the generated header
flags=(-std=c11 -D_GNU_SOURCE '-DPATROL_VERSION="lint"' -Icommon -Ibroker -Inode -Idesk -Itests/county -Ibuild/gen)

echo "cppcheck"
cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,portability --suppress=missingIncludeSystem \
    --suppress=comparePointers:common/kinds.c -j "$(nproc)" "${flags[@]:1}" \
    common broker node desk tests/county || rc=1

LINT_FLAGS="${flags[*]}"; export LINT_FLAGS
echo "clang-tidy"
# shellcheck disable=SC2016  # the inner shell expands them
printf '%s\0' common/*.c broker/*.c node/*.c desk/*.c tests/county/*.c |
    xargs -0 -n 4 -P "$(nproc)" sh -c 'clang-tidy --quiet --warnings-as-errors="*" \
        --checks="-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions,-bugprone-reserved-identifier,-bugprone-implicit-widening-of-multiplication-result,-bugprone-branch-clone,-bugprone-suspicious-string-compare,clang-analyzer-core*,clang-analyzer-unix*,clang-analyzer-deadcode*,misc-redundant-expression" \
        "$@" -- $LINT_FLAGS 2>/dev/null' _ || rc=1

echo "shellcheck"
shellcheck -x deploy/*.sh tests/*.sh tests/*/*.sh bench/*.sh .ci/run || rc=1
for file in tests/scenarios/*.bats; do shellcheck -x -s bash "$file" || rc=1; done
exit $rc
