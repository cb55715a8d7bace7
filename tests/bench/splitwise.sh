#!/usr/bin/env bash
# Splitwise's cluster designs (Patel et al., ISCA 2024, section VI): how many requests a second each
# serves within the paper's SLOs, at the power and at the cost of 40 DGX H100.
#
# An SLO there is a slowdown: of a request's TTFT, TBT and E2E against the same request alone on a
# DGX A100 (table VI). The most requests a second are found by bisection; of the designs that split
# the phases, for each number of prompt machines in steps of 5, as the paper's search has it. The
# machines' power and prices are those of Mutinifni/splitwise-sim, notebooks/utils.py.
#
# The best row of each design is printed beside what the paper says, and drawn with gnuplot.
#
# usage: tests/bench/splitwise.sh [PROGRAM [OUTPUT.csv]]    (half an hour)
#        SPLITWISE_REPORT=1 tests/bench/splitwise.sh - OUTPUT.csv    (only reports it again)
set -euo pipefail
program=${1:-build/tokenyard}
output=${2:-results/splitwise.csv}
scenarios=$(dirname "$0")/../../scenarios/splitwise
seconds=${SPLITWISE_SECONDS:-150} # of traffic
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
command -v h5dump >/dev/null || { echo "h5dump is missing (hdf5-tools)"; exit 77; }

# --- workloads ---

# The lengths of the Azure traces of 2023, which the authors drew from, and Poisson arrivals. Of code
# completion the preset azure-code has the lengths (here every tenth knot), but comes in bursts.
knots() { # P TOK P TOK ...
    local list=
    while [ $# -gt 0 ]; do
        list+="${list:+,}{\"p\":$1,\"tok\":$2}"
        shift 2
    done
    echo "{\"kind\":\"table\",\"knots\":[$list]}"
}

code_prompt=$(knots 0 3 0.01 18 0.03 51 0.055 81 0.1 149 0.16 260 0.22 480 0.29 747 0.38 1031 0.445 1201 0.5 1465 \
    0.61 1914 0.75 2707 0.82 3409 0.88 4556 0.91 5479 0.945 6607 0.955 7408 1 7437)
code_output=$(knots 0 6 0.08 6 0.16 8 0.25 9 0.37 11 0.5 13 0.6 15 0.7 19 0.815 30 0.85 37 0.9 54 0.945 79 0.97 127 \
    0.985 194 0.99 248 0.995 343 0.999 848 1 1899)

workload_settings() { # WORKLOAD: as --set takes them, one a line
    case $1 in
    conversation) echo 'workload.preset=azure-conversation' ;;
    code)
        echo 'workload.preset=null'
        echo "workload.generator={\"arrivals\":{\"kind\":\"poisson\",\"rate_per_s\":1},\"prompt_tok\":$code_prompt,\"output_tok\":$code_output}"
        ;;
    esac
}

# --- one run ---

run() { # DESIGN WORKLOAD [SETTINGS...]: a row per request, in order of arrival
    local design=$1 sets=() each
    while read -r each; do sets+=(--set "$each"); done < <(workload_settings "$2")
    shift 2
    for each; do sets+=(--set "$each"); done
    "$program" run "$scenarios/$design.json" -q --no-plots --requests -o "$tmp/run" "${sets[@]}"
    for column in arrival_s ttft_s tpot_s e2e_s; do
        h5dump -d "/$column" -y -w 1 -m %.9g "$tmp/run/requests.h5" |
            sed -n '/DATA {/,/}/p' | sed '1d;$d' | tr -d ' ,' >"$tmp/$column"
    done
    paste "$tmp/arrival_s" "$tmp/ttft_s" "$tmp/tpot_s" "$tmp/e2e_s" | sort -g -s -k1,1
}

# Each request of a workload alone on a DGX A100: few of them on many machines.
alone() { # WORKLOAD
    run baseline-a100 "$1" workload.rate_per_s=1 pools[0].replicas=1000 workload.limit=40000
}

