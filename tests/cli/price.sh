# `tokenyard price`: a run under other prices, commitments of least cost, and break-even with an API;
# nothing is simulated. The run of tests/golden/price: one p5.48xlarge for the two days around the
# price cut of June 2025, a second one from nine to five, and a g6e.xlarge on Spot for 25 hours.
. tests/cli/lib.sh
run=tests/golden/price/run
book=tests/golden/price/book.json

price() { "$TOKENYARD" price "$@"; }

# as_golden NAME: what --json prints, to the byte. After a change that is meant: UPDATE=1 make check
as_golden() {
    if [ "${UPDATE:-}" ]; then
        cp "$TMP/out" tests/golden/price/$1.json
    fi
    same tests/golden/price/$1.json "$TMP/out"
}

# --- bills ---

expect 0 price $run -o "$TMP/bill" --book $book --at 2025-07-01 --api flat \
    --commit '{"kind": "reserved", "sku": "p5.48xlarge"}'
prints 'as run' 'book.json, 2025-07-01, committed' 'flat, 2025-07-01'
[ "$(wc -l <"$TMP/bill/price.csv")" -eq 4 ] || fail "not a row per bill"
# (24 + 8) h at 98.32 and as many at 55.04, and 25 h of Spot at the 0.9 that the run recorded. After the
# cut: one of the two reserved at 36, 8 + 8 h on demand, Spot at the book's price. All tokens at 0.9.
holds "$TMP/bill/price.json" 'abs(it["bills"][0]["usd"] - (32 * (98.32 + 55.04) + 25 * 0.9)) < 1e-6' \
    'abs(it["bills"][1]["usd"] - (48 * 36 + 16 * 55.04 + 25 * 1)) < 1e-6' \
    'abs(it["bills"][2]["usd_per_mtok"] - 0.9) < 1e-9'
expect 0 price $run --json --book $book --at 2025-07-01 --region us-east-1 --region eu-north-1 --purchase on_demand
holds "$TMP/out" 'abs(it["bills"][2]["usd"] - (64 * 60 + 25 * 2)) < 1e-6' 'len(it["bills"]) == 3'
expect 0 price $run --json --book $book --at 2025-05-01 --at 2025-07-01 --purchase on_demand
as_golden bill
[ -z "$(find $run -name 'price*')" ] || fail "writes although it was to print only"
expect 0 price $run -o "$TMP/quiet" --quiet
[ ! -s "$TMP/out" ] || fail "prints although it is to be quiet"

refused 2 price
says 'usage: tokenyard price RESULT_DIR'
refused 3 price "$TMP/nowhere"
says 'not the result folder of a run'
mkdir "$TMP/empty"
refused 3 price "$TMP/empty"
says 'usage.json'
refused 2 price $run --at yesterday
says '--at: "yesterday" is no date'
refused 2 price $run --purchase reserved_1y
says 'nodes are not bought as "reserved_1y"' '--commit'
refused 3 price $run --json --region eu-north-7
says 'p5.48xlarge' 'eu-north-7'
refused 3 price $run --api nobody/nothing
says 'nobody/nothing'
refused 3 price $run --book "$TMP/nothing.json"
says 'nothing.json'
refused 3 price $run --commit '{"kind": "savings_plan", "usd_per_hour": -1}'
says '/commit/0/usd_per_hour'
refused 3 price $run --commit nonsense
says '--commit'
cp -r $run "$TMP/cut"
sed -i '$d' "$TMP/cut/usage_nodes.csv"
refused 3 price "$TMP/cut"
says 'usage_nodes.csv'

# A run's own commitments are in its bill, and in those that only move it.
cat >"$TMP/reserved.json" <<'END'
{ "model": "llama-3.1-8b", "workload": { "preset": "azure-code", "limit": 20 }, "horizon_s": 7200,
  "start_time": "2026-09-07T10:00:00Z", "pools": [ { "name": "a", "instance": "g5.xlarge", "replicas": 3 } ],
  "money": { "price_book": "own.json", "commitments": [
    { "kind": "reserved", "sku": "g5.xlarge", "count": 2, "usd_per_hour": 0.5 } ] } }
END
echo '{"prices": [ { "sku": "g5.xlarge", "provider": "AWS", "region": "us-east-1", "purchase": "on_demand", "usd_per_hour": 3 } ]}' \
    >"$TMP/own.json"
