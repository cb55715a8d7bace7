# tokenyard trace: statistics, conversion there and back, messages and exit codes.
set -eu
golden=tests/golden/traces

expect() { # STATUS MESSAGE COMMAND...
    local status=$1 message=$2 output actual=0
    shift 2
    output=$("$@" 2>&1) || actual=$?
    if [ "$actual" -ne "$status" ] || ! grep -qF -- "$message" <<<"$output"; then
        printf '%s\nexit %s, expected %s and "%s":\n%s\n' "$*" "$actual" "$status" "$message" \
            "$output" >&2
        return 1
    fi
}

expect 0 "mooncake.jsonl: 6 requests in 7.12 s" "$TOKENYARD" trace stats $golden/mooncake.jsonl
expect 0 "Prefix blocks of 512 tokens: 9, of which 5 differ" \
    "$TOKENYARD" trace stats $golden/mooncake.jsonl
expect 0 '"requests": 6,' "$TOKENYARD" trace stats --json $golden/azure.csv

# Azure -> BLIS -> LLMServingSim -> Azure: nothing is lost on the way.
expect 0 "6 requests written" "$TOKENYARD" trace convert $golden/azure.csv "$TMP/a.yaml" --to blis
"$TOKENYARD" trace convert "$TMP/a.yaml" "$TMP/b.jsonl" --to llmservingsim
"$TOKENYARD" trace convert "$TMP/b.jsonl" "$TMP/c.csv" --to azure
"$TOKENYARD" trace convert $golden/azure.csv "$TMP/d.csv" --to azure
cmp "$TMP/c.csv" "$TMP/d.csv"

expect 0 "2 requests written" \
    "$TOKENYARD" trace convert $golden/vidur.csv "$TMP/e.csv" --to vidur --limit 2
[ "$(wc -l <"$TMP/e.csv")" -eq 3 ]

expect 2 "--to is missing" "$TOKENYARD" trace convert $golden/vidur.csv "$TMP/f.csv"
expect 2 "one of azure, vidur" "$TOKENYARD" trace convert $golden/vidur.csv "$TMP/f.csv" --to foo
expect 2 "one of drop, one, error" "$TOKENYARD" trace stats $golden/vidur.csv --zero foo
expect 2 "what to do is missing" "$TOKENYARD" trace
expect 3 "no/such: cannot open the trace" "$TOKENYARD" trace stats no/such
expect 3 "16 tokens: timed_trace, bailian" \
    "$TOKENYARD" trace convert $golden/mooncake.jsonl "$TMP/f.jsonl" --to bailian
expect 1 "cannot be created" \
    "$TOKENYARD" trace convert $golden/vidur.csv no/such/folder/f.csv --to vidur
[ ! -e "$TMP/f.csv" ]
[ ! -e "$TMP/f.jsonl" ]

# The rest of a scenario is not needed to make a trace. The same seed gives the same bytes.
cp $golden/vidur.csv "$TMP/t.csv"
cat >"$TMP/scenario.json" <<'JSON'
{ "seed": 7, "workload": { "preset": "azure-conversation", "rate_per_s": 12 } }
JSON
expect 0 "500 requests written to $TMP/g.csv (vidur); more would follow" \
    "$TOKENYARD" trace synth "$TMP/scenario.json" "$TMP/g.csv" --to vidur --limit 500
"$TOKENYARD" trace synth "$TMP/scenario.json" "$TMP/h.csv" --to vidur --limit 500 --seed 7
cmp "$TMP/g.csv" "$TMP/h.csv"
"$TOKENYARD" trace synth "$TMP/scenario.json" "$TMP/h.csv" --to vidur --limit 500 --seed 8
if cmp -s "$TMP/g.csv" "$TMP/h.csv"; then exit 1; fi
expect 3 "a seed is a whole number" \
    "$TOKENYARD" trace synth "$TMP/scenario.json" "$TMP/h.csv" --to vidur --seed 0.5

echo '{ "workload": { "trace": { "path": "t.csv" } } }' >"$TMP/traced.json"
expect 0 "6 requests written" "$TOKENYARD" trace synth "$TMP/traced.json" "$TMP/i.csv" --to vidur
"$TOKENYARD" trace convert "$TMP/t.csv" "$TMP/j.csv" --to vidur
cmp "$TMP/i.csv" "$TMP/j.csv"

echo '{ "seed": 7 }' >"$TMP/empty.json"
expect 3 "the scenario has no workload" \
    "$TOKENYARD" trace synth "$TMP/empty.json" "$TMP/k.csv" --to vidur
