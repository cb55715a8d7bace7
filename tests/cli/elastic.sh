# An elastic fleet from the outside: what comes out of a small one, to the byte, however it is simulated;
# and what is said to those who describe one wrongly.
. tests/cli/lib.sh

scenario=$golden/elastic.json
pool='pools[0].elastic'

# --- that it runs ---

simulate $scenario "$TMP/first"
if [ "${UPDATE:-}" ]; then
    cp "$TMP/first/summary.json" $golden/elastic.summary.json
fi
same $golden/elastic.summary.json "$TMP/first/summary.json"
simulate $scenario "$TMP/again"
simulate $scenario "$TMP/stepwise" --stepwise
for file in summary.json timeline.csv ledger.csv usage.json usage_hours.csv usage_nodes.csv usage_served.csv usage_spot.csv; do
    same "$TMP/first/$file" "$TMP/again/$file"
    same "$TMP/first/$file" "$TMP/stepwise/$file"
done

# Everything that can happen does: the load doubles, markets take nodes back, the budget refuses some.
holds "$TMP/first/summary.json" \
    'it["elastic"]["pools"][0]["scale_outs"] > 0 and it["elastic"]["pools"][0]["scale_ins"] > 0' \
    'it["elastic"]["pools"][0]["interruptions"] > 0 and it["elastic"]["pools"][0]["failures"] > 0' \
    'it["elastic"]["budget_refusals"] > 0' \
    'it["elastic"]["peak_usd_per_hour"] <= it["elastic"]["budget_usd_per_hour"]' \
    'it["elastic"]["moved_requests"] > 0 and it["elastic"]["lost_requests"] == 0' \
    'it["requests"]["completed"] == it["requests"]["arrived"]'

# Each part does what it is there for.
with() { # SET...
    local sets=()
    for assignment; do sets+=(--set "$assignment"); done
    simulate $scenario "$TMP/other" "${sets[@]}"
}
with budget=null
holds "$TMP/other/summary.json" 'it["elastic"]["budget_refusals"] == 0' \
    'it["elastic"]["peak_usd_per_hour"] > 6'
with "$pool.purchase={}"
holds "$TMP/other/summary.json" 'it["elastic"]["pools"][0]["spot_share"] == 0' \
    'it["elastic"]["pools"][0]["interruptions"] == 0'
with "$pool.start_up.kind=instant"
holds "$TMP/other/summary.json" 'it["elastic"]["pools"][0]["mean_cold_start_s"] == 0'
with "$pool.interruption.policy=lose"
holds "$TMP/other/summary.json" 'it["elastic"]["lost_requests"] > 0' \
    'it["requests"]["rejected"] == it["elastic"]["lost_requests"]'
with "$pool.scaler=fixed"
holds "$TMP/other/summary.json" 'it["elastic"]["pools"][0]["scale_outs"] == 0'

# A hard budget that two nodes fit in: never a third.
with budget.usd_per_hour=4
holds "$TMP/other/summary.json" 'it["elastic"]["peak_usd_per_hour"] <= 4' \
    'it["requests"]["completed"] == it["requests"]["arrived"]'

# --- that it says what is wrong ---

mkdir "$TMP/bad"
cp $scenario $golden/tiny-model.json "$TMP/bad"
bad_file() { cat >"$TMP/bad/$1"; }
printf 'offset_s,zone-a\n0,2\n1200,4\n600,1\n' | bad_file backwards.csv
printf 'offset_s,zone-a\n0,2\n600,4\n1200,1\n' | bad_file short.csv
printf 'offset_s,zone-a\n0,2\n600,-4\n' | bad_file negative.csv
printf 'offset_s,zone-a\n0,2\n9000,4\n20000,4\n' | bad_file gap.csv
printf 'offset_s,spot_usd_per_hour\n0,1\n600,-2\n' | bad_file price.csv
price() { # USD FROM UNTIL
    printf '{"sku":"small-node","provider":"AWS","region":"here","purchase":"on_demand","usd_per_hour":%s,"from":"%s","until":"%s"}' "$@"
}
book() { printf '{"billing":[],"api":[],"prices":[%s]}' "$1"; }
book "$(price -1 2025-01-01 2026-01-01)" | bad_file negative.json
book "$(price 1 2025-01-01 2025-09-10),$(price 2 2025-09-01 2026-01-01)" | bad_file overlap.json
book "$(price 1 2025-01-01 2025-09-01),$(price 2 2025-10-01 2026-01-01)" | bad_file hole.json
book "$(price 1 2025-10-01 2025-08-01)" | bad_file reversed.json

