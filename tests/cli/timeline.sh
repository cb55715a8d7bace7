# timeline.csv: few rows however long the run, or the interval that was asked for.
. tests/cli/lib.sh

rows() { grep -c '^[0-9]' "$1/timeline.csv"; }

simulate $golden/given.json "$TMP/short"
simulate $golden/given.json "$TMP/long" --set workload.limit=20000
[ "$(rows "$TMP/long")" -ge 200 ] || fail "$(rows "$TMP/long") rows of the long run"
[ "$(rows "$TMP/long")" -le 400 ] || fail "$(rows "$TMP/long") rows of the long run"
[ "$(rows "$TMP/short")" -le 400 ] || fail "$(rows "$TMP/short") rows of the short run"

simulate $golden/given.json "$TMP/asked" --set output.timeline_interval_s=10
[ "$(rows "$TMP/asked")" = 5 ] || fail "$(rows "$TMP/asked") rows of 10 s in 49.95 s"
head -n 1 "$TMP/asked/timeline.csv" | grep -q '^time_s,.*waiting.*running.*power_w.*only.kv_used' ||
    fail "columns: $(head -n 1 "$TMP/asked/timeline.csv")"

# Of a fleet that comes and goes there is more to say: 4 of 10 nodes on demand at 1.006, 6 on Spot at 0.4225 USD/h.
! grep -q 'usd_per_hour' "$TMP/asked/timeline.csv" || fail "nodes of a fleet that has none"
simulate scenarios/spot/on-demand-base.json "$TMP/elastic" --set horizon_s=300 --set output.timeline_interval_s=100
head -n 1 "$TMP/elastic/timeline.csv" |
    grep -q ',a10g.wanted,a10g.ready,a10g.spot_nodes,a10g.on_demand_nodes,a10g.spot_capacity,a10g.usd_per_hour$' ||
    fail "columns: $(head -n 1 "$TMP/elastic/timeline.csv")"
[ "$(grep -c ',10,10,6,4,30,6.559' "$TMP/elastic/timeline.csv")" = 3 ] ||
    fail "nodes: $(cat "$TMP/elastic/timeline.csv")"
