#!/bin/sh
# Builds the system, boots it in QEMU and lets it prove itself.
#
#   ./scripts/qemu-test.sh                        everything, and a second boot on the disk of the first
#   ./scripts/qemu-test.sh --long                 the same over more than a minute of windows
#   ./scripts/qemu-test.sh --only logd-hardening  logd and the selftest alone
#   ./scripts/qemu-test.sh --markers              the lines that have to come, in order
#   ./scripts/qemu-test.sh --                     shows the whole console
#
# RUN_UNTIL_MARKER=1 ends soon after the last of them; RUN_TIMEOUT=90s is for the boots, not the build.
set -eu
cd "$(dirname "$0")/.."
for arg; do
    shift
    [ "$arg" = -- ] && arg=--console
    set -- "$@" "$arg"
done
exec cargo xtask boot "$@"
