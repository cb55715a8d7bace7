# Clients who give up and several models are reported where they are, and nowhere else.
. tests/cli/lib.sh

scenario() { # MEMBERS
    cat >"$TMP/scenario.json" <<END
{ "model": "llama-3.1-8b", $1
  "workload": { "preset": "azure-conversation", "rate_per_s": 20, "limit": 2000 },
  "pools": [ { "name": "a", "gpu": "L40S" }, { "name": "b", "gpu": "H100-SXM" $2 } ] }
END
    simulate "$TMP/scenario.json" "$TMP/results" --set output.requests=true
}

has() { # WHAT
    grep -q "$1" "$TMP/results/summary.json" || fail "no $1 in the summary"
}

has_not() { # WHAT
    ! grep -q "$1" "$TMP/results/summary.json" || fail "$1 in the summary of a run without"
}

scenario "" ""
has_not '"clients"'
has_not '"models"'

scenario '"client": { "ttft_timeout_s": 1, "retries": 1, "stop_share": 0.3,
          "stop_after_tok": { "kind": "constant", "tok": 20 } },' ""
has '"clients"'
for count in timed_out stopped timeouts retries wasted_prompt_tokens; do
    grep -q "\"$count\": [1-9]" "$TMP/results/summary.json" || fail "no $count"
done
h5ls "$TMP/results/requests.h5" | grep -q cancelled || fail "no column cancelled"

scenario '"classes": [ { "name": "long", "prompt_tok": [1000, null], "model": "qwen3-8b" } ],' \
    ', "model": "qwen3-8b"'
has '"models"'
has_not '"clients"'

sed -i 's/"pools"/"plan": { "budget_usd_h": 5, "offers": [ { "instance": "g6e.xlarge" } ] }, "pools"/' "$TMP/scenario.json"
refused 3 "$TOKENYARD" plan "$TMP/scenario.json" -o "$TMP/plan"
says "a plan is for one model"
