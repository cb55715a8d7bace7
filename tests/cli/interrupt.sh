# Ctrl-C in a long run: a whole result directory for what was simulated, which says so.
. tests/cli/lib.sh
case $TOKENYARD in
*/thread/*) skip "the thread sanitizer holds signals back while the program computes" ;;
esac

# interrupt SIGNAL OPTION...: sends the signal once the run is under way; leaves its exit status.
interrupt() {
    local signal=$1 pid
    shift
    "$TOKENYARD" run $golden/given.json --set workload.limit=30000000 --no-plots \
        -o "$TMP/result" "$@" >"$TMP/out" 2>"$TMP/err" &
    pid=$!
    until [ -e "$TMP/result/timeline.csv.$pid.tmp" ]; do
        kill -0 $pid || fail "it ended by itself: $(cat "$TMP/err")"
        sleep 0.05
    done
    sleep 0.3
    kill -s "$signal" $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 130 ] || fail "ended with $status: $(cat "$TMP/err")"
    says "interrupted at"
    no_leftovers "$TMP/result"
    for file in manifest.json summary.json summary.csv timeline.csv; do
        [ -s "$TMP/result/$file" ] || fail "no $file"
    done
    grep -q '"interrupted": true' "$TMP/result/summary.json" || fail "summary.json does not say it"
    grep -q '"interrupted": true' "$TMP/result/manifest.json" || fail "manifest.json does not say it"
}

interrupt INT
prints INTERRUPTED
rm -r "$TMP/result"
interrupt TERM --json --requests
prints '"interrupted": true'
