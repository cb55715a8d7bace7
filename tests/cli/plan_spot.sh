# tokenyard plan with markets: the shipped scenario's answer, the same at any number of threads; what
# it says it simulated is what `tokenyard run` gives; what contradicts itself is refused.
. tests/cli/lib.sh

scenario=scenarios/spot/plan-spot-share.json
offer='plan.offers[0]'

expect 0 "$TOKENYARD" plan $scenario -o "$TMP/plan"
prints 'With a confidence of 95.0 % this fleet spends at most 4.00 USD in every hour and keeps the SLO' \
    '4 on demand' '2 on Spot' 'all on demand: 3.22 USD/h' 'on paper did not hold'
no_leftovers "$TMP/plan"
simulate "$TMP/plan/scenario.json" "$TMP/run"
simulate "$TMP/plan/scenario-on-demand.json" "$TMP/on-demand"

refuses() { # SET
    refused 3 "$TOKENYARD" plan $scenario -o "$TMP/refused" --set "$1"
}
refuses plan.confidence=1
says /plan/confidence
refuses plan.confidence=0
says /plan/confidence
refuses plan.replications=19
says '19 replications cannot show a confidence of 0.95' '"replications": 20 or more'
refuses 'markets[0].instance=g5.xlarge'
says /plan/offers/0/elastic/markets/0 'market "zone-a" rents g5.xlarge, and this offer is of g6.xlarge'
refuses "$offer.elastic.markets=[\"zone-c\"]"
says 'there is no market "zone-c"'
refuses "$offer.elastic.markets=[]"
says 'names no markets'
refuses "$offer.elastic.max_replicas=3"
says 'for the plan to decide'
refuses "$offer.elastic.purchase.spot_percent_above_base=50"
says 'for the plan to decide'
refuses "$offer.elastic.start_up.kind=warm_pol"
says warm_pool
refuses "$offer.usd_per_hour=1"
says 'has their prices'
refuses horizon_s=null
says '"horizon_s"'

# Neither on Spot nor on demand: half a dollar buys a node on Spot, which is not always there.
refused 4 "$TOKENYARD" plan $scenario -o "$TMP/poor" --set plan.budget_usd_h=0.5
says 'no fleet with nodes on Spot' 'does not pay for one on demand'

# What nothing holds is told all the same, with the reason as the error.
expect 4 "$TOKENYARD" plan $scenario -o "$TMP/unsure" --set 'slo[0].ttft_s=0.01'
says 'no fleet holds budget and SLO at a confidence of 0.95'
prints 'NOT SURE'

need python3
holds "$TMP/plan/plan.json" 'it["purchases"][0]["on_demand_nodes"] == 4' \
    'it["purchases"][0]["spot_nodes"] == 2' 'it["purchases"][0]["markets"] == ["zone-a", "zone-b"]' \
    '0.7 < it["purchases"][0]["spot_available"] < 0.9' 'it["confidence"] == 0.95' \
    'it["trial"]["holds"] and it["trial"]["held"] == 19 == it["trial"]["needed"]' \
    'it["trial"]["hours"]["count"] == 80 and it["trial"]["hours"]["within_budget"] == 1' \
    'it["trial"]["hours"]["highest_usd_at_confidence"] <= 4' 'it["trial"]["interruptions"]["mean"] > 1' \
    'it["trial"]["attainment"]["low"] <= it["trial"]["attainment"]["mean"]' \
    'it["all_on_demand"]["trial"]["held"] == 6 and it["all_on_demand"]["purchases"][0]["spot_nodes"] == 0' \
    'it["rejected"] and all(row["held"] < 19 for row in it["rejected"])' 'it["gain"] > 0.3' \
    "it['simulated'] == json.load(open('$TMP/run/summary.json'))"
holds "$TMP/run/summary.json" 'it["elastic"]["peak_usd_per_hour"] <= 4'

# A hard budget: no instant is above it, and what it refused is told.
expect 0 "$TOKENYARD" plan $scenario --json -o "$TMP/guarded" --set 'budget={"usd_per_hour": 4}'
holds "$TMP/out" 'it["trial"]["hours"]["budget_refusals"] > 0' \
    'all(row["over_budget"] == 0 for row in it["rejected"])'

# On one core the same bytes, but for the time that it took.
need taskset
expect 0 taskset -c 0 "$TOKENYARD" plan $scenario --quiet -o "$TMP/again"
for folder in plan again; do
    grep -v '"seconds"' "$TMP/$folder/plan.json" >"$TMP/$folder.json"
done
same "$TMP/plan.json" "$TMP/again.json"
same "$TMP/plan/scenario.json" "$TMP/again/scenario.json"
