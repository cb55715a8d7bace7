# Recorded Spot markets of a scenario: found beside it, followed by the fleet, refused when wrong.
. tests/cli/lib.sh

mkdir "$TMP/there"
printf 'offset_s,a,b\n0,2,0\n300,1,0\n600,2,0\n900,0,2\n1200,0,2\n' >"$TMP/there/capacity.csv"
printf 'zone,offset_s,spot_usd_per_hour\na,0,1.5\nb,0,2.5\n' >"$TMP/there/prices.csv"
cat >"$TMP/there/scenario.json" <<END
{ "model": "llama-3.1-8b", "horizon_s": 1500,
  "workload": { "generator": { "arrivals": { "kind": "poisson", "rate_per_s": 0.5 },
                               "prompt_tok": { "kind": "constant", "tok": 100 },
                               "output_tok": { "kind": "constant", "tok": 10 } } },
  "markets": [ { "name": "a", "on_demand_usd_per_hour": 5, "notice_s": 30,
                 "capacity": { "kind": "recorded", "path": "capacity.csv" },
                 "price": { "kind": "recorded", "path": "prices.csv" } } ],
  "pools": [ { "name": "p", "gpu": "H100-SXM", "replicas": 2,
               "elastic": { "min_replicas": 2, "max_replicas": 2, "scaler": "fixed", "markets": ["a"],
                            "purchase": { "spot_percent_above_base": 100 } } } ] }
END

run() { # SET...
    local sets=()
    for assignment; do sets+=(--set "$assignment"); done
    simulate "$TMP/there/scenario.json" "$TMP/results" "${sets[@]}"
}
refuses() { # SET
    refused 3 "$TOKENYARD" run "$TMP/there/scenario.json" -o "$TMP/refused" --set "$1"
}

# Of two nodes one is taken at 300 s, and what there is at 900 s.
run
holds "$TMP/results/summary.json" 'it["elastic"]["pools"][0]["interruptions"] >= 2' \
    '0 < it["elastic"]["pools"][0]["mean_replicas"] < 1.5'
grep -qF "$TMP/there/capacity.csv" "$TMP/results/manifest.json" || fail "a path that is relative"
run 'markets[0].capacity=unlimited'
holds "$TMP/results/summary.json" 'it["elastic"]["pools"][0]["interruptions"] == 0' \
    'it["elastic"]["pools"][0]["mean_replicas"] == 2'

# 2, 1, 2 and no nodes, for 300, 300, 300 and 600 s: any for 3/5 of the time, both for 2/5.
run 'pools[0].elastic.start_up={"kind":"instant"}' 'markets[0].notice_s=0'
holds "$TMP/results/summary.json" 'abs(it["elastic"]["pools"][0]["up_share"] - 0.6) < 1e-9' \
    'abs(it["elastic"]["pools"][0]["full_share"] - 0.4) < 1e-9' \
    'abs(it["elastic"]["pools"][0]["mean_replicas"] - 1) < 1e-9'

# Who ignores the notice is sent requests until the node goes; else they wait from the notice on.
held() { value "$TMP/results/summary.json" 'it["elastic"]["held_requests"]'; }
run 'pools[0].elastic.interruption.policy=drain' 'markets[0].notice_s=100'
heeded=$(held)
run 'pools[0].elastic.interruption.policy=ignore' 'markets[0].notice_s=100'
[ "$(held)" -lt "$heeded" ] || fail "$(held) requests wait for a replica, and $heeded that heed the notice"
run 'pools[0].elastic.interruption.policy=lose' 'markets[0].notice_s=100'
[ "$(held)" -lt "$heeded" ] || fail "$(held) requests wait for a replica, and $heeded that heed the notice"

refuses horizon_s=1501
says "the record ends 1500 s after the run begins" '"after_end"'
run horizon_s=1501 'markets[0].capacity.after_end=repeat'
refuses 'markets[0].capacity.column=c'
says 'capacity.csv:1: the header has no column "c"'
refuses 'markets[0].price.zone=c'
says 'prices.csv: has no price of zone "c"' 'a, b'
refuses 'markets[0].capacity.path=nowhere.csv'
says "nowhere.csv: cannot open the file"
refuses 'markets[0].on_demand_usd_per_hour=null'
says "/markets/0" "no price on demand"