# ASSIGNMENTS, apart by spaces | WORDS of the message; ...    P, K, C and B stand for what is long.
P=pools[0].elastic
C=markets[0].capacity
K='"policy":"keda","triggers"'
cases='
P.markets[1]=zone-c                   | /pools/0/elastic/markets/1: there is no market "zone-c"; "zone-a"
P.markets[1]=zone-a                   | /pools/0/elastic/markets/1: market "zone-a" is named twice
P.markets=[]                          | /pools/0/elastic/purchase: Spot is asked for, but the pool has no markets; on demand
markets=[]                            | /pools/0/elastic/markets/0: there is no market "zone-a"; "markets" name them
markets[1].name=zone-a                | /markets/1/name: "zone-a" is the name of two markets
markets[1].instance=g6e.xlarge        | /pools/0/elastic/markets/1: market "zone-b" is of g6e.xlarge; small-node; one instance type
markets[1].instance=small-nod         | /markets/1/instance; "small-node"
markets[0].on_demand_usd_per_hour=-1  | /markets/0/on_demand_usd_per_hour; 0
markets[0].notice_s=-1                | /markets/0/notice_s; 0
P.min_replicas=9                      | /pools/0/elastic: min_replicas (9) is above max_replicas (8)
pools[0].replicas=9                   | /pools/0/replicas: 9 at time 0; 1 to 8
pools[0].replicas=0                   | /pools/0/replicas: 0 at time 0; 1 to 8
P.max_replicas=0                      | /pools/0/elastic/max_replicas; 1
pools[0].role=prefill                 | /pools/0
budget.usd_per_hour=1                 | /budget/usd_per_hour: 1.00 USD an hour pay for no node of pool "only": its first costs 1.50
budget.usd_per_hour=1 P=null          | /budget/usd_per_hour: the pools that are not elastic cost 3.00 USD an hour; must fit
budget.usd_per_hour=-1                | /budget/usd_per_hour; 0
P.purchase.on_demand_base=9           | /elastic/purchase/on_demand_base: 9 nodes on demand; 8 nodes at most
P.purchase.spot_percent_above_base=-1 | /elastic/purchase/spot_percent_above_base; 0
P.purchase={"strategy":"spot_hedge","spot_percent_above_base":50} | spot_percent_above_base; leave it out
P.purchase.strategy={"policy":"single","market":"zone-c"} | /strategy/market: the pool has no market "zone-c"
P.purchase.strategy=cheapest          | /strategy; price_capacity_optimized
P.scaler=hpa                          | /elastic/scaler: "metrics" is missing
P.scaler.metrics[0].target=-3         | /metrics/0/target; above 0
P.scaler.metrics[0].metric=runing     | /metrics/0/metric; "running"
P.min_replicas=0                      | elastic.json:; /scaler/scale_to_zero: min_replicas is 0; HPAScaleToZero
P.min_replicas=0 P.scaler.scale_to_zero=true | /scaler/metrics: at zero replicas none of the metrics is there
P.scaler={K:[{"metric":"waiting","threshold":9}],"idle_replicas":5} | /scaler/idle_replicas: must be below min_replicas
P.scaler={K:[{"metric":"waiting","threshold":0}]} | /triggers/0/threshold; above 0
P.scaler={"policy":"fixed","replicas":9} | /scaler/replicas: the pool may not have that many
P.scaler={"policy":"queue_depth","low":10,"high":3} | /scaler/low: is above high: one queue would add and remove
P.scaler={"policy":"schedule","actions":[{"time":"25:00","desired_replicas":4}]} | /actions/0/time; "HH:MM"
P.scaler={"policy":"schedule","actions":[{"time":"09:00","max_replicas":4},{"time":"09:00","min_replicas":6}]} | /actions/1/time: another action
P.interruption.policy=retry           | /interruption/policy; requeue
P.start_up.boot={"kind":"uniform","min_s":30,"max_s":10} | /start_up/boot/max_s: max_s 10 is less than min_s 30
P.failures.gpu_mtbf_h=0               | /failures/gpu_mtbf_h; null: none fails
C={"kind":"recorded","path":"backwards.csv"} horizon_s=900 | backwards.csv:4: the row; before; sort
C={"kind":"recorded","path":"short.csv"} horizon_s=3600 | /markets/0/capacity/path: the record ends 1800 s after; horizon of 3600 s; "after_end"
C={"kind":"recorded","path":"short.csv"} | the run goes on at 1800 s, where the record of market "zone-a" ends; "horizon_s"
C={"kind":"recorded","path":"negative.csv"} | negative.csv:3: column "zone-a" holds "-4"
C={"kind":"recorded","path":"gap.csv","max_gap_s":600} | gap.csv:3: the row comes 9000 s after; 600 s
C={"kind":"recorded","path":"nowhere.csv"} | nowhere.csv: cannot open
markets[0].price={"kind":"recorded","path":"price.csv"} | price.csv:3; "-2"
start_time=yesterday                  | /start_time: "yesterday" is no date; 2025-06-02T00:00:00Z
B={"price_book":"negative.json"}      | negative.json:1: /prices/0/usd_per_hour: -1; 0
B={"price_book":"overlap.json"}       | overlap.json:1: /prices/1: the on_demand price of "small-node"; overlaps; "until"
B={"price_book":"reversed.json"}      | reversed.json:1: /prices/0/until; not after 2025-10-01
B={"price_book":"hole.json","prefer":"book"} P=null | hole.json: there is no on_demand price of "small-node" at 2025-09-01T08:00:00Z; next price begins at 2025-10-01
B={"prefer":"book"} P=null            | there is no on_demand price of "small-node" of AWS in here, for the nodes of "only"
B={"commitments":[{"kind":"reserved","sku":"small-node"}]} | /money/commitments/0/sku: there is no reserved_1y price of "small-node"
B={"commitments":[{"kind":"saving_plan"}]} | /money/commitments/0/kind; "savings_plan"
B={"alerts":[{"usd":-5}]}             | /money/alerts/0/usd; above 0
B={"alerts":[{"usd":5,"period":"week"}]} | /money/alerts/0/period; day, month, run
carbon={"pue":0.5}                    | /carbon/pue; at least 1
'

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

