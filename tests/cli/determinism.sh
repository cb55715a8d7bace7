# The same scenario and seed give the same bytes, also step by step; another seed gives others.
. tests/cli/lib.sh

simulate $golden/fleet.json "$TMP/first"
simulate $golden/fleet.json "$TMP/again" --seed 7
simulate $golden/fleet.json "$TMP/stepwise" --stepwise
simulate $golden/fleet.json "$TMP/other" --seed 8
for file in summary.json summary.csv timeline.csv; do
    same "$TMP/first/$file" "$TMP/again/$file"
    same "$TMP/first/$file" "$TMP/stepwise/$file"
    differ "$TMP/first/$file" "$TMP/other/$file"
done

# Also whatever else a scenario may say, as those that we ship do; the longest are cut short.
compared=0
for scenario in scenarios/*.json scenarios/batching/*.json scenarios/helix/*-swarm.json \
    scenarios/splitwise/*cap.json scenarios/spot/*.json; do
    grep -q '^  "pools"' "$scenario" || continue
    horizon=()
    case $scenario in
    scenarios/kv-aware-routing.json) horizon=(--set horizon_s=400) ;;
    scenarios/spot/*) horizon=(--set horizon_s=5000) ;;
    scenarios/diurnal.json | scenarios/helix/*) horizon=(--set horizon_s=1000) ;;
    esac
    simulate "$scenario" "$TMP/jumped" "${horizon[@]}"
    simulate "$scenario" "$TMP/stepped" --stepwise "${horizon[@]}"
    same "$TMP/jumped/summary.json" "$TMP/stepped/summary.json"
    compared=$((compared + 1))
done
[ "$compared" -gt 25 ] || fail "only $compared scenarios"

# What is watched does not change what happens; only the simulator's own figures differ.
simulate $golden/given.json "$TMP/plain"
simulate $golden/given.json "$TMP/watched" --requests --trace --set output.timeline_interval_s=9
same "$TMP/plain/summary.json" "$TMP/watched/summary.json"
expect 0 "$TOKENYARD" run $golden/given.json --json
sed -e '/"simulator"/,$d' "$TMP/out" >"$TMP/unwatched"
head -n "$(wc -l <"$TMP/unwatched")" "$TMP/plain/summary.json" | sed '$s/$/,/' >"$TMP/expected"
same "$TMP/expected" "$TMP/unwatched"
