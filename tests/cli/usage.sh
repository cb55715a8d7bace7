# The command line itself: what is wrong with it, in exit code 2; and what is said to those who ask.
. tests/cli/lib.sh

given=$golden/given.json
refused 2 "$TOKENYARD" rnu $given
says 'unknown command "rnu"' 'did you mean "run"?'
refused 2 "$TOKENYARD" frobnicate
says 'tokenyard help'
refused 2 "$TOKENYARD" run
says 'usage: tokenyard run SCENARIO'
refused 2 "$TOKENYARD" run $given $given
says 'usage: tokenyard run SCENARIO'
refused 2 "$TOKENYARD" run $given --stepwize
says 'unknown option --stepwize' 'did you mean --stepwise?'
refused 2 "$TOKENYARD" run $given -x
says 'unknown option -x'
refused 2 "$TOKENYARD" run $given --output
says '--output wants a value'
refused 2 "$TOKENYARD" run $given -o
says '--output wants a value'
refused 2 "$TOKENYARD" run $given --json=yes
says '--json takes no value'
refused 2 "$TOKENYARD" run $given --seed one
says '--seed takes a number, not "one"'
refused 2 "$TOKENYARD" run $given --seed inf
refused 3 "$TOKENYARD" run $given --json --seed 1.5
says '/seed'
refused 2 "$TOKENYARD" plan
refused 2 "$TOKENYARD" list nonsense
says 'gpus, instances, mig, models, engines, presets, policies, formats'
refused 2 "$TOKENYARD" list gpu
says 'did you mean "gpus"?'
refused 2 "$TOKENYARD" trace synth $given "$TMP/x" --to mooncak
says 'did you mean "mooncake"?'
refused 2 "$TOKENYARD" trace frobnicate

expect 2 "$TOKENYARD"
prints 'usage: tokenyard COMMAND'
expect 0 "$TOKENYARD" help
for command in run plan compare price validate calibrate trace list schema help version; do
    grep -q "^  $command " "$TMP/out" || fail "help does not know $command"
done
same <("$TOKENYARD" help) <("$TOKENYARD" --help)
expect 0 "$TOKENYARD" --version
grep -qE '^tokenyard [0-9]+\.[0-9]+\.[0-9]+$' "$TMP/out" || fail "version: $(cat "$TMP/out")"
for command in run plan price validate calibrate trace list schema; do
    expect 0 "$TOKENYARD" $command --help
    prints "usage: tokenyard $command"
done
