# tokenyard plan: the worked example to its exact optimum, an infeasible budget, and a plan that
# `tokenyard run` reproduces.
. tests/cli/lib.sh

example=scenarios/jiang2025/worked-example.json
expect 0 "$TOKENYARD" plan $example -o "$TMP/example"
prints 'the demand in 28.4 s' 'gain of mixing'
no_leftovers "$TMP/example"

refused 4 "$TOKENYARD" plan $example -o "$TMP/poor" --set plan.budget_usd_h=1
says "budget of 1 USD/h" hint:
grep -q '"status": "infeasible"' "$TMP/poor/plan.json" || fail "plan.json does not say infeasible"

refused 3 "$TOKENYARD" plan $golden/given.json -o "$TMP/nothing"
says "$golden/given.json:" 'has no "plan"'

refused 3 "$TOKENYARD" plan $golden/plan.json -o "$TMP/roles" --set 'disaggregation={}'
says /disaggregation: 'no pools with roles' hint:

for folder in first again; do
    expect 0 "$TOKENYARD" plan $golden/plan.json --quiet -o "$TMP/$folder"
done
same "$TMP/first/scenario.json" "$TMP/again/scenario.json"
simulate "$TMP/first/scenario.json" "$TMP/mix"
simulate "$TMP/first/scenario-single-type.json" "$TMP/single"

need python3
holds "$TMP/example/plan.json" 'it["status"] == "optimal"' \
    'it["objective"]["name"] == "makespan_s"' 'it["objective"]["gap"] == 0' \
    'abs(it["objective"]["value"] - 1450 / 51) < 1e-9' 'it["cost_usd_h"] == 8' \
    'it["single_type"]["best"] == "t2"'
holds "$TMP/first/plan.json" 'it["status"] == "optimal"' \
    '{"name", "value", "bound", "gap"} <= set(it["objective"])' \
    '2.5 < it["cost_usd_h"] <= 4' 'it["gain"] > 0' 'it["seconds"] > 0' \
    'abs(sum(row["usd_h"] for row in it["fleet"]) - it["cost_usd_h"]) < 1e-9' \
    'all(abs(sum(shares.values()) - 1) < 1e-9 for shares in it["assignment"].values())'

# What the plan says it simulated is what `tokenyard run` gives, to the last digit.
holds "$TMP/first/plan.json" \
    "it['simulated'] == json.load(open('$TMP/mix/summary.json'))" \
    "it['single_type']['simulated'] == json.load(open('$TMP/single/summary.json'))"

expect 0 "$TOKENYARD" plan $golden/plan.json --json -o "$TMP/printed"
holds "$TMP/out" 'it["status"] == "optimal"'
