#!/usr/bin/env bash
# The speed figures of the README: simulated requests per second of CPU time, instructions per
# request, peak memory. Prints the command of each; judges nothing.
#
# usage: tests/bench/run.sh [PROGRAM]   (default build/tokenyard)
# BENCH_REQUESTS: requests of a run, default 2000000.
set -euo pipefail
program=${1:-build/tokenyard}
requests=${BENCH_REQUESTS:-2000000}
data=${TOKENYARD_DATA:-../shared/data}

# field NAME: a number of the "simulator" block of the JSON summary on standard input
field() {
    sed -n "/\"simulator\"/,\$ s/.*\"$1\": \([0-9.e+-]*\).*/\1/p" | head -n 1
}

# instructions LIMIT ARGS...: what the whole process executes, by callgrind
instructions() {
    local limit=$1 out
    shift
    out=$(mktemp)
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" run "$@" --json \
        --set workload.limit="$limit" 2>"$out" >/dev/null
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out"
    rm -f "$out"
}

# Instructions of one more request: from the difference of two runs, so start-up is left out.
per_request() {
    local few many
    few=$(instructions 50000 "$@")
    many=$(instructions 100000 "$@")
    echo $(((many - few) / 50000))
}

timed() { # TITLE ARGS...
    local title=$1 json
    shift
    echo "== $title"
    echo "   $program run $* --json"
    json=$("$program" run "$@" --json)
    printf '   %.2f million requests per CPU second (%.1f s in all), %.0f MB at most' \
        "$(field requests_per_s <<<"$json" | awk '{print $1 / 1e6}')" "$(field cpu_s <<<"$json")" \
        "$(field peak_rss_bytes <<<"$json" | awk '{print $1 / 1e6}')"
}

measure() { # likewise, with instructions
    timed "$@"
    if command -v valgrind >/dev/null; then
        printf ', %s instructions per request' "$(per_request "${@:2}")"
    fi
    echo
}

measure "one H100, kept busy" scenarios/bench/one-replica.json --set workload.limit="$requests"
measure "64 replicas in four unequal pools, least outstanding tokens" \
    scenarios/bench/sixty-four-replicas.json --set workload.limit="$requests"
measure "one H100, ten times as many requests (memory does not grow)" \
    scenarios/bench/one-replica.json --set workload.limit="$((10 * requests))"
trace=$data/traces/requests/azure2023_conv.csv
if [ -f "$trace" ]; then
    measure "one H100, the real trace, parsed, sped up and repeated" scenarios/bench/real-trace.json \
        --set workload.trace.path="$(realpath "$trace")" --set workload.limit="$requests"
else
    echo "== the real trace: skipped, $trace is not there"
fi
# Its markets cost the same for a few requests: instructions of one more would say nothing of them.
timed "500 Spot instances, two weeks of 10-minute rounds, 10 million requests" \
    scenarios/bench/spot-fleet.json
echo
mooncake=$data/traces/requests/mooncake_conversation.jsonl
if [ -f "$mooncake" ]; then
    for scenario in prefix-cache mooncake-apart; do
        measure "16 replicas, Mooncake's trace repeated ($scenario)" \
            scenarios/bench/$scenario.json --set workload.trace.path="$(realpath "$mooncake")"
    done
else
    echo "== Mooncake's trace: skipped, $mooncake is not there"
fi
