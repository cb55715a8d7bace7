# Every scenario that we ship beside quickstart.json does what its comments tell people to run.
# Those that replay recorded data are left out where it is not there. Weeks of Spot are cut short.
# Under a sanitizer, which is several times slower, a comparison is run as the scenario itself.
. tests/cli/lib.sh

ran=0
for scenario in $(find scenarios -name '*.json' -not -path 'scenarios/bench/*' \
    -not -path 'scenarios/models/*' -not -path 'scenarios/traces/*'); do
    [ -d ../shared/data ] || [[ "$scenario" != */recorded/* ]] || continue
    command=run
    [ "$(grep -c '^  "pools"' "$scenario")" -gt 0 ] || command=plan
    [ "$(grep -c '^  "compare"' "$scenario")" -eq 0 ] || command=compare
    case $command:$TOKENYARD in
    compare:*/address/* | compare:*/undefined/* | compare:*/thread/*) command=run ;;
    esac
    shorter=()
    [[ "$scenario" != "scenarios/spot/"* ]] || [ "$command" = plan ] ||
        [ "$(grep -c '^  "compare"' "$scenario")" -eq 0 ] || shorter=(--set horizon_s=10000)
    expect 0 "$TOKENYARD" "$command" "$scenario" -o "$TMP/$(basename "$scenario" .json)" --quiet \
        "${shorter[@]}"
    ran=$((ran + 1))
done
[ "$ran" -gt 5 ] || fail "only $ran scenarios"
