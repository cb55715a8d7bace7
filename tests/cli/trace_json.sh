# trace.json, for ui.perfetto.dev: valid JSON, every iteration in it, times in order per track.
. tests/cli/lib.sh
need python3

simulate $golden/given.json "$TMP/result" --trace
holds "$TMP/result/trace.json" \
    'len(it["traceEvents"]) > 200' \
    '{"ph", "pid"} <= set.intersection(*(set(event) for event in it["traceEvents"]))' \
    'all(event["dur"] >= 0 for event in it["traceEvents"] if event["ph"] == "X")' \
    'max(event.get("ts", 0) for event in it["traceEvents"]) > 49e6'
holds "$TMP/result/manifest.json" '"trace.json" in it["files"]'
