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

expect 0 "mooncake.jsonl: 6 requests in 7.13 s" "$TOKENYARD" trace stats $golden/mooncake.jsonl
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
[ ! -e "$TMP/f.csv" ] && [ ! -e "$TMP/f.jsonl" ]

cat >"$TMP/scenario.json" <<'JSON'
{ // the rest of a scenario is not needed to make a trace
  "seed": 7,
  "workload": { "trace": "t.csv" }
}
JSON
JSON_ONLY='{"seed": 7}'
echo "$JSON_ONLY" >"$TMP/empty.json"
expect 3 "the scenario has no workload" \
    "$TOKENYARD" trace synth "$TMP/empty.json" "$TMP/g.csv" --to vidur
