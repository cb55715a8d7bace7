#!/usr/bin/env bash
# How far the roofline is from real servers: simulates every row of a table of measured closed-loop
# points (the columns of silicon/dense_agg.csv) by its own protocol, and compares mean TTFT and TPOT.
# All rows count; one that cannot be simulated is named. Nothing is fitted.
#
# usage: tests/bench/measured_servers.sh [PROGRAM [POINTS.csv]]
set -euo pipefail
program=${1:-build/tokenyard}
points=${2:-${TOKENYARD_DATA:-../shared/data}/silicon/dense_agg.csv}
[ -f "$points" ] || { echo "no $points: give a table of measured points"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The scenario of one row, on standard output. A row is: system model precision tp isl osl ratio clients.
scenario() {
    local gpu
    case $1 in
    gb200 | gb300 | b200_sxm | b300_sxm | h100_sxm | h200_sxm) gpu=$1 ;;
    *) return 1 ;;
    esac
    case $gpu in
    b200_sxm) gpu=B200 ;;
    b300_sxm) gpu=B300 ;;
    h100_sxm) gpu=H100-SXM ;;
    h200_sxm) gpu=H200-SXM ;;
    *) gpu=${gpu^^} ;;
    esac
    awk -v gpu="$gpu" -v model="${2,,}" -v weights="$3" -v tp="$4" -v isl="$5" -v osl="$6" \
        -v ratio="$7" -v clients="$8" 'BEGIN {
        lengths = "{\"kind\": \"uniform\", \"min_tok\": %d, \"max_tok\": %d}"
        printf "{\"model\": \"%s\",", model
        printf " \"workload\": {\"limit\": %d, \"generator\": {", 10 * clients
        printf "\"arrivals\": {\"kind\": \"closed_loop\", \"clients\": %d},", clients
        printf " \"prompt_tok\": " lengths ",", isl * ratio, isl
        printf " \"output_tok\": " lengths "}},", osl * ratio, osl
        printf " \"engine\": {\"max_num_seqs\": %d},", clients
        printf " \"pools\": [{\"name\": \"p\", \"gpu\": \"%s\", \"tensor_parallel\": %d,", gpu, tp
        printf " \"weights\": \"%s\", \"kv\": \"%s\", \"usd_per_gpu_hour\": 1}]}\n", weights,
            weights == "bf16" ? "bf16" : "fp8"
    }'
}

# mean METRIC: its mean in seconds, from the JSON summary on standard input
mean() {
    awk -v metric="\"$1\":" '$1 == metric { found = 1 } found && $1 == "\"mean\":" { print $2 + 0; exit }'
}

awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    { print $column["system"], $column["model"], $column["precision"], $column["tp"], $column["isl"],
            $column["osl"], $column["len_ratio_min"], $column["concurrency"],
            $column["ttft_mean_ms"], $column["tpot_mean_ms"], $column["origin"] }' "$points" |
    while read -r system model precision tp isl osl ratio clients ttft_ms tpot_ms origin; do
        row=("$system" "$model" "$precision" "$tp" "$isl" "$osl" "$ratio" "$clients")
        if scenario "${row[@]}" >"$work/scenario.json" &&
            "$program" run "$work/scenario.json" --json >"$work/summary.json" 2>"$work/error"; then
            echo "$origin $ttft_ms $(mean ttft_s <"$work/summary.json")" \
                "$tpot_ms $(mean tpot_s <"$work/summary.json")"
        else
            echo "not simulated: ${row[*]}: $(head -n 1 "$work/error" 2>/dev/null)" >&2
            echo "$origin not covered"
        fi
    done >"$work/results"

# Absolute errors in percent, sorted, one a line; then mean and median of them.
errors() {
    awk -v origin="$1" -v measured="$2" '$1 ~ origin && $3 != "covered" {
        e = ($(measured + 1) * 1000 / $measured - 1) * 100; print (e < 0 ? -e : e), e }' \
        "$work/results" | sort -g |
        awk '{ sum += $1; bias += $2; each[NR] = $1 } END {
            printf "MAPE %5.1f %%, median %5.1f %%, bias %+5.1f %%", sum / NR, each[int((NR + 1) / 2)], bias / NR }'
}

echo "$(grep -vc covered "$work/results") of $(wc -l <"$work/results") points simulated; nothing fitted"
for origin in infx lab; do
    echo "  $origin  TPOT: $(errors "$origin" 4);  TTFT: $(errors "$origin" 2)"
done
