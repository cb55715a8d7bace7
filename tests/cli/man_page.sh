# The man page names every option of every command, and every member that a scenario can have.
. tests/cli/lib.sh
page=analysis/share/tokenyard.1

words() { # the page's, without roff's escapes and requests
    sed -e 's/\\-/-/g; s/\\f[BIRP]//g; s/\\&//g' $page | tr -cs 'A-Za-z0-9_$-' '\n' | sort -u
}
words >"$TMP/words"

options() { # COMMAND...
    expect 0 "$TOKENYARD" "$@" --help
    grep -o -e '^ *\(-[a-z], \)\?--[a-z-]*' "$TMP/out" | grep -o -e '--[a-z-]*'
}
for command in run plan compare price 'price commit' 'price break-even' validate calibrate \
    'trace stats' 'trace convert' 'trace synth'; do
    options $command
done | sort -u >"$TMP/options"

# Members stand four levels deep in the schema, under $defs/TYPE/properties.
"$TOKENYARD" schema | sed -n 's/^        "\([^"]*\)": {$/\1/p' | sort -u >"$TMP/members"

[ "$(wc -l <"$TMP/options")" -gt 15 ] || fail "found too few options: $(cat "$TMP/options")"
[ "$(wc -l <"$TMP/members")" -gt 100 ] || fail "found too few members: $(cat "$TMP/members")"
missing=$(sort "$TMP/options" "$TMP/members" | comm -23 - "$TMP/words")
[ -z "$missing" ] || fail "not in the man page:" $missing
