#!/bin/sh
# Every check and every test; the last line is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
exec cargo xtask test "$@"
