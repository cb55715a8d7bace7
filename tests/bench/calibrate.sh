#!/usr/bin/env bash
# Fits the whole catalogue to measurements again: kernel curves to operator tables, constants of
# today's engines to closed-loop points (with cross-validation, most of the time), and those of older
# engines and the scales of GPUs without tables to single iterations. The same data gives the same
# files in models/catalog; what it prints is kept in results/reference/calibration.txt.
#
# usage: tests/bench/calibrate.sh PROGRAM DATA_FOLDER
set -euo pipefail
program=$1 data=$2
[ -d "$data/silicon" ] || { echo "no $data/silicon: give the folder of the measurements"; exit 77; }

"$program" calibrate --operators "$data/operators" -q -o models/catalog
"$program" calibrate "$data/silicon/dense_agg.csv" "$data/silicon/moe_agg.csv" -q -o models/catalog \
    --source "closed-loop measurements of InferenceMAX and of AIConfigurator's authors, in \
ai-dynamo/aiconfigurator, commit 095f58a51c4c (2026-08-21), Apache-2.0"
"$program" calibrate "$data/silicon/disagg.csv" -q -o models/catalog \
    --source "disaggregated rows of InferenceX, in ai-dynamo/aiconfigurator, commit 095f58a51c4c \
(2026-08-21), Apache-2.0"
"$program" calibrate --steps "$data/splitwise/perf_model.csv" "$data/helix/layer_times.csv" \
    "$data/llmservingsim/profile/rtx4090_llama-3.1-8b_tp1" -q -o models/catalog
