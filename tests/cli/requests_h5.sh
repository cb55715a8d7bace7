# requests.h5: a row for each request that ended, readable by the HDF5 tools.
. tests/cli/lib.sh
need h5dump

rows() { h5dump -H -d "$2" "$1" | sed -n 's/.*SIMPLE { ( \([0-9]*\) ).*/\1/p'; }

simulate $golden/given.json "$TMP/result" --requests
file=$TMP/result/requests.h5
for column in arrival_s ttft_s e2e_s prompt_tok output_tok class pool; do
    [ "$(rows "$file" $column)" = 200 ] || fail "$column has $(rows "$file" $column) rows"
done
h5dump -d prompt_tok -s 199 -c 1 "$file" | grep -q '(199): 100' || fail "the last prompt is wrong"
h5dump -d ttft_s -s 7 -c 1 -m %.17g "$file" | grep -q '(7): 0.0400390625' || fail "TTFT is wrong"

simulate $golden/given.json "$TMP/again" --requests
same "$file" "$TMP/again/requests.h5"

# As the scenario asks; and none unasked.
simulate $golden/given.json "$TMP/asked" --set output.requests=true
same "$file" "$TMP/asked/requests.h5"
simulate $golden/given.json "$TMP/unasked"
[ ! -e "$TMP/unasked/requests.h5" ] || fail "requests.h5 although nobody asked"

# Where pools have roles: who computed the prompt, and how long its cache took.
disaggregated=scenarios/disaggregated.json
simulate $disaggregated "$TMP/roles" --requests --set workload.limit=50
[ "$(rows "$TMP/roles/requests.h5" handover_s)" = 50 ] || fail "handover_s is not there"
h5dump -d prefill_pool -s 0 -c 1 "$TMP/roles/requests.h5" | grep -q '(0): 0' || fail "prefill_pool is wrong"
[ -z "$(rows "$file" handover_s 2>/dev/null)" ] || fail "handover_s is there without roles"
