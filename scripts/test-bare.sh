#!/bin/sh
# test-bare.sh: the tests of the pure crates and the two commands of the README in a bare Debian 12, made by debootstrap,
# with Rust by rustup. Takes the settings of apt, cargo and pip of this machine along, so that the root reaches what it
# reaches. Needs root and debootstrap; BARE=DIR keeps the root there.
set -eu
skip() {
    echo "skipped: test-bare: $1"
    exit 0
}
[ "$(id -u)" = 0 ] || skip "it needs root"
if ! command -v debootstrap >/dev/null; then
    "$(dirname "$0")/apt.sh" debootstrap || skip "no debootstrap"
fi
repository=$(cd "$(dirname "$0")/.." && pwd)
root=${BARE:-$(mktemp -d)}
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v security | head -n 1)
clean() {
    for place in dev/shm dev/pts dev proc; do umount "$root/$place" 2>/dev/null || true; done
    [ -n "${BARE:-}" ] || rm -rf "$root"
}
trap clean EXIT INT TERM
# shellcheck disable=SC2086 # an empty mirror is the default one
[ -e "$root/etc/debian_version" ] ||
    debootstrap --variant=minbase --include=ca-certificates,git,make bookworm "$root" $mirror >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log"; skip "debootstrap could not fetch its packages"; }
# What this machine knows of its registries: files and variables, nothing that is written in the repository.
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
for file in /etc/apt/apt.conf.d/*proxy* /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ -e "$file" ] && mkdir -p "$root$(dirname "$file")" && cp "$file" "$root$file"
done
mkdir -p "$root/root/.config/pip" "$root/root/.cargo"
for file in .config/pip/pip.conf .cargo/config.toml; do
    [ -e "$HOME/$file" ] && cp "$HOME/$file" "$root/root/$file"
done
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
# Pseudo terminals and shared memory are mounts of their own.
for place in dev/pts dev/shm; do mount --bind "/$place" "$root/$place"; done
# The tree as it is committed, and Rust as rustup installed it here.
git clone -q "$repository" "$root/root/tras"
toolchain=$(rustc --print sysroot)
mkdir -p "$root/opt"
cp -r "$toolchain" "$root/opt/rust"
env -i HOME=/root PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 \
    $(env | grep -E '^(CARGO_REGISTRIES|CARGO_SOURCE|CARGO_HTTP|PIP_|HTTPS?_PROXY|https?_proxy|no_proxy|NO_PROXY|SSL_CERT)' || true) \
    chroot "$root" /bin/sh -c '
        cd /root/tras
        # Rust links by a C compiler; the pure crates need nothing else.
        scripts/apt.sh gcc libc6-dev && ! command -v cmake && ! command -v c++ && ! command -v pkg-config &&
            cargo test -q --locked -p tras-estimator -p tras-stimulation &&
            echo "test-bare: the pure crates build and pass without cmake, C++ and ALSA" &&
            make demo ARGS="--seconds 20" && make test'
echo "test-bare: make demo and make test pass in a bare Debian 12"
