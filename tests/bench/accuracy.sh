#!/usr/bin/env bash
# How far simulations are from measurements, on all points of every data set at hand: closed-loop
# servers, single iterations, and per-request runs. Constants and curves are the catalogue's, which
# were fitted on the closed-loop points and the iterations; what they are worth on points they have
# not seen is in calibration.txt (make calibrate).
#
# usage: tests/bench/accuracy.sh [PROGRAM [OUTPUT_FOLDER]]
set -euo pipefail
program=${1:-build/tokenyard}
output=${2:-results/accuracy}
data=${TOKENYARD_DATA:-../shared/data}
[ -d "$data/silicon" ] || { echo "no $data/silicon: set TOKENYARD_DATA to the measurements"; exit 77; }

heading() {
    echo
    echo "$1"
    echo "${1//?/=}"
}

heading "Closed-loop servers, dense models"
"$program" validate "$data/silicon/dense_agg.csv" -o "$output/dense" | sed '/^Results are in/d'

heading "Closed-loop servers, mixtures of experts"
"$program" validate "$data/silicon/moe_agg.csv" -o "$output/moe" | sed '/^Results are in/d'

heading "Closed-loop servers, prefill and decode apart"
"$program" validate "$data/silicon/disagg.csv" -o "$output/apart" | sed '/^Results are in/d'

heading "Single iterations: Splitwise, Helix"
"$program" validate --steps "$data/splitwise/perf_model.csv" "$data/helix/layer_times.csv" \
    -o "$output/steps" | sed '/^Results are in/d'

requests() { # RUN PROFILE
    heading "Every request of a run: $1, kernels of its own profile"
    "$program" validate --requests "$data/llmservingsim/$1_requests.csv" \
        --profile "$data/llmservingsim/profile/$2" -o "$output/$1" | sed '/^Results are in/d'
}
requests rtx4090_llama31_8b_tp1 rtx4090_llama-3.1-8b_tp1
requests rtxpro6000_qwen3_32b_tp2 rtxpro6000_qwen3-32b_tp2
