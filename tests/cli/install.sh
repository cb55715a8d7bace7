# An installed tree works from any folder, also after it has been moved, and can be removed again.
. tests/cli/lib.sh
need make

# Installs the program under test as it is: -o keeps make from building it afresh.
program=${TOKENYARD#"$PWD/"}
sanitizer=$(basename "$(dirname "$program")")
make_it() {
    env -u MAKEFLAGS -u MAKELEVEL make -o "$program" SANITIZE="${sanitizer#build}" \
        PREFIX=/opt/tokenyard DESTDIR="$TMP/stage" "$1" >"$TMP/out" 2>&1 ||
        fail "make $1: $(cat "$TMP/out")"
}

make_it install
same "$TOKENYARD" "$TMP/stage/opt/tokenyard/bin/tokenyard"
for file in share/tokenyard/catalog/gpus.json share/tokenyard/scenarios/quickstart.json \
    share/man/man1/tokenyard.1 share/bash-completion/completions/tokenyard \
    share/zsh/site-functions/_tokenyard; do
    [ -s "$TMP/stage/opt/tokenyard/$file" ] || fail "not installed: $file"
done

mv "$TMP/stage/opt/tokenyard" "$TMP/moved here"
cd "$TMP"
expect 0 "moved here/bin/tokenyard" run "moved here/share/tokenyard/scenarios/quickstart.json" \
    --no-plots -q -o result
expect 0 "moved here/bin/tokenyard" list gpus
ln -s "moved here/bin/tokenyard" link
expect 0 ./link list models

mv "moved here/share/tokenyard/catalog" catalog
refused 1 ./link list gpus
says 'cannot find the catalogue' 'TOKENYARD_CATALOG'
expect 0 env TOKENYARD_CATALOG=catalog ./link list gpus

mkdir -p stage/opt
mv catalog "moved here/share/tokenyard/catalog"
mv "moved here" stage/opt/tokenyard
cd "$OLDPWD"
make_it uninstall
[ -z "$(find "$TMP/stage" -type f)" ] || fail "left: $(find "$TMP/stage" -type f)"