# Are the slowdowns at the 50th, 90th and 99th percentile below their bounds?
kept() { # COLUMN P50 P90 P99
    paste "$tmp/requests" "$tmp/alone" 2>/dev/null | awk -v at="$1" 'NF == 8 && $at != "nan" && $(at + 4) > 0 { print $at / $(at + 4) }' |
        sort -g | awk -v p50="$2" -v p90="$3" -v p99="$4" '{ x[NR] = $1 }
            END { at50 = x[int(NR * .5 + .5)]; at90 = x[int(NR * .9 + .5)]; at99 = x[int(NR * .99 + .5)]
                  exit !(at50 < p50 && at90 < p90 && at99 < p99) }'
}

within_slo() { # RATE DESIGN WORKLOAD [SETTINGS...]
    local rate=$1
    shift
    run "$@" "workload.rate_per_s=$rate" "workload.limit=null" "workload.duration_s=$seconds" >"$tmp/requests"
    kept 2 2 3 6 && kept 3 1.25 1.5 5 && kept 4 1.25 1.5 5
}

most() { # DESIGN WORKLOAD [SETTINGS...]: requests per second, to 2 or 3
    local low=0 high=640
    while [ $((high - low)) -gt 2 ]; do
        local middle=$(((low + high) / 2))
        if within_slo $middle "$@"; then low=$middle; else high=$middle; fi
    done
    echo $low
}

# --- the designs ---

a100_power=24.8 h100_power=44 capped_power=30.8 # 100 W
a100_cost=2.21 h100_cost=4.76                   # USD per GPU and hour

# How many machines of a price (or power) what is left of 40 DGX H100 after some of them buys.
others() { # BUDGET LEFT EACH
    awk -v left="$2" -v h="$1" -v each="$3" 'BEGIN { print int(h * left / each) }'
}

row() { # BUDGET WORKLOAD DESIGN PROMPT TOKEN PROMPT_KIND TOKEN_KIND [SUFFIX SETTINGS...]
    local settings=("pools[0].replicas=$4" "${@:9}")
    [ "$5" = 0 ] || settings+=("pools[1].replicas=$5")
    local rate
    rate=$(most "$3" "$2" "${settings[@]}")
    local power_0=${6}_power power_1=${7}_power cost_0=${6}_cost cost_1=${7/capped/h100}_cost
    awk -v b="$1" -v w="$2" -v d="$3${8:-}" -v p="$4" -v t="$5" -v r="$rate" -v w0="${!power_0}" \
        -v w1="${!power_1}" -v c0="${!cost_0}" -v c1="${!cost_1}" \
        'BEGIN { printf "%s,%s,%s,%d,%d,%.1f,%.1f,%d\n", b, w, d, p, t,
                 (p * w0 + t * w1) / 10, 8 * (p * c0 + t * c1), r }' | tee -a "$output"
}

# Two more ways to time a DGX A100's tokens, because its designs hang on them. Measured: a straight line
# through perf_model.csv up to 32 sequences; the fitted constants rise faster, to 8 % more there. Flat:
# what splitwise-sim takes; it looks the number of sequences up among prompt_size x batch_size, of
# which the least is 128, and so finds hardly any growth with the batch.
measured='pools[1].step_time={"kind":"given","base_s":0.0432,"per_sequence_s":3.2e-4,"per_prefill_token_s":1.3e-4}'
flat='pools[1].step_time={"kind":"given","base_s":0.0426,"per_sequence_s":4e-6,"per_prefill_token_s":1.3e-4}'

