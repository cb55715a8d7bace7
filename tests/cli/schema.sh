# `tokenyard schema`, held by an independent validator against scenarios that are right and wrong.
. tests/cli/lib.sh
need python3
python -c 'import jsonschema' 2>/dev/null || skip "no python3-jsonschema here"

expect 0 "$TOKENYARD" schema
cp "$TMP/out" "$TMP/schema.json"
expect 0 "$TOKENYARD" run $golden/fleet.json --print-config
cp "$TMP/out" "$TMP/printed.json"

cat >"$TMP/validate.py" <<'END'
import copy, json, re, sys
from jsonschema import Draft202012Validator

strings_and_comments = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)


def read(path):
    text = open(path).read()
    return json.loads(strings_and_comments.sub(lambda m: m[0] if m[0][0] == '"' else " ", text))


schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for path in sys.argv[3:]:
    for error in validator.iter_errors(read(path)):
        sys.exit(f"{path}: {error.json_path}: {error.message[:300]}")

good = read(sys.argv[2])
wrong = {
    "an unknown key": lambda it: it.update(rputer=1),
    "a wrong type": lambda it: it.update(seed="one"),
    "a fraction": lambda it: it["pools"][0].update(replicas=1.5),
    "too few": lambda it: it["pools"][0].update(tensor_parallel=0),
    "too many": lambda it: it["pools"][0].update(replicas=10**9),
    "the bound itself": lambda it: it.update(horizon_s=0),
    "a missing key": lambda it: it["pools"][0].pop("name"),
    "null": lambda it: it["pools"][0].update(name=None),
    "an unknown name": lambda it: it["pools"][0].update(weights="bf17"),
    "an unknown policy": lambda it: it.update(router="randm"),
    "an unknown policy of an object": lambda it: it.update(router={"policy": "randm"}),
    "a parameter of another policy": lambda it: it["router"].update(policy="random"),
    "an unknown preset": lambda it: it["workload"]["streams"][0].update(preset="azur"),
    "a wrong element": lambda it: it["classes"][0].update(prompt_tok=[2048, "all"]),
    "too long a list": lambda it: it["classes"][0].update(prompt_tok=[1, 2, 3]),
    "a list": lambda it: it.update(engine=[]),
}
for what, change in wrong.items():
    scenario = copy.deepcopy(good)
    change(scenario)
    if validator.is_valid(scenario):
        sys.exit(f"the schema accepts {what}")
END
mapfile -t scenarios < <(find scenarios -name '*.json' -not -path '*/models/*')
[ ${#scenarios[@]} -gt 0 ] || fail "no scenarios"
python "$TMP/validate.py" "$TMP/schema.json" $golden/fleet.json "${scenarios[@]}" \
    $golden/fleet.json $golden/given.json $golden/plan.json "$TMP/printed.json"

# What the schema accepts of them, the program reads: each shipped scenario resolves. Those that replay
# recorded data are left out where it is not there.
for scenario in "${scenarios[@]}"; do
    [ -d ../shared/data ] || [[ "$scenario" != */recorded/* ]] || continue
    expect 0 "$TOKENYARD" run "$scenario" --print-config
done
