# What scripts may rely on in summary.json, and what --json prints.
. tests/cli/lib.sh
need python3

cat >"$TMP/check.py" <<'END'
import json, sys

summary = json.load(open(sys.argv[1]))
quantiles = "mean p50 p90 p95 p99 max"
promised = {
    "requests": "arrived completed rejected in_flight",
    "tokens": "prompt output",
    "ttft_s": quantiles, "tpot_s": quantiles, "itl_s": quantiles, "e2e_s": quantiles,
    "queue_s": quantiles,
    "throughput": "requests_per_s output_tokens_per_s",
    "slo": "attainment goodput_requests_per_s",
    "cost": "total_usd usd_per_hour usd_per_million_tokens usd_per_1k_requests requests_per_usd",
    "simulator": "requests_per_s events iterations wall_s peak_rss_bytes",
}
in_pools = "name gpu replicas utilisation mean_batch peak_kv preemptions usd_per_hour cost_usd"


def numbers(block, keys):
    for key in keys.split():
        assert isinstance(block[key], (int, float)), f"{key} is {block[key]!r}"


for name, keys in promised.items():
    numbers(summary[name], keys)
for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_s"):
    block = summary[name]
    assert 0 <= block["p50"] <= block["p90"] <= block["p95"] <= block["p99"] <= block["max"], name
requests = summary["requests"]
assert requests["arrived"] == (
    requests["completed"] + requests["rejected"] + requests["in_flight"]), requests
assert min(requests["completed"], requests["rejected"], requests["in_flight"]) > 0, requests
pools = summary["pools"]
for pool in pools:
    assert all(key in pool for key in in_pools.split()), pool
    assert 0 <= pool["utilisation"] <= 1 and 0 <= pool["peak_kv"] <= 1
for key in ("arrived", "completed", "rejected", "in_flight"):
    assert sum(pool[key] for pool in pools) == requests[key], key
cost = summary["cost"]
assert abs(sum(pool["cost_usd"] for pool in pools) - cost["total_usd"]) < 1e-9
assert abs(cost["usd_per_hour"] * summary["simulated_s"] / 3600 - cost["total_usd"]) < 1e-9
END

root=$PWD
expect 0 "$TOKENYARD" run $golden/fleet.json --json
cp "$TMP/out" "$TMP/printed.json"
python "$TMP/check.py" "$TMP/printed.json"

# --json writes no result directory unless asked; what it prints is the file and "simulator".
mkdir "$TMP/elsewhere"
cd "$TMP/elsewhere"
expect 0 "$TOKENYARD" run "$root/$golden/fleet.json" --json
[ -z "$(ls -A)" ] || fail "--json leaves files behind: $(ls -A)"
expect 0 "$TOKENYARD" run "$root/$golden/fleet.json" --json --no-plots -o results
cp "$TMP/out" "$TMP/both.json"
holds results/summary.json \
    "{**it, 'simulator': 0} == {**json.load(open('$TMP/both.json')), 'simulator': 0}" \
    '"simulator" not in it'

# summary.csv: one line of names and one of values, for the same numbers.
python - results <<'END'
import csv, json, sys

names, values = csv.reader(open(sys.argv[1] + "/summary.csv"))
row = dict(zip(names, values, strict=True))
summary = json.load(open(sys.argv[1] + "/summary.json"))
assert float(row["ttft_s.p99"]) == summary["ttft_s"]["p99"]
assert row["pools.1.name"] == summary["pools"][1]["name"]
END
