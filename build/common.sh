# What build/demo and build/check share: packages, a copy of the source, a build.
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by bash; `top` is the source tree, `out` where everything goes that is made.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$top/out
jobs=$(nproc 2>/dev/null || echo 2)
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

# What Debian 12 calls the things needed. apache2-bin is httpd without a service: nothing of the
# system's own configuration is touched, and nothing is started.
packages_build="gcc libc6-dev make autoconf automake libtool xz-utils openssl curl procps
    apache2-bin apache2-dev libapr1-dev libaprutil1-dev libssl-dev libutf8proc-dev
    zlib1g-dev"
packages_check="libcunit1-dev clang clang-format libclang-rt-14-dev pkg-config apache2-utils
    python3 python3-pytest python3-requests python3-httpx python3-websockets
    python3-aiohttp wget libwww-perl libmojolicious-perl libio-socket-ssl-perl
    nodejs npm chromium libnss3-tools
    libaprutil1-dbd-sqlite3 libaprutil1-dbd-pgsql postgresql"
packages_long="valgrind"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" || sudo "$@"; fi
}

missing_packages() {
    local name
    for name in "$@"; do
        case $name in
        npm) command -v npm >/dev/null && continue ;; # some builds of nodejs bring their own
        esac
        dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
            echo "$name"
    done
}

# Installs what is missing; the package lists are fetched only when that fails without.
need_packages() {
    local missing
    command -v dpkg-query >/dev/null || {
        echo "This is no Debian: please install what corresponds to: $*" >&2
        return 0
    }
    missing=$(missing_packages "$@")
    [ -z "$missing" ] && return 0
    echo "installing:" $missing
    install_packages $missing >/dev/null 2>&1 ||
        { as_root apt-get -q update && install_packages $missing; }
}

install_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

# A copy of the source without anything that was built in it, so that a build inside the source
# tree and the ones here do not meet.
copy_source() {
    rm -rf "$1" && mkdir -p "$1" &&
        tar -C "$top" -cf - --exclude=./out --exclude=./.git --exclude=node_modules \
            --exclude=__pycache__ --exclude=.pytest_cache --exclude=./autom4te.cache \
            --exclude=.libs --exclude=.deps --exclude=.dirstamp --exclude='*.o' --exclude='*.lo' \
            --exclude='*.la' --exclude='*.log' --exclude='*.trs' --exclude='*.tar.xz' \
            --exclude=./config.status --exclude=./Makefile --exclude=./libtool . |
        tar -C "$1" -xf -
}

# configure_source FOLDER: a copy that is ready for configure.
configure_source() {
    copy_source "$1" && (cd "$1" && autoreconf -fi)
}

# build_in SOURCE FOLDER CONFIGURE-ARGUMENT...: configures and builds, out of tree.
build_in() {
    local source=$1 folder=$2
    shift 2
    rm -rf "$folder" && mkdir -p "$folder" &&
        (cd "$folder" && "$source/configure" -q "$@" && make -s -j"$jobs")
}
