# --require-slo turns a missed SLO into exit code 5, after everything has been written.
. tests/cli/lib.sh

expect 0 "$TOKENYARD" run $golden/given.json -o "$TMP/kept" --no-plots --quiet --require-slo
expect 0 "$TOKENYARD" run $golden/fleet.json -o "$TMP/missed" --no-plots --quiet
refused 5 "$TOKENYARD" run $golden/fleet.json -o "$TMP/required" --no-plots --quiet --require-slo
says "SLO was missed"
same "$TMP/missed/summary.json" "$TMP/required/summary.json"
[ -s "$TMP/required/manifest.json" ] || fail "no manifest"
expect 0 "$TOKENYARD" run $golden/given.json -o "$TMP/none" --no-plots -q --require-slo --set slo=[]
