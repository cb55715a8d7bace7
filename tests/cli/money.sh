# What the scenarios of scenarios/money and scenarios/autoscaling claim, where it can be reckoned.
. tests/cli/lib.sh

compared() { # SCENARIO [OPTION...]: its comparison, in $TMP/out
    expect 0 "$TOKENYARD" compare "scenarios/$1.json" --json --quiet "${@:2}"
}

# ratio VARIANT OVER LEAST MOST [METRIC]: of that comparison
ratio() {
    local metric=${5:-cost_usd}
    holds "$TMP/out" "(lambda of: $3 <= of('$1') / of('$2') <= $4)(
        lambda name: [row['$metric'] for row in it['rows'] if row['variant'] == name][0])"
}

of() { # VARIANT METRIC EXPRESSION-OF-x
    holds "$TMP/out" "(lambda x: $3)([row['$2'] for row in it['rows'] if row['variant'] == '$1'][0])"
}

ran() { # SCENARIO [OPTION...]: into $TMP/run
    simulate "scenarios/$1.json" "$TMP/run" "${@:2}"
}

# --- prices by date ---

compared money/june-2025-price-cut
ratio 'P5, July' 'P5, May' 0.5598 0.5599
ratio 'P5en, July' 'P5en, May' 0.7464 0.7465
ratio 'P4d, July' 'P4d, May' 0.6699 0.6701
compared money/g6e-against-p4d
ratio 'G6e' 'P4d, May' 1 1.1
ratio 'G6e' 'P4d, July' 1.5 1.6
compared money/capacity-block-week
ratio 'Capacity Block' 'on demand' 0.7545 0.7546
refused 3 "$TOKENYARD" run scenarios/money/capacity-block-week.json -o "$TMP/late" --no-plots --quiet \
    --set horizon_s=604800 --set pools[0].bought_as=capacity_block --set \
    'money.commitments=[{"kind": "capacity_block", "sku": "p5.48xlarge", "start": "2026-09-07T11:30:00Z", "days": 7}]'
says 'beyond what there is' '11:00 UTC of its last day'

# --- commitments, mixes and schedules ---

# Billed hour by hour, the optimum is cheaper than the floor, the mean, the peak and nothing.
ran money/savings-plan-floor-or-optimum
expect 0 "$TOKENYARD" price commit "$TMP/run" --sku g6.xlarge --years 1 --committed 1y=0.524 --json
cp "$TMP/out" "$TMP/commit.json"
for rule in floor mean peak optimum; do
    usd=$(value "$TMP/commit.json" "[p['committed'] for p in it['plans'] if p['rule'] == '$rule'][0] * 0.524")
    expect 0 "$TOKENYARD" price "$TMP/run" --json --commit "{\"kind\": \"savings_plan\", \"usd_per_hour\": $usd}"
    value "$TMP/out" "it['bills'][1]['usd'] - it['bills'][0]['usd']" >"$TMP/$rule"
done
python - "$TMP" <<'END_OF_ORDER' || fail "the optimum is not the cheapest"
import sys
floor, mean, peak, optimum = (float(open(f"{sys.argv[1]}/{rule}").read()) for rule in ("floor", "mean", "peak", "optimum"))
sys.exit(not (optimum < floor < mean < 0 < peak))
END_OF_ORDER

compared money/purchase-mix
ratio 'batch: 90/10' 'on demand' 0.468 0.470          # 1 - 0.9 x 0.59
ratio 'peaky: 30/20/50' 'on demand' 0.593 0.595       # 1 - 0.3 x 0.37 - 0.5 x 0.59
ratio 'steady: 70/20/10' 'on demand' 0.682 0.683      # 1 - 0.7 x 0.37 - 0.1 x 0.59
compared money/chatbot-nine-to-five
ratio 'every day' 'always 20' 0.432 0.435             # (8 + 16 x 0.15) / 24
ratio 'Monday to Friday' 'always 20' 0.351 0.354      # (5 x 8 + 128 x 0.15) / 168
ratio 'and on Spot' 'always 20' 0.2 0.3
compared money/on-demand-plus-spot --set workload.duration_s=86400
ratio '1 + 70 % Spot' 'on demand' 0.65 0.75
ratio 'all Spot' 'on demand' 0.40 0.42
compared money/scale-to-zero
ratio 'KEDA, 5 min' 'always one' 0.5 0.8
ratio 'Knative' 'KEDA, 5 min' 0.8 1

