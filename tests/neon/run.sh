#!/bin/sh
# Compiles the engine for AArch64 and runs the back ends' conformance suite under emulation, so that the NEON kernels
# are checked on an x86-64 machine. Needs Debian 12 and its packages, but neither root nor an installation: they are
# unpacked below the folder given (default: target/neon). Prints ABSENT(why), and fails only if NEON is required
# (HOLDFAST_REQUIRE=neon), where the packages cannot be had. NEON's speed is not measured: emulation says nothing of it.
set -eu
cd "$(dirname "$0")/../.."
work=$(mkdir -p "${1:-target/neon}" && cd "${1:-target/neon}" && pwd)
root=$work/root

absent() {
    echo "ABSENT($1) neon"
    case ",${HOLDFAST_REQUIRE:-}," in *,neon,*) exit 1 ;; *) exit 0 ;; esac
}

# The compiler with the standard library for AArch64, a cross-linker, the C library, the emulator, and what they load.
packages="rustc-web libstd-rust-web-1.96 libstd-rust-web-dev libstd-rust-web-dev:arm64 libllvm22 libz3-4 libxml2
    libicu72 libedit2 libtinfo6 libbsd0 libmd0 libzstd1 gcc-12-aarch64-linux-gnu cpp-12-aarch64-linux-gnu
    binutils-aarch64-linux-gnu libbinutils libctf-nobfd0 libjansson4 libgmp10 libisl23 libmpfr6 libmpc3
    libgcc-12-dev-arm64-cross libgcc-s1-arm64-cross libc6-arm64-cross libc6-dev-arm64-cross
    linux-libc-dev-arm64-cross qemu-user-static"

fetch() {
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs"
    : >"$work/status"
    # The machine's own package sources, but a package state of our own, which also knows the packages of arm64.
    cat >"$work/apt.conf" <<END
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
END
    export APT_CONFIG="$work/apt.conf"
    # shellcheck disable=SC2086
    apt-get -qq update && (cd "$work/debs" && apt-get -qq download $packages) || return 1
    unset APT_CONFIG
    for deb in "$work"/debs/*.deb; do
        dpkg -x "$deb" "$root.new"
    done
    mv "$root.new" "$root"
    rm -rf "$work/debs"
}

# A command of the unpacked system, with the libraries it brings.
wrap() {
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

[ "$(uname -m)" = x86_64 ] || absent "this script emulates AArch64 on x86-64 only"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || absent "this is not a Debian system"
[ -d "$root" ] || fetch || absent "the packages of Debian 12 cannot be fetched"

mkdir -p "$work/bin"
wrap rustc rustc
wrap gcc "aarch64-linux-gnu-gcc-12 --sysroot=$root"
wrap ar aarch64-linux-gnu-ar

target=aarch64-unknown-linux-gnu
export RUSTC="$work/bin/rustc" CARGO_TARGET_DIR="$work/target"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$work/bin/gcc"
export CC_aarch64_unknown_linux_gnu="$work/bin/gcc" AR_aarch64_unknown_linux_gnu="$work/bin/ar"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$root/usr/bin/qemu-aarch64-static -L $root/usr/aarch64-linux-gnu"
export HOLDFAST_REQUIRE=neon
cargo test --package holdfast-engine --target "$target" --test backend_conformance
echo "RAN neon (emulated)"
