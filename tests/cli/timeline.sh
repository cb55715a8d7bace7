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
