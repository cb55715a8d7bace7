#!/bin/bash
# Runs the unit tests and the command-line cases; the last line counts both.
#   tests/run.sh PROGRAM [UNIT_TESTS]
# The counts of the unit tests are read from their TAP report, for Criterion also exits with 0 when
# it ran nothing.
set -u
program=$1
unit=${2:-}
cd "$(dirname "$0")/.." || exit 1
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

passed=0 failed=0 skipped=0

run_unit() {
    local tap scratch status ok
    tap=$(mktemp)
    scratch=$(mktemp -d)
    TMPDIR=$scratch "$unit" -j"$(nproc)" --tap="$tap"
    status=$?
    rm -rf "$scratch"
    ok=$(grep -c '^ok ' "$tap")
    skipped=$(grep -c '^ok .*# SKIP' "$tap")
    passed=$((ok - skipped))
    failed=$(grep -c '^not ok ' "$tap")
    grep '# SKIP' "$tap" | sed 's/^ok - /skipped: /; s/# SKIP/-/'
    rm -f "$tap"
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        echo "The unit tests ended with status $status, although none failed." >&2
        failed=1
    fi
    echo "unit: $passed passed, $failed failed, $skipped skipped"
}

run_cli() {
    local report cli_passed cli_failed cli_skipped
    report=$(mktemp)
    tests/cli/run.sh "$program" | tee "$report"
    read -r cli_passed cli_failed cli_skipped < <(tail -n 1 "$report" | tr -dc '0-9 ')
    rm -f "$report"
    passed=$((passed + cli_passed))
    failed=$((failed + cli_failed))
    skipped=$((skipped + cli_skipped))
}

[ -z "$unit" ] || run_unit
run_cli
echo "$passed passed, $failed failed, $skipped skipped"
if [ $((passed + failed)) -eq 0 ]; then
    echo "No test ran." >&2
    exit 1
fi
[ "$failed" -eq 0 ]
