#!/bin/bash
# Runs every fuzz target built under BUILD/tests/fuzz for SECONDS each.
#   tests/fuzz/run.sh BUILD SECONDS
# Seeds are read from tests/fuzz/corpus/<target>/; what a run finds is added under BUILD/corpus, and
# an input that crashes is left under BUILD/crashes, to be run again with: TARGET CRASH_FILE
set -u
build=$1
seconds=$2
cd "$(dirname "$0")/../.." || exit 1
mkdir -p "$build/crashes"

run_target() {
    local name=$1 found=$build/corpus/$1 seeds=tests/fuzz/corpus/$1
    mkdir -p "$found"
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086
    "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$build/crashes/$name-" \
        "$found" $seeds
}

passed=0 failed=0
for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || break
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    log=$build/$name.log
    if run_target "$name" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "fuzz_$name: $(awk '/number_of_executed_units/ {print $2}' "$log") inputs"
    else
        failed=$((failed + 1))
        echo "fuzz_$name FAILED:"
        tail -n 40 "$log"
    fi
done
echo "fuzz: $passed targets passed, $failed failed"
[ $((passed + failed)) -gt 0 ] && [ "$failed" -eq 0 ]
