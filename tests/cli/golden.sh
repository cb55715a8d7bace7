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

# And these by hand, from the step times in given.json; the last of 200 requests comes at 199/4 s.
of_given() { grep -A 1 "\"$1\": *{*" "$TMP/given/summary.json" | tr -d ' ,\n'; }
for wanted in 'ttft_s":{"mean":0.0400390625' 'tpot_s":{"mean":0.01953125' \
    'e2e_s":{"mean":0.1962890625' 'simulated_s":49.9462890625'; do
    [[ "$(of_given "${wanted%%\"*}")" = *"$wanted"* ]] || fail "not as worked out: $wanted"
done
