# Throughputs that Helix's authors publish of their simulator (artefact of ASPLOS 2025), offline, are
# met within 15 % on their own placements.
. tests/cli/lib.sh

published() { # SCENARIO TOKENS_PER_S
    expect 0 "$TOKENYARD" run "scenarios/helix/$1.json" -o "$TMP/$1" --quiet
    awk -v published="$2" -v name="$1" '
        $1 == "\"output_tokens_per_s\":" {
            ratio = ($2 + 0) / published
            print name ": " $2 " of " published
            exit ratio < 0.85 || ratio > 1.15
        }' "$TMP/$1/summary.json" || fail "$1 is not within 15 % of $2"
}
published llama-30b 339.6
published llama-30b-separate 309.0
published llama-30b-swarm 151.6
published llama-2-70b 252.1
published llama-2-70b-separate 124.3
published llama-2-70b-swarm 124.7