tried=0
while IFS='|' read -r assignments words; do
    [ "$(trim "$assignments")" ] || continue
    sets=()
    for assignment in $assignments; do
        assignment=${assignment/#P/$P}
        assignment=${assignment/#C/$C}
        assignment=${assignment/#B/money}
        sets+=(--set "${assignment/\{K/\{$K}")
    done
    refused 3 "$TOKENYARD" run "$TMP/bad/elastic.json" -o "$TMP/result" "${sets[@]}"
    while IFS= read -r -d ';' phrase; do
        says "$(trim "$phrase")"
    done <<<"$words;"
    # What was used may stay: `tokenyard price` bills it by a better book.
    [ ! -e "$TMP/result/summary.json" ] || fail "leaves a summary behind: ${sets[*]}"
    rm -rf "$TMP/result"
    tried=$((tried + 1))
done <<<"$cases"
[ "$tried" -gt 45 ] || fail "only $tried cases"

# --- rules where something could be meant ---

# A trigger that is absent at zero replicas cannot wake a pool (KEDA): requests wait, and are told of.
with pools[0].replicas=0 "$P.min_replicas=0" \
    "$P.scaler={$K:[{\"metric\":\"utilisation_percent\",\"threshold\":70}]}" horizon_s=1800
holds "$TMP/other/summary.json" 'it["requests"]["completed"] == 0' \
    'it["elastic"]["held_requests"] == it["requests"]["arrived"]' 'it["cost"]["total_usd"] == 0'
# Nor does it ever ask for more than ceil(100 / 70) of them, whatever the load.
with pools[0].replicas=1 "$P.scaler={$K:[{\"metric\":\"utilisation_percent\",\"threshold\":70}]}" horizon_s=7200
holds "$TMP/other/summary.json" 'it["elastic"]["pools"][0]["peak_replicas"] <= 2'
# A region that nobody has measured has the average of the rest, and says so.
with 'markets[0].region=moon' carbon={}
holds "$TMP/other/summary.json" 'it["carbon"]["operational_kg"] > 0'
