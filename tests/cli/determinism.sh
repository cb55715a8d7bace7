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

# What is written besides does not matter to the result.
simulate $golden/fleet.json "$TMP/watched" --requests --trace --set output.timeline_interval_s=0.5
same "$TMP/first/summary.json" "$TMP/watched/summary.json"
