# What the command-line cases share. Each begins with: . tests/cli/lib.sh
# A case checks with `expect` how a command ends, with `says` what it complained about, and with
# `value` what a JSON file holds.
set -eu -o pipefail

golden=tests/golden/run

fail() {
    echo "$*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# need PROGRAM...: the case is skipped where one is missing.
need() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "no $program here"
    done
}

# expect STATUS COMMAND...: the command ends with that status, and no sanitizer has complained. Its
# standard output is then in $TMP/out, its standard error in $TMP/err.
expect() {
    local wanted=$1 status=0
    shift
    "$@" >"$TMP/out" 2>"$TMP/err" || status=$?
    if [ "$status" -ne "$wanted" ] || grep -qE 'Sanitizer|runtime error' "$TMP/err"; then
        cat "$TMP/err"
        fail "ended with $status, not $wanted: $*"
    fi
}

# says WORDS...: each stands in what the last command of `expect` wrote to standard error.
says() {
    local words
    for words; do
        grep -qF -- "$words" "$TMP/err" || fail "does not say \"$words\", but: $(cat "$TMP/err")"
    done
}

# prints WORDS...: each stands in what it wrote to standard output.
prints() {
    local words
    for words; do
        grep -qF -- "$words" "$TMP/out" || fail "does not print \"$words\", but: $(cat "$TMP/out")"
    done
}

# refused STATUS COMMAND...: fails with that status, says why, and prints no result.
refused() {
    expect "$@"
    [ -s "$TMP/err" ] || fail "no message: $*"
    [ ! -s "$TMP/out" ] || fail "prints although it fails: $*"
}

# simulate SCENARIO FOLDER [OPTION...]: runs it without plots.
simulate() {
    local scenario=$1 folder=$2
    shift 2
    expect 0 "$TOKENYARD" run "$scenario" -o "$folder" --no-plots --quiet "$@"
}

same() {
    cmp "$1" "$2" || fail "$1 and $2 differ: $(diff "$1" "$2" | head -n 20)"
}

differ() {
    ! cmp -s "$1" "$2" || fail "$1 and $2 are the same"
}

# no_leftovers FOLDER: nothing in it is half-written.
no_leftovers() {
    local left
    left=$(find "$1" -name '*.tmp')
    [ -z "$left" ] || fail "left behind: $left"
}

# Debian's own Python first: its packages are what the README names.
python() {
    "$(command -v /usr/bin/python3 || command -v python3)" "$@"
}

# value FILE EXPRESSION: the value of a Python expression in which `it` is what the JSON file holds.
value() {
    python -c 'import json, sys
it = json.load(open(sys.argv[1]), parse_constant=lambda word: sys.exit("not JSON: " + word))
print(eval(sys.argv[2]))' "$1" "$2"
}

# holds FILE EXPRESSION...: each is true of the JSON file.
holds() {
    local file=$1 expression
    shift
    for expression; do
        [ "$(value "$file" "$expression")" = True ] || fail "not true of $file: $expression"
    done
}
