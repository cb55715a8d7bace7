# Every scenario that we ship beside quickstart.json does what its comments tell people to run.
# Those that replay recorded data are left out where it is not there.
. tests/cli/lib.sh

ran=0
for scenario in $(find scenarios -name '*.json' -not -path 'scenarios/bench/*' \
    -not -path 'scenarios/models/*' -not -path 'scenarios/traces/*'); do
    [ -d ../shared/data ] || [[ "$scenario" != */recorded/* ]] || continue
    command=run
    [ "$(grep -c '^  "pools"' "$scenario")" -gt 0 ] || command=plan
    [ "$(grep -c '^  "compare"' "$scenario")" -eq 0 ] || command=compare
    expect 0 "$TOKENYARD" "$command" "$scenario" -o "$TMP/$(basename "$scenario" .json)" --quiet
    ran=$((ran + 1))
done
[ "$ran" -gt 5 ] || fail "only $ran scenarios"
