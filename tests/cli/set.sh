# --set: any value of the scenario, also deep in it, as often as wanted; the later one wins.
. tests/cli/lib.sh

resolved() { expect 0 "$TOKENYARD" run $golden/fleet.json --print-config "$@"; }

# becomes LINE OPTION...: the resolved scenario then holds the line.
becomes() {
    local line=$1
    shift
    resolved "$@"
    prints "$line"
}

becomes '"seed": 9' --set seed=8 --set seed=9
becomes '"seed": 10' --seed 10 --set seed=8
becomes '"replicas": 17' --set 'pools[1].replicas=17'
becomes '"max_num_seqs": 3,' -s 'pools[0].engine.max_num_seqs=3'
becomes '"policy": "random"' --set router=random
becomes '"name": "two words"' --set 'name=two words'
becomes '"timeline_interval_s": 2.5' --set output.timeline_interval_s=2.5
becomes '"name": "third"' --set 'pools[2]={"name": "third", "gpu": "fast"}'

# The engine settings of the scenario are those of its pools, but for what these say themselves.
resolved --set engine.block_size=32
[ "$(grep -c '"block_size": 32' "$TMP/out")" = 3 ] || fail "not every pool inherits"
[ "$(grep -c '"num_gpu_blocks_override": 200' "$TMP/out")" = 1 ] || fail "not its own"
