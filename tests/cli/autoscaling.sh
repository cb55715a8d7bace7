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

# Nodes change sides in the morning. Nobody is lost, and the bill is that of eight GPUs.
sides=scenarios/autoscaling/rebalance.json
short=(--set workload.duration_s=7200)
for stream in 0 1; do short+=(--set "workload.streams[$stream].generator.diurnal.start_hour=6"); done
simulate $sides "$TMP/sides" "${short[@]}"
holds "$TMP/sides/summary.json" 'it["requests"]["arrived"] == it["requests"]["completed"]' \
    'it["elastic"]["pools"][0]["nodes_moved_out"] >= 1' \
    'it["elastic"]["pools"][1]["nodes_moved_in"] >= 1' \
    'sum(pool["nodes_ordered"] for pool in it["elastic"]["pools"]) == 8' \
    'abs(sum(pool["mean_nodes"] for pool in it["elastic"]["pools"]) - 8) < 1e-9'
grep -q ',moved,' "$TMP/sides/usage_nodes.csv" || fail "no node moved"
simulate $sides "$TMP/stepwise" "${short[@]}" --stepwise
same "$TMP/sides/summary.json" "$TMP/stepwise/summary.json"
same "$TMP/sides/usage_nodes.csv" "$TMP/stepwise/usage_nodes.csv"

refuses() { # SET
    refused 3 "$TOKENYARD" run $sides -o "$TMP/refused" --set "$1"
}
refuses 'pools[1].elastic=null'
says /pools/1 "this pool is not elastic"
refuses 'pools[1].elastic.scaler=queue_depth'
says /pools/1/elastic/scaler "would both say how many replicas"
refuses 'pools[1].gpu=A100-80GB-SXM'
says /pools/1 "differ in their hardware"
refuses 'pools[1].tensor_parallel=2'
says /pools/1 "number of GPUs"
refuses 'pools[1].usd_per_gpu_hour=1'
says /pools/1 "price"
refuses 'rebalance.decode_pool=prompts'
says /rebalance/decode_pool "another role"
refuses 'rebalance.prefill_pool=nobody'
says /rebalance/prefill_pool 'no pool "nobody"'
refuses 'rebalance.decode_kv_up=0.4'
says /rebalance/decode_kv_down "not below"
refuses 'pools[1].role=mixed'
says /rebalance "no pool has the role decode"