# --- break-even ---

ran money/api-break-even
expect 0 "$TOKENYARD" price break-even "$TMP/run" --api together/llama-3.1-8b --json
# 730 hours at 1.861 over 0.18 per million; a second node makes it twice as much.
holds "$TMP/out" 'abs(it["crossings"][0]["tok_per_month"] - 2 * 730 * 1.861 / 0.18e-6) < 1e6'

# --- alerts, the hourly budget, and show-back ---

ran money/budget-alerts
holds "$TMP/run/summary.json" '[(a["kind"], a["percent"]) for a in it["money"]["alerts"]] == [
        ("actual", 50), ("forecast", 100), ("actual", 80), ("actual", 95)]' \
    'sorted(a["told"] for a in it["money"]["alerts"]) == [a["told"] for a in it["money"]["alerts"]]' \
    'it["money"]["usd"] > 60000'
ran money/budget-alerts --set budget.usd_per_hour=66
holds "$TMP/run/summary.json" 'it["elastic"]["peak_usd_per_hour"] <= 66' 'it["elastic"]["budget_refusals"] > 0' \
    '[a["percent"] for a in it["money"]["alerts"]] == [50]'

expect 0 "$TOKENYARD" run scenarios/money/showback.json -o "$TMP/run" --no-plots \
    --set workload.duration_s=86400
prints 'show-back' 'finance'
holds "$TMP/run/summary.json" \
    'abs(sum(row["usd"] for row in it["money"]["showback_by_tenant"]["rows"]) - it["money"]["usd"]) < 1e-6' \
    'abs(sum(row["usd"] for row in it["money"]["by_tenant"]) - it["money"]["usd"]) < 1e-6' \
    'it["money"]["showback_by_tenant"]["kept_apart_usd"] == 0'
expect 0 "$TOKENYARD" run scenarios/money/showback.json -o "$TMP/run" --no-plots \
    --set workload.duration_s=86400 --set money.share_idle=false
prints 'kept apart'
holds "$TMP/run/summary.json" 'it["money"]["showback_by_tenant"]["kept_apart_usd"] > 0.1' \
    'abs(sum(row["usd"] for row in it["money"]["showback_by_tenant"]["rows"]) +
         it["money"]["showback_by_tenant"]["kept_apart_usd"] - it["money"]["usd"]) < 1e-6'

# --- autoscaling ---

compared autoscaling/keda-average-value-trap
of 'avg(utilisation)' peak_replicas 'x == 2'
of 'avg, from 0' peak_replicas 'x == 0'
of 'metricType Value' peak_replicas 'x == 20'
of 'requests, from 0' peak_replicas '2 < x < 20'
compared autoscaling/queue-and-cooldowns
of 'as published' mean_replicas 'x > 15'
of 'without the gate' mean_replicas 'x < 5'
compared autoscaling/policies
for policy in HPA KEDA 'target tracking' SLO schedule Knative; do
    ratio "$policy" 'as at the peak' 0.5 0.7
done
compared autoscaling/predictive
ratio 'target tracking' 'with a forecast' 100 1000 ttft_p99_s
ratio 'with a schedule' 'as at the peak' 0.9 1.1 ttft_p99_s
compared autoscaling/hpa-behavior
ratio 'none' 'default' 0.8 0.9
ratio 'default' '30 min down' 1.5 3 ttft_p99_s
