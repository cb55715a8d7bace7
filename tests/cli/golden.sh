# summary.json of two small scenarios, to the byte. After a change that is meant to change results,
# look at what changed, and then: UPDATE=1 make check
. tests/cli/lib.sh

for name in given fleet; do
    simulate $golden/$name.json "$TMP/$name"
    if [ "${UPDATE:-}" ]; then
        cp "$TMP/$name/summary.json" $golden/$name.summary.json
    fi
    same $golden/$name.summary.json "$TMP/$name/summary.json"
done

# And these numbers by hand; see given.json.
value_of() { grep -A 1 "\"$1\": {" "$TMP/given/summary.json" | tail -n 1 | tr -dc '0-9.'; }
[ "$(value_of ttft_s)" = 0.0400390625 ] || fail "TTFT is $(value_of ttft_s)"
[ "$(value_of tpot_s)" = 0.01953125 ] || fail "TPOT is $(value_of tpot_s)"
[ "$(value_of e2e_s)" = 0.1962890625 ] || fail "E2E is $(value_of e2e_s)"
