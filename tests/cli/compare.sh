# `tokenyard compare`: variants side by side, at every value of a sweep, and what was published.
. tests/cli/lib.sh

cat >"$TMP/scenario.json" <<'END'
{
  "name": "known answers",
  "model": "llama-3.1-8b",
  "workload": { "generator": { "arrivals": { "kind": "deterministic", "rate_per_s": 1 },
                               "prompt_tok": { "kind": "constant", "tok": 100 }, "output_tok": { "kind": "constant", "tok": 11 } }, "limit": 40 },
  "pools": [ { "name": "a", "gpu": "H100-SXM", "step_time": { "kind": "given", "base_s": 0.01 } } ],
  "compare": {
    "variants": [ { "name": "slow", "set": [ "pools[0].step_time.base_s=0.02" ] }, { "name": "fast" } ],
    "sweep": { "set": "workload.rate_per_s", "values": [ 1, 2 ], "label": "requests/s" },
    "metrics": [ "tpot_p50_s", "requests_per_s" ],
    "claims": [ { "text": "twice as slow", "source": "arithmetic", "of": "slow", "over": "fast",
                  "metric": "tpot_mean_s", "ratio": [ 2 ] } ]
  }
}
END
compare() { # OPTION...: of that scenario
    "$TOKENYARD" compare "$TMP/scenario.json" "$@"
}

expect 0 compare -o "$TMP/result" --threads 1
prints 'time per output token' '10.0 ms' '20.0 ms' 'simulated 2.00; published 2.00'
cp -r "$TMP/result" "$TMP/first"
expect 0 compare -o "$TMP/result" --threads 4 --quiet
[ ! -s "$TMP/out" ] || fail "prints although it is to be quiet"
diff <(sed 's/"[14]"//' "$TMP/first/compare.csv") "$TMP/result/compare.csv" ||
    fail "the number of threads changes the numbers"
[ "$(wc -l <"$TMP/result/compare.csv")" -eq 5 ] || fail "not a row per variant and value"
for metric in tpot_p50_s requests_per_s; do
    [ -s "$TMP/result/plots/$metric.gp" ] || fail "no figure of $metric"
done
expect 0 compare --json
prints '"simulated_most": 2' '"variant": "slow"' '"published"'
expect 0 compare --json --set pools[0].step_time.base_s=0.04
prints '"simulated_most": 0.49999'

refused 3 compare -o "$TMP/x" --set 'compare.claims[0].of=sloow'
says '/compare/claims/0/of' 'there is no variant "sloow"' 'did you mean "slow"?'
refused 3 compare -o "$TMP/x" --set 'compare.variants[1].name=slow'
says '/compare/variants/1/name' 'two variants are called "slow"'
refused 3 compare -o "$TMP/x" --set 'compare.variants[0].set=["pools[0].replicas=0"]'
says 'variant "slow"' '/pools/0/replicas'
refused 3 compare -o "$TMP/x" --set 'compare.metrics=["speed"]'
says '/compare/metrics/0'
refused 3 compare -o "$TMP/x" --set compare=null
says 'nothing to compare' 'variants'
refused 2 compare --threads 0
says '--threads'
