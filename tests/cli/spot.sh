# Spot replays: a pool that always wants more than there is, and whose nodes start at once, holds exactly
# the recorded capacity: in every zone, at every row, in every format.
. tests/cli/lib.sh
need python3
traces=../shared/data/traces/spot
[ -d "$traces" ] || skip "no recorded traces here"

# Writes a scenario of all zones of a file, which are read by FORMAT, or of those that are named.
scenario() { # FILE FORMAT HORIZON_S [ZONE...]
    python - "$PWD/$traces/$1" "$2" "$3" "${@:4}" <<'END'
import json, sys
path, form, horizon_s, *zones = sys.argv[1:]
market = lambda zone: {"name": zone, "on_demand_usd_per_hour": 3, "notice_s": 0, "capacity":
    {"kind": "recorded", "path": path, "format": form, "after_end": "hold", "sort": form == "columns"}}
json.dump({
    "model": "llama-3.2-1b", "horizon_s": float(horizon_s), "markets": [market(zone) for zone in zones],
    "workload": {"generator": {"arrivals": {"kind": "deterministic", "rate_per_s": 1e-4},
                               "prompt_tok": {"kind": "constant", "tok": 10}, "output_tok": {"kind": "constant", "tok": 2}}},
    "pools": [{"name": "p", "gpu": "H100-SXM", "replicas": 0, "elastic": {
        "min_replicas": 0, "max_replicas": 300, "scaler": {"policy": "fixed", "replicas": 300}, "markets": zones,
        "purchase": {"strategy": "price_capacity_optimized"}, "start_up": {"kind": "instant"}}}],
}, sys.stdout)
END
}

# What usage_nodes.csv says was held, against the file's own rows, read here once more.
held_as_recorded() { # FILE FORMAT HORIZON_S [ZONE...]
    python - "$traces/$1" "$2" "$3" "$TMP/held/usage_nodes.csv" "${@:4}" <<'END'
import collections, csv, sys
path, form, horizon_s, nodes, *zones = sys.argv[1:]
horizon_s = float(horizon_s)

def recorded():  # {zone: {time: count}}
    series, names = {zone: {} for zone in zones}, set()
    rows = list(csv.reader(open(path)))
    if form == "columns":
        head = rows.pop(0)
        for row in rows:
            for zone in zones:
                cell = row[head.index(zone)]
                if cell:
                    series[zone][float(row[head.index("offset_s")])] = int(cell)
    for row in rows if form == "events" else []:
        (names.add if row[1] == "add" else names.remove)(row[2])
        series[zones[0]][float(row[0]) / 1000] = len(names)
    for row in rows if form == "counts" else []:
        series[zones[0]][float(row[0]) / 1000] = int(row[1])
    return series

changes = {zone: collections.Counter() for zone in zones}
for node in csv.DictReader(open(nodes)):
    assert node["purchase"] == "spot"
    zone = zones[int(node["market"])]
    changes[zone][float(node["billed_from_s"])] += 1
    changes[zone][float(node["end_s"])] -= 1
looks = 0
for zone, series in recorded().items():
    held = 0
    for time in sorted(set(changes[zone]) | set(series)):
        if time >= horizon_s:
            break
        held += changes[zone][time]
        assert time in series, f"{path}: {zone} changes at {time} s, between rows"
        assert held == series[time], f"{path}: {zone} holds {held} at {time} s, not {series[time]}"
        looks += 1
assert looks > 0
print(f"{looks} rows of {len(zones)} zones in {path}")
END
}

replay() { # FILE FORMAT HORIZON_S ZONE...
    scenario "$@" >"$TMP/replay.json"
    simulate "$TMP/replay.json" "$TMP/held"
    held_as_recorded "$@"
}

zones_of() { # FILE COLUMN: the names of its columns from there on
    head -n 1 "$traces/$1" | cut -d, -f"$2"- | tr ',' ' '
}
end_of() { # FILE COLUMN: its last time
    tail -n 1 "$traces/$1" | cut -d, -f"$2"
}

aws=aws_v100_9zones_2023-02.csv
replay $aws columns "$(end_of $aws 1)" $(zones_of $aws 2)
h100=gcp_h100_16x13zones_first75pct.csv
replay $h100 columns "$(end_of $h100 2)" $(zones_of $h100 3)
replay aws_v100_4node_2023-08.csv columns 1098900 us-east-1f # whose series ends earlier
replay aws_v100_4node_2023-08.csv columns 1539000 us-east-2a us-west-2c
for file in bamboo_gcp_v100_us-east1-c_counts.csv bamboo_gcp_a100_us-east1-b_counts.csv; do
    replay $file columns "$(end_of $file 1)" instances
done
replay bamboo_aws_p3_events.csv events 41000 p3
replay parcae_aws_p3_counts.csv counts 41000 p3
