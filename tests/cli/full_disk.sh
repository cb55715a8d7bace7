# A disk that is full sooner or later: what stands under its final name is whole, the rest is gone.
. tests/cli/lib.sh

options=(--quiet --requests --trace --set output.timeline_interval_s=0.1)
run=("$TOKENYARD" run "$golden/given.json" "${options[@]}")
expect 0 "${run[@]}" -o "$TMP/whole"

# whole_or_absent FOLDER: each of its files is as it would be with room enough.
whole_or_absent() {
    local file
    no_leftovers "$1"
    while read -r file; do
        [ "$file" = manifest.json ] || same "$TMP/whole/$file" "$1/$file"
    done < <(cd "$1" && find . -type f -printf '%P\n')
}

# No file may grow beyond so many KiB.
limited() {
    trap '' XFSZ
    ulimit -f "$1"
    shift
    "$@"
}
failures=0
for size_kib in 1 2 4 8 16 32 64 128; do
    status=0
    (limited $size_kib "${run[@]}" -o "$TMP/limited") >"$TMP/out" 2>"$TMP/err" || status=$?
    [ $status -le 1 ] || fail "ended with $status: $(cat "$TMP/err")"
    if [ $status -eq 1 ]; then
        failures=$((failures + 1))
        says 'File too large'
        [ ! -s "$TMP/out" ] || fail "prints although it fails"
        [ ! -e "$TMP/limited/manifest.json" ] || fail "a manifest for what is not there"
    fi
    whole_or_absent "$TMP/limited"
done
[ $failures -ge 4 ] || fail "the disk was not full often enough: $failures"

# A trace that is written.
status=0
(limited 4 "$TOKENYARD" trace synth $golden/given.json "$TMP/limited/trace.csv" --to azure) \
    2>"$TMP/err" || status=$?
[ $status -eq 1 ] || fail "ended with $status"
says 'File too large'
[ -z "$(find "$TMP" -name 'trace.csv*')" ] || fail "half a trace is left"

# And a run on a file system of its own, where that is permitted.
inside='mount -t tmpfs -o size=$2 none "$1" || exit 77
status=0
"${@:4}" -o "$1/result" || status=$?
cp -r "$1/result" "$3"
exit $status'
mkdir "$TMP/disk"
for size in 8k 64k 300k; do
    status=0
    unshare -m bash -c "$inside" bash "$TMP/disk" $size "$TMP/copy$size" "${run[@]}" \
        2>"$TMP/err" || status=$?
    if [ $status -eq 77 ] || grep -q '^unshare:' "$TMP/err"; then
        break
    fi
    [ $status -eq 1 ] || fail "ended with $status on a disk of $size: $(cat "$TMP/err")"
    says 'No space left on device'
    whole_or_absent "$TMP/copy$size"
done
