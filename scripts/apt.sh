#!/bin/sh
# Installs what the tests want from Debian or Ubuntu: a browser, real servers, a cross compiler.
# Says what is skipped where it cannot; with CI=true that is a failure.
set -eu

# program:package
wanted="
chromium:chromium
influxd:influxdb
victoria-metrics:victoria-metrics
mosquitto:mosquitto
mosquitto_pub:mosquitto-clients
dbus-daemon:dbus
openssl:openssl
gcc:gcc
clang:clang
cppcheck:cppcheck
arm-none-eabi-gcc:gcc-arm-none-eabi
qemu-system-arm:qemu-system-arm
"
PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=""
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0

case "$missing" in *arm-none-eabi*) missing="$missing libnewlib-arm-none-eabi" ;; esac

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "== Installing with apt:$missing"
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
elif [ "${CI:-}" = true ]; then
    echo "CI needs$missing and cannot install it; run as root on Debian or Ubuntu, or install it first." >&2
    exit 1
else
    echo "== Skipped: tests that need$missing (install it, or run as root on Debian or Ubuntu, to include them)"
fi