expect 0 "$TOKENYARD" run "$TMP/reserved.json" -q --no-plots -o "$TMP/reserved"
expect 0 price "$TMP/reserved" --json --at 2026-10-01 --purchase on_demand
holds "$TMP/out" 'abs(it["bills"][0]["usd"] - 2 * (2 * 0.5 + 3)) < 1e-6' 'abs(it["bills"][1]["usd"] - 2 * 9) < 1e-6'
expect 0 price "$TMP/reserved" --json --at 2026-10-01
holds "$TMP/out" 'abs(it["bills"][1]["usd"] - it["bills"][0]["usd"]) < 1e-6'

# What the engine's own prefix cache found is cached input to an API: a million costs 1 instead of 2.
cat >"$TMP/prefix.json" <<'END'
{ "model": "llama-3.1-8b", "horizon_s": 3600, "engine": { "enable_prefix_caching": true },
  "workload": { "shared_prefix": { "prompts": 1, "prompt_tok": 64 }, "limit": 100,
    "generator": { "arrivals": { "kind": "poisson", "rate_per_s": 0.1 },
      "prompt_tok": { "kind": "constant", "tok": 100 }, "output_tok": { "kind": "constant", "tok": 10 } } },
  "pools": [ { "name": "a", "instance": "g5.xlarge" } ], "money": {} }
END
echo '{"prices": [ { "sku": "g5.xlarge", "provider": "AWS", "purchase": "on_demand", "usd_per_hour": 1 } ],
  "api": [ { "name": "it", "provider": "It", "model": "it", "input_usd_per_mtok": 2, "cached_usd_per_mtok": 1,
  "output_usd_per_mtok": 3 } ]}' >"$TMP/api.json"
expect 0 "$TOKENYARD" run "$TMP/prefix.json" -q --no-plots -o "$TMP/prefix"
expect 0 price "$TMP/prefix" --json --book "$TMP/api.json" --api it
holds "$TMP/out" 'abs(it["bills"][-1]["usd"] - 100 * (164 * 2 + 10 * 3) / 1e6 + 99 * 64 / 1e6) < 1e-9'

# --- commitments ---

# A chatbot's day: what lies above 4 is in use a third of the time, the floor all of it.
printf 'hours,instances\n8,10\n10,4\n6,2\n' >"$TMP/day.csv"
expect 0 price commit "$TMP/day.csv" -o "$TMP/commit" --on-demand 1 --committed 1y=0.6 --no-plots
prints 'the optimum' 'in use more than 60.0 % of the time' 'if demand is other'
# 4 at 0.6, 6 on demand for a third of the time; the floor saves less.
holds "$TMP/commit/commit.json" 'it["offers"][0]["optimum_instances"] == [4]' \
    'abs(it["plans"][-1]["usd_per_hour"] - (4 * 0.6 + 6 / 3)) < 1e-9' \
    'abs(it["plans"][1]["usd_per_hour"] - (2 * 0.6 + 2 * 18 / 24 + 6 / 3)) < 1e-9'
[ "$(wc -l <"$TMP/commit/commit.csv")" -eq 7 ] || fail "not a row per plan"
expect 0 price commit "$TMP/day.csv" --json --on-demand 1 --committed 1y=0.3
holds "$TMP/out" 'it["offers"][0]["optimum_instances"] == [10]'

# Three years for what is there from the start, single years for what comes.
printf 'instances\n1\n' >"$TMP/one.csv"
expect 0 price commit "$TMP/one.csv" --json --on-demand 1 --growth 1 --committed 1y=0.6 --committed base:3y=0.41
holds "$TMP/out" 'it["offers"][0]["optimum_instances"] == [0, 1, 3]' \
    'it["offers"][1]["name"] == "base"' 'it["offers"][1]["optimum_instances"] == [1, 1, 1]'

expect 0 price commit $run --book $book --sku p5.48xlarge --at 2025-07-01 --json
as_golden commit
holds "$TMP/out" 'it["demand"]["mean"] == 64 / 48' 'it["on_demand_usd_per_hour"] == 55.04'
# What the optimum says that it costs, a Savings Plan of that size costs by the hour; others cost more.
best=$(value "$TMP/out" '48 * it["plans"][-1]["usd_per_hour"]')
for usd in 12 24 36 48; do
    expect 0 price $run --book $book --at 2025-07-01 --json \
        --commit "{\"kind\": \"savings_plan\", \"usd_per_hour\": $usd, \"term\": \"3y\"}"
    holds "$TMP/out" "(it['bills'][1]['usd'] - 25 - $best < 1e-6) == ($usd == 24)" \
        "it['bills'][1]['usd'] - 25 - $best > -1e-6"
done
expect 0 price commit $run --sku g6e.xlarge --all-nodes --json --on-demand 1 --committed 1y=1
holds "$TMP/out" 'abs(it["demand"]["mean"] - 25 / 48) < 1e-12'

