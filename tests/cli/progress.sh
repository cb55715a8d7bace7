# Progress goes to standard error, and only to a terminal.
. tests/cli/lib.sh

long=(run "$golden/given.json" --set workload.limit=2000000 --set output.plots=false -o "$TMP/result")
expect 0 "$TOKENYARD" "${long[@]}"
[ ! -s "$TMP/err" ] || fail "written to a file: $(head -c 200 "$TMP/err")"

need script
script -qec true /dev/null </dev/null >/dev/null 2>&1 || skip "no pseudo-terminal here"
script -qec "$TOKENYARD ${long[*]} >/dev/null" /dev/null </dev/null >"$TMP/terminal"
grep -q 'requests completed' "$TMP/terminal" || fail "nothing shown on a terminal"
script -qec "$TOKENYARD ${long[*]} --quiet" /dev/null </dev/null >"$TMP/terminal"
[ ! -s "$TMP/terminal" ] || fail "--quiet shows: $(head -c 200 "$TMP/terminal")"
