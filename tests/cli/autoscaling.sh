# Pools whose replicas prefill, and pools whose replicas decode, are scaled apart.
. tests/cli/lib.sh

# Two hours from midnight on, when there are documents: prompts need replicas, answers need none.
run() { # SET...
    local sets=()
    for assignment; do sets+=(--set "$assignment"); done
    simulate scenarios/autoscaling/prefill-decode.json "$TMP/results" --set workload.duration_s=7200 \
        --set 'pools[0].replicas=2' --set 'pools[1].replicas=2' "${sets[@]}"
    holds "$TMP/results/summary.json" 'it["requests"]["arrived"] == it["requests"]["completed"]'
}
pool() { # NUMBER EXPRESSION...: of the elastic pool.
    local number=$1
    shift
    for expression; do
        holds "$TMP/results/summary.json" "(lambda pool: $expression)(it['elastic']['pools'][$number])"
    done
}

run
pool 0 'pool["scale_outs"] > 0' 'pool["peak_replicas"] > 3'
pool 1 'pool["scale_outs"] == 0'

# The time to the first token is the prompts' pool's, though the answer ends in another.
run 'pools[0].elastic.scaler={"policy": "slo", "objectives": [{"metric": "ttft_s", "bound": 0.2}]}' \
    'pools[1].elastic.scaler={"policy": "slo", "objectives": [{"metric": "ttft_s", "bound": 0.2}]}'
pool 0 'pool["scale_outs"] > 0'
pool 1 'pool["scale_outs"] == 0'

# What comes after it is the answers'.
run 'pools[0].elastic.scaler={"policy": "slo", "objectives": [{"metric": "tpot_s", "bound": 0.01}]}' \
    'pools[1].elastic.scaler={"policy": "slo", "objectives": [{"metric": "tpot_s", "bound": 0.01}]}'
pool 0 'pool["scale_outs"] == 0'
pool 1 'pool["scale_outs"] > 0'
