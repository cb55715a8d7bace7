# Results that cannot be written: exit code 1, which file and why, and nothing half-written.
. tests/cli/lib.sh

run=("$TOKENYARD" run "$golden/given.json" --quiet)

: >"$TMP/file"
refused 1 "${run[@]}" -o "$TMP/file"
says "$TMP/file: the folder cannot be made: Not a directory"
refused 1 "${run[@]}" -o "$TMP/file/deeper"
says "$TMP/file: " 'Not a directory'
refused 1 "${run[@]}" -o /proc/no/such
says '/proc/no: the folder cannot be made'
refused 1 "${run[@]}" -o ''

# A name that is taken by a folder; and a folder that may not be written to.
mkdir -p "$TMP/taken/summary.json"
refused 1 "${run[@]}" -o "$TMP/taken" --no-plots
says 'taken/summary.json: is there already, and is a folder'
no_leftovers "$TMP/taken"
if [ "$(id -u)" != 0 ]; then # nothing is forbidden to root
    mkdir -m 500 "$TMP/forbidden"
    refused 1 "${run[@]}" -o "$TMP/forbidden"
    says 'Permission denied'
fi

# Standard output that is full or closed. The results on disk are whole all the same.
refused_output() {
    expect 1 bash -c "$1" bash "$TOKENYARD" $golden/given.json "$TMP/result"
    says 'cannot write to standard output'
}
refused_output '"$1" run "$2" --json >/dev/full'
refused_output '"$1" run "$2" --print-config >/dev/full'
refused_output '"$1" schema >/dev/full'
refused_output '"$1" help >/dev/full'
refused_output '"$1" run "$2" --json >&-'
for closed in '>/dev/full' '>&-'; do
    refused_output '"$1" run "$2" --no-plots -o "$3" '"$closed"
    no_leftovers "$TMP/result"
    simulate $golden/given.json "$TMP/whole"
    for file in summary.json summary.csv timeline.csv; do
        same "$TMP/whole/$file" "$TMP/result/$file"
    done
    rm -r "$TMP/result"
done
expect 0 bash -c '"$1" run "$2" --no-plots -q -o "$3" <&- >&- 2>&-' bash "$TOKENYARD" \
    $golden/given.json "$TMP/result"
same "$TMP/whole/summary.json" "$TMP/result/summary.json"
