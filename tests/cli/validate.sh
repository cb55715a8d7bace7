# tokenyard validate: a made-up table of measured points, its summary to the byte (UPDATE=1 make
# check writes a new one), what it writes, and what it refuses. The numbers that were "measured"
# were invented: the errors mean nothing.
. tests/cli/lib.sh

points=tests/golden/validate/points.csv
expected=tests/golden/validate/validate.json

expect 0 "$TOKENYARD" validate $points -o "$TMP/one" --threads 1 --no-plots
prints '12 measured points, 10 of them simulated' 'by engine' 'choice:' 'not covered' \
    'no model "Unheard-of-1T"'
no_leftovers "$TMP/one"
if [ "${UPDATE:-}" ]; then
    cp "$TMP/one/validate.json" $expected
fi
same $expected "$TMP/one/validate.json"

# Neither threads nor the way to the result change it.
expect 0 "$TOKENYARD" validate $points --json --threads 3
same $expected "$TMP/out"

# points.csv is a table of points again.
expect 0 "$TOKENYARD" validate "$TMP/one/points.csv" --json
same $expected "$TMP/out"
[ "$(wc -l <"$TMP/one/points.csv")" -eq 13 ] || fail "points.csv has not a row per point"
expect 0 "$TOKENYARD" validate $points $points --json
grep -q '"points": 24' "$TMP/out" || fail "two files are not read"

# Servers that prefill and decode apart, to the byte; one of them does not say how many clients it had.
apart=tests/golden/validate/apart
expect 0 "$TOKENYARD" validate $apart.csv -o "$TMP/apart" --no-plots
prints '4 measured points, 3 of them simulated' 'number of clients is not recorded'
if [ "${UPDATE:-}" ]; then
    cp "$TMP/apart/validate.json" $apart.json
fi
same $apart.json "$TMP/apart/validate.json"
expect 0 "$TOKENYARD" validate "$TMP/apart/points.csv" --json --threads 3
same $apart.json "$TMP/out"
expect 0 "$TOKENYARD" validate $points $apart.csv -o "$TMP/both" --no-plots
prints '16 measured points, 13 of them simulated'
expect 0 "$TOKENYARD" validate "$TMP/both/points.csv" --json
same "$TMP/both/validate.json" "$TMP/out"

refused 2 "$TOKENYARD" validate
says 'usage: tokenyard validate POINTS.csv'
refused 2 "$TOKENYARD" validate $points --threads 0
refused 2 "$TOKENYARD" validate $points --threads 1.5
refused 3 "$TOKENYARD" validate "$TMP/absent.csv" --json
says absent.csv
head -n 1 $points >"$TMP/empty.csv"
refused 3 "$TOKENYARD" validate "$TMP/empty.csv" --json
says 'holds no points'
sed '3s/,1000,/,a lot,/' $points >"$TMP/bad.csv"
refused 3 "$TOKENYARD" validate "$TMP/bad.csv" --json
says "$TMP/bad.csv:3:" '"isl"' '"a lot"'
refused 1 "$TOKENYARD" validate $points -o /dev/null/x

if command -v gnuplot >/dev/null; then
    expect 0 "$TOKENYARD" validate $points -o "$TMP/drawn" --quiet
    for plot in tpot ttft e2e; do
        grep -q '</svg>' "$TMP/drawn/plots/$plot.svg" || fail "no picture of $plot"
    done
fi

# Interrupted: what was reached is written, and the rest is said to be missing.
sed 's/,32,1,1,1,1,1,/,900000,1,1,1,1,1,/' $points >"$TMP/long.csv"
case $TOKENYARD in
*/thread/*) ;;
*)
    "$TOKENYARD" validate "$TMP/long.csv" -o "$TMP/cut" --threads 2 --no-plots >"$TMP/out" 2>"$TMP/err" &
    pid=$!
    sleep 1
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 130 ] || fail "ended with $status: $(cat "$TMP/err")"
    says interrupted
    prints INTERRUPTED
    grep -q '"interrupted": true' "$TMP/cut/validate.json" || fail "validate.json does not say it"
    grep -q 'not reached' "$TMP/cut/points.csv" || fail "points.csv does not say it"
    no_leftovers "$TMP/cut"
    ;;
esac

need python3
holds $expected 'set(it) >= {"coverage", "all", "groups", "choice"}' \
    'it["coverage"] == {"points": 12, "covered": 10}' 'it["all"]["tpot"]["n"] == 9' \
    'it["all"]["ttft"]["n"] == 9' 'it["all"]["e2e"]["n"] == 8' \
    'set(it["all"]["tpot"]) == {"n", "mape", "median_ape", "bias", "tau"}' \
    '{group["by"] for group in it["groups"]} >= {"origin", "system", "engine", "model", "tp", "flag"}' \
    '[g["tpot"]["mape"] for g in it["groups"] if g["value"] == "Unheard-of-1T"] == [None]'
holds "$TMP/one/manifest.json" 'it["command"][:2] == ["tokenyard", "validate"]' \
    'it["files"] == ["validate.json", "points.csv", "manifest.json"]' 'not it["interrupted"]'