designs() { # BUDGET WORKLOAD
    local h100=${1}_of_h100 a100=${1}_of_a100 capped=${1}_of_capped
    # shellcheck disable=SC2034 # taken by name, above
    local power_of_h100=$h100_power power_of_a100=$a100_power power_of_capped=$capped_power
    # shellcheck disable=SC2034
    local cost_of_h100=$h100_cost cost_of_a100=$a100_cost cost_of_capped=$h100_cost
    local all_a100
    all_a100=$(others "${!h100}" 40 "${!a100}")
    row "$1" "$2" baseline-a100 "$all_a100" 0 a100 a100
    row "$1" "$2" baseline-h100 40 0 h100 h100
    for prompt in 15 25 35 45 55; do
        row "$1" "$2" aa $prompt $((all_a100 - prompt)) a100 a100
    done
    for prompt in 5 10 15 20 25 30; do
        row "$1" "$2" hh $prompt $((40 - prompt)) h100 h100
        row "$1" "$2" ha $prompt "$(others "${!h100}" $((40 - prompt)) "${!a100}")" h100 a100
        row "$1" "$2" ha $prompt "$(others "${!h100}" $((40 - prompt)) "${!a100}")" h100 a100 -measured "$measured"
        row "$1" "$2" ha $prompt "$(others "${!h100}" $((40 - prompt)) "${!a100}")" h100 a100 -flat "$flat"
        row "$1" "$2" hhcap $prompt "$(others "${!h100}" $((40 - prompt)) "${!capped}")" h100 capped
    done
}

# --- the report ---

best() { # each design's row with the most requests per second, in the order of the file
    awk -F, 'NR > 1 { key = $1 "," $2 "," $3
                      if (!(key in most)) order[++n] = key
                      if ($8 + 0 >= most[key] + 0) { most[key] = $8; row[key] = $0 } }
             END { for (i = 1; i <= n; i++) print row[order[i]] }' "$output"
}

print_table() {
    best | awk -F, '
        { key = $1 "," $2
          if (key != last) printf "\n%s, the same %s\n\n%-14s %9s %9s %9s %12s %9s %9s\n", $2, $1, "design",
                               "machines", "kW", "USD/h", "requests/s", "x A100", "x H100"
          last = key
          if ($3 == "baseline-a100") a100[key] = $8
          if ($3 == "baseline-h100") h100[key] = $8
          machines = $5 > 0 ? $4 "P+" $5 "T" : $4
          against_h100 = (h100[key] > 0) ? sprintf("%.2f", $8 / h100[key]) : "-"
          printf "%-14s %9s %9.0f %9.0f %12d %9.2f %9s\n", $3, machines, $6, $7, $8, $8 / a100[key], against_h100 }'
}

draw() { # to the .svg beside the .csv
    best | grep -v "ha-" >"$tmp/best"
    for workload in conversation code; do
        for budget in power cost; do
            grep "^$budget,$workload," "$tmp/best" | cut -d, -f3,8 >"$tmp/$workload-$budget"
        done
    done
    gnuplot <<GNUPLOT
set terminal svg size 900,380 font "sans,12" background "white"
set output "${output%.csv}.svg"
set datafile separator ","
set style data histograms
set style fill solid 0.85 noborder
set boxwidth 0.9
set yrange [0:*]
set grid ytics lc rgb "#dddddd"
set ylabel "requests per second within the SLOs"
set xtics rotate by -30
set key top left
set multiplot layout 1,2
set title "Conversation"
plot "$tmp/conversation-power" using 2:xtic(1) title "same power" lc rgb "#4477aa", "$tmp/conversation-cost" using 2 title "same cost" lc rgb "#ccbb44"
set title "Code"
plot "$tmp/code-power" using 2:xtic(1) notitle lc rgb "#4477aa", "$tmp/code-cost" using 2 notitle lc rgb "#ccbb44"
GNUPLOT
}

simulate() {
    echo "budget,workload,design,prompt_machines,token_machines,power_kw,usd_per_hour,requests_per_s" |
        tee "$output"
    local workload budget
    for workload in conversation code; do
        alone "$workload" >"$tmp/alone"
        for budget in power cost; do designs $budget "$workload"; done
    done
}

[ "${SPLITWISE_REPORT:-}" ] || simulate >/dev/null
print_table
[ -z "$(command -v gnuplot)" ] || draw
