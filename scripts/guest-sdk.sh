#!/usr/bin/env bash
# Makes a compiler for the guest out of the distribution's own packages: guest-sdk.sh FOLDER TARGET...
#
# Where rustup can add no target, Debian's compiler and the source of exactly that compiler can: core and alloc are
# compiled once and kept as ordinary targets of a prefix of our own. Nothing is installed in the system, the packages are
# those that apt verifies, and no compiler of another version ever meets this source. FOLDER/bin/rustc is the result;
# FOLDER appears whole or not at all.
set -euo pipefail
sdk=$1
shift
least=1.88
machine=$(uname -m)
lib=lib/$machine-linux-gnu

say() { echo "guest-sdk: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

mkdir -p "$(dirname "$sdk")"
work=$(mktemp -d -p "$(dirname "$sdk")")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{debs/partial,tree,bin}
: >"$work/status" # as if nothing were installed, so that each library comes along

candidate() { apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)" { print $2 }'; }

# A rebuild of a package (+b1) has the same source.
source_version() { echo "${1%+b[0-9]*}"; }

download() { # compiler source
    local compiler source
    compiler=$(candidate "$1")
    source=$(candidate "$2")
    [ -n "$compiler" ] && [ -n "$source" ] || return 1
    if [ "$(source_version "$compiler")" != "$(source_version "$source")" ]; then
        say "$1 $compiler and $2 $source differ"
        return 1
    fi
    dpkg --compare-versions "$compiler" ge $least || return 1
    say "fetching $1 and $2 $compiler"
    apt-get install -y --no-install-recommends --download-only -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
        -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/debs" "$1" "$2" >"$work/log" 2>&1 && return
    tail -3 "$work/log" >&2
    return 1
}

[ "$(id -u)" != 0 ] || apt-get update -qq >/dev/null 2>&1 || say "apt-get update failed; using the lists at hand"
download rustc-web rust-web-src || download rustc rust-src || fail "no pair of compiler and source, $least or newer"

for deb in "$work"/debs/*.deb; do
    case ${deb##*/} in
    # The loader and the C library are this system's own, for which these packages were made.
    libc6_* | libc6-* | libc-*) ;;
    rust* | lib*) dpkg -x "$deb" "$work/tree" ;;
    esac
done
root=$work/tree/usr
[ ! -d "$work/tree/lib" ] || cp -an "$work/tree/lib/." "$root/lib/" || true

wrapper() { # prefix
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec %s/bin/rustc "$@"\n' "$1/$lib" "$1"
}
wrapper "$root" >"$work/bin/rustc"
chmod +x "$work/bin/rustc"
version=$("$work/bin/rustc" -V | awk '{ print $2 }')
[ -d "$root/src/rustc-$version/library/core" ] || fail "the source is not $version"
mkdir -p "$root/lib/rustlib/src" "$root/lib/rustlib/$machine-unknown-linux-gnu/bin"
ln -sfn "../../../src/rustc-$version" "$root/lib/rustlib/src/rust"
lld=$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld -type f -perm -u+x 2>/dev/null | head -1)
lld=${lld:-$(command -v ld.lld || true)}
[ -n "$lld" ] || fail "no linker for the guest; type: sudo apt-get install lld"
cp "$lld" "$root/lib/rustlib/$machine-unknown-linux-gnu/bin/rust-lld"

say "compiling core and alloc with $version"
mkdir -p "$work/seed/src"
echo '#![no_std]' >"$work/seed/src/lib.rs"
printf '[package]\nname = "seed"\n[workspace]\n[profile.release]\npanic = "abort"\n' >"$work/seed/Cargo.toml"
for target in "$@"; do
    (
        cd "$work/seed"
        export RUSTC="$work/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/seed/target"
        export RUSTFLAGS='-Cembed-bitcode=yes' # for builds with link-time optimisation
        cargo build -q -Zbuild-std=core,alloc --target "$target" --release
    ) >&2
    mkdir -p "$root/lib/rustlib/$target/lib"
    cp "$work/seed/target/$target"/release/deps/lib{core,alloc,compiler_builtins}-*.rlib "$root/lib/rustlib/$target/lib/"
done

rm -rf "$root/src" "$root/lib/rustlib/src" "$root/share"
mkdir "$work/sdk" "$work/sdk/bin"
mv "$work/tree" "$work/sdk/tree"
wrapper "$sdk/tree/usr" >"$work/sdk/bin/rustc"
chmod +x "$work/sdk/bin/rustc"
rm -rf "$sdk"
mv "$work/sdk" "$sdk"
say "$("$sdk/bin/rustc" -V) is in place"