refused 2 price commit $run
says '--sku is missing' 'p5.48xlarge'
refused 2 price commit $run --sku p4.large
says 'no instances "p4.large"'
refused 2 price commit "$TMP/day.csv"
says '--on-demand' '--committed'
refused 2 price commit "$TMP/day.csv" --sku p5.48xlarge
says '--at is missing'
for offer in 1=3 y=3 1y 1y=cheap :1y=3 0y=1; do
    refused 2 price commit "$TMP/day.csv" --on-demand 1 --committed $offer
    says "cannot read \"$offer\""
done
refused 2 price commit "$TMP/day.csv" --on-demand 1 --committed 1y=-1
says 'must be 0 or more'
refused 2 price commit "$TMP/day.csv" --on-demand 0 --committed 1y=1
says 'above 0'
refused 2 price commit "$TMP/day.csv" --on-demand 1 --committed 2y=1 --committed 3y=1
says 'do not nest'
refused 2 price commit "$TMP/day.csv" --on-demand 1 --committed 1y=1 --years 1.23
says '--years'
refused 2 price commit "$TMP/day.csv" --on-demand 1 --committed 1y=1 --growth -1
says 'growth'
for table in 'instances' 'hours\n1' 'instances\n-1' 'instances,hours\n1,0' 'instances\nmany'; do
    printf "$table\n" >"$TMP/wrong.csv"
    refused 3 price commit "$TMP/wrong.csv" --on-demand 1 --committed 1y=1
    says 'wrong.csv'
done

# --- break-even ---

# A node costs 730 dollars a month and serves 730 million tokens in one.
even() {
    price break-even --api-output 1.5 --api-input 1.5 --node-usd 1 --node-tok-per-s 277.77777777777777 "$@"
}
expect 0 even -o "$TMP/even" --spare 0
prints 'for the first time' '487 M' 'utilisation'
holds "$TMP/even/break_even.json" 'len(it["crossings"]) == 3' \
    'abs(it["crossings"][0]["tok_per_month"] - 730e6 / 1.5) < 1' \
    'abs(it["crossings"][1]["tok_per_month"] - 730e6) < 1' \
    'it["crossings"][1]["cheaper_beyond"] == "api"' \
    'abs(it["always_tok_per_month"] - 2 * 730e6 / 1.5) < 1' \
    'it["by_utilisation"][4]["first_tok_per_month"] is None'
[ "$(wc -l <"$TMP/even/break_even.csv")" -eq 9 ] || fail "not a row per utilisation"
expect 0 even --json --tokens-per-month 100e6 --peak-to-mean 10
holds "$TMP/out" 'it["at"]["nodes"] == 3' 'it["first_tok_per_month"] is None'
printf 'instances,hours\n20,8\n5,16\n' >"$TMP/load.csv"
expect 0 even "$TMP/load.csv" --json --follow-load --spare 0 --tokens-per-month 730e6
holds "$TMP/out" 'abs(it["at"]["nodes"] - 4 / 3) < 1e-9'
expect 0 price break-even $run --book $book --api tiered --node-tok-per-s 20000 --json
as_golden break-even
holds "$TMP/out" 'it["mix"]["input"] > 0.7' 'it["self_hosting"]["peak_to_mean"] > 2' \
    'it["api"]["cached_usd_per_mtok"] == 1.25'

refused 2 price break-even
says '--node-usd is missing'
refused 2 even --spare -1
says 'spare nodes'
refused 2 even --utilisation 70
says 'utilisation'
refused 2 even --input-share 1.5
says '--input-share'
refused 2 even --follow-load
says '--follow-load needs a load'
refused 2 even "$TMP/load.csv" --peak-to-mean 2
says '--peak-to-mean'
refused 2 even --tokens-per-month -1
says '--tokens-per-month'
refused 2 price break-even --node-usd 1 --node-tok-per-s 1 --api tiered
says '--at is missing'
refused 2 price break-even --node-usd 1 --node-tok-per-s 1 --api-input 1
says '--api-output'
refused 2 price break-even --node-usd 1 --node-tok-per-s 1 --api-input 1 --api-output -1
says 'prices of the API'
refused 2 price break-even --node-usd 1 --node-tok-per-s 1 --api-input 0 --api-output 0
says 'costs nothing'

# --- figures ---

if command -v gnuplot >/dev/null; then
    expect 0 price commit "$TMP/day.csv" -o "$TMP/figures" --on-demand 1 --committed 1y=0.6 --quiet
    expect 0 even -o "$TMP/figures" --quiet
    for name in load_duration break_even; do
        for kind in gp dat svg; do
            [ -s "$TMP/figures/plots/$name.$kind" ] || fail "no $name.$kind"
        done
    done
fi
no_leftovers "$TMP"
