# Files that are not scenarios, or name others that are not there: file, line and what is wrong.
. tests/cli/lib.sh

scenario=$TMP/scenario.json

# rejects WORDS...: the scenario file as it now is must be refused with these words.
rejects() {
    refused 3 "$TOKENYARD" run "$scenario" -o "$TMP/result"
    says "$@"
    [ -z "$(find "$TMP" -path '*result/*')" ] || fail "leaves behind: $(ls "$TMP/result")"
}

# holding TEXT WORDS...: printf's escapes are allowed in the text.
holding() {
    # shellcheck disable=SC2059 # the escapes are meant
    printf "$1" >"$scenario"
    shift
    rejects "$@"
}

holding '' 'scenario.json:1' 'end of the text'
holding '// only a comment\n' 'scenario.json:2' 'end of the text'
holding '{\n  "seed": 1,\n  "pools": [ {' 'scenario.json:3' 'end of the text'
holding '{ "seed": 1 }\n{ }\n' 'scenario.json:2' 'nothing more after the value'
holding '{\n  "seed": 1,\n  "seed": 2\n}' 'scenario.json:3' '/seed' 'there twice' 'line 2'
holding '{\n "seed": 1\n "name": "x" }' 'scenario.json:3' "expected ',' or '}'"
holding '{ "name": "x\n" }' 'scenario.json:1' 'not closed'
holding '{ /* never closed\n }' 'comment is not closed'
holding '{\n"seed": 1e999 }' 'scenario.json:2' '/seed' 'too large'
holding '{\n"seed": NaN }' 'scenario.json:2' 'NaN'
holding '{ "seed": 0x10 }' 'scenario.json:1'
holding '{\n\n"na\000me": 1 }' 'scenario.json:3' '0x00'
holding '{\n"name": "\377\376" }' 'scenario.json:2' '0xff' 'UTF-8'
holding '\377\376{\000}\000' 'scenario.json:1'
holding '{ "name": "\\ud800" }' 'surrogate'
holding '[]' 'scenario.json:1' 'an object'
holding '"run"' 'scenario.json:1' 'an object'
holding '{}' 'scenario.json:1' 'no pools'
holding '{\n"x y/~": 1 }' 'scenario.json:2' '/x y~1~0'
head -c 100000 /dev/zero | tr '\0' '[' >"$scenario"
rejects 'nested deeper than'
for ((i = 0; i < 5000; i++)); do printf '{"a":'; done >"$scenario"
rejects 'nested deeper than'
head -c 100000 /dev/urandom >"$scenario"
rejects 'scenario.json:'

rm "$scenario"
rejects 'scenario.json: cannot be opened: No such file'
mkdir "$scenario"
rejects 'scenario.json: cannot be read: Is a directory'
rmdir "$scenario"

# Traces: the scenario says where one is meant to be, the trace what is wrong with it.
trace_of() {
    local limit='"limit": 10'
    cat >"$scenario" <<END
{
  "model": "llama-3.2-1b",
  "pools": [ { "name": "p", "gpu": "L4" } ],
  "workload": {
    "trace": { "path": "$1" }, $limit
  }
}
END
}
trace_of missing.csv
rejects missing.csv 'No such file'
trace_of .
rejects 'is a folder'

trace_of trace.csv
header='TIMESTAMP,ContextTokens,GeneratedTokens'
: >"$TMP/trace.csv"
rejects trace.csv
printf 'nothing,that,is known\n1,2,3\n' >"$TMP/trace.csv"
rejects trace.csv

good='2024-01-01 00:00:00.0,100,10'
late='2024-01-01 00:00:01.0,100,10'
rows() {
    printf '%s\n' "$header" "$@" >"$TMP/trace.csv"
}
rows "$good" '2024-01-01 00:00:01.0,many,10'
rejects 'trace.csv:3' 'many'
rows "$good" '2024-01-01 00:00:01.0,-5,10'
rejects 'trace.csv:3' '-5'
rows "$good" '2024-01-01 00:00:01.0,99999999999999999999,10'
rejects 'trace.csv:3' '99999999999999999999'
rows "$good" '2024-01-01 00:00:01.0,100'
rejects 'trace.csv:3'
rows "$good" 'yesterday,100,10'
rejects 'trace.csv:3' 'yesterday'
rows "$late" "$good"
rejects 'trace.csv:3' 'sort'
rows "$good" "$late" "$late" "$late"
gzip -c "$TMP/trace.csv" | head -c 60 >"$TMP/trace.csv.gz"
trace_of trace.csv.gz
rejects trace.csv.gz
