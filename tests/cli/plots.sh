# Every figure is there, drawn by a script that draws it again from its own folder.
. tests/cli/lib.sh
need gnuplot

expect 0 "$TOKENYARD" run $golden/fleet.json -o "$TMP/result" --quiet
for name in ttft tpot e2e load batch pools; do
    for kind in gp dat svg; do
        [ -s "$TMP/result/plots/$name.$kind" ] || fail "no $name.$kind"
    done
    rm "$TMP/result/plots/$name.svg"
    expect 0 env -C "$TMP/result/plots" gnuplot "$name.gp"
    grep -q '</svg>' "$TMP/result/plots/$name.svg" || fail "$name.gp draws no SVG"
done
no_leftovers "$TMP/result"

# A fleet that comes and goes has one more.
expect 0 "$TOKENYARD" run scenarios/spot/on-demand-base.json -o "$TMP/elastic" --quiet --set horizon_s=900
grep -q '</svg>' "$TMP/elastic/plots/replicas.svg" || fail "no figure of replicas"
[ ! -e "$TMP/result/plots/replicas.gp" ] || fail "a figure of replicas that never change"

# Without gnuplot a run is still a run, and says what is missing.
mkdir "$TMP/empty"
expect 0 env PATH="$TMP/empty" "$TOKENYARD" run $golden/given.json -o "$TMP/undrawn" --quiet
says "no plots: "
[ -s "$TMP/undrawn/plots/ttft.gp" ] || fail "no script to draw later"
[ ! -e "$TMP/undrawn/plots/ttft.svg" ] || fail "drawn without gnuplot?"
