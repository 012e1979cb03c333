#!/bin/sh
# Installs what the tests want from Debian or Ubuntu: a browser. Says what is skipped where it cannot.
set -eu
wanted="chromium"
missing=""
for p in $wanted; do command -v "$p" >/dev/null 2>&1 || missing="$missing $p"; done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "== Installing$missing with apt"
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
elif [ "${CI:-}" = true ]; then
    echo "CI needs$missing and cannot install it; run as root on Debian or Ubuntu, or install it first." >&2
    exit 1
else
    echo "== Skipped: tests that need$missing (install it, or run as root on Debian or Ubuntu, to include them)"
fi
