#!/bin/sh
# The firmware without its hardware: three compilers with warnings as errors, cppcheck, size and stack budgets,
# the Zephyr glue against stubs, the tests of the core under sanitizers. What is not installed is skipped with a
# line, unless CI=true. First argument: folder of the Python environment's programs.
set -eu
cd "$(dirname "$0")/.."
bin="${1:-.venv/bin}"
core=firmware/core
text_budget=16384
stack_budget=256
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT INT TERM
warnings="-std=c11 -Wall -Wextra -Werror -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes"
m4="-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"

have() {
    command -v "$1" >/dev/null 2>&1 && return 0
    if [ "${CI:-}" = true ]; then
        echo "CI needs $1: apt-get install $2" >&2
        exit 1
    fi
    echo "   skipped: $1 is not installed (apt-get install $2)"
    return 1
}

# compile COMPILER NAME FLAGS... : every file of the core
compile() {
    compiler="$1"
    mkdir -p "$out/$2"
    folder="$out/$2"
    shift 2
    for source in "$core"/*.c; do
        # shellcheck disable=SC2086
        "$compiler" $warnings "$@" -I"$core" -c "$source" -o "$folder/$(basename "$source" .c).o"
    done
}

echo "== firmware: warnings as errors"
have gcc gcc && compile gcc gcc -O2 && echo "   gcc $(gcc -dumpfullversion): clean"
have clang clang && compile clang clang -O2 -Wno-unknown-warning-option && echo "   clang $(clang -dumpversion): clean"
if have arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi"; then
    # shellcheck disable=SC2086
    compile arm-none-eabi-gcc m4 $m4 -Os -ffunction-sections -fdata-sections -fcallgraph-info=su
    echo "   arm-none-eabi-gcc $(arm-none-eabi-gcc -dumpfullversion): clean"
    echo "== firmware: budgets of the core on a Cortex-M4, -Os"
    arm-none-eabi-size -t "$out"/m4/*.o | awk -v budget="$text_budget" '
        END { printf "   text %d B of %d B, data %d B, bss %d B\n", $1, budget, $2, $3
              if ($1 > budget || $2 + $3 > 0) exit 1 }'
    "$bin/python" scripts/firmware_stack.py "$out/m4" "$stack_budget"
fi

echo "== firmware: no heap, no floating point in the core"
if grep -nE '\b(malloc|calloc|realloc|free|float|double)\b *[( ]' "$core"/*.c; then
    exit 1
fi

echo "== firmware: cppcheck"
if have cppcheck cppcheck; then
    cppcheck --quiet --std=c11 --enable=warning,style,performance,portability --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem --suppress=unusedStructMember --suppress=unusedFunction -I "$core" "$core"
    echo "   clean"
fi

echo "== firmware: Zephyr glue against stubs, the XIAO and the simulated board"
# glue COMPILER FLAGS... : a board with its parts, and one without
glue() {
    for parts in 1 0; do
        for source in firmware/zephyr/src/*.c; do
            # shellcheck disable=SC2086
            "$@" $warnings -Wno-unused-parameter -DSTUB_HAS_PARTS=$parts -fsyntax-only \
                -Ifirmware/tests/zephyr_stubs -I"$core" "$source"
        done
    done
    echo "   $1: clean; that says little: the stubs are ours"
}
have gcc gcc && glue gcc
have clang clang && glue clang -Wno-unknown-warning-option
# shellcheck disable=SC2086
have arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi" && glue arm-none-eabi-gcc $m4
if [ -n "${ZEPHYR_BASE:-}" ]; then
    echo "== firmware: real Zephyr at ZEPHYR_BASE"
    have west "python3-pip, then pip install west" && for board in xiao_ble/nrf52840/sense native_sim; do
        west build --pristine always --board "$board" --build-dir "$out/$board" firmware/zephyr
        echo "   built for $board"
    done
else
    echo "   skipped: a build with real Zephyr (ZEPHYR_BASE is not set); the glue has not been built with it here"
fi

# sanitized NAME COMPILER FLAGS PRELOAD
sanitized() {
    LATEMILES_FIRMWARE_CC="$2" LATEMILES_FIRMWARE_CFLAGS="$3" LD_PRELOAD="$4" \
        ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        "$bin/python" -m pytest -q -p no:cacheprovider --timeout 600 tests/firmware \
        --deselect tests/firmware/test_firmware_target.py --deselect tests/firmware/test_firmware_radio.py \
        --deselect tests/firmware/test_firmware_care.py --ignore tests/firmware/test_firmware_live.py \
        >"$out/$1.txt" 2>&1 || { cat "$out/$1.txt"; exit 1; }
    echo "   $1: $(tail -1 "$out/$1.txt")"
}

echo "== firmware: tests of the core under sanitizers"
if have gcc gcc; then
    sanitized "gcc, ASan and UBSan" gcc "-fsanitize=address,undefined -fno-sanitize-recover=all" \
        "$(gcc -print-file-name=libasan.so)"
fi
if have clang clang; then
    sanitized "clang, UBSan trapping" clang "-fsanitize=undefined,integer -fno-sanitize=unsigned-integer-overflow,unsigned-shift-base -fsanitize-trap=all" ""
fi
echo "Firmware checks passed."
