# Scenarios that are wrong, one per line:
#
#   EXIT CODE | SCENARIO of tests/golden/run | ASSIGNMENT for --set | WORDS of the message; ...
#
# Each must be refused with that code and those words, and must leave no result directory behind.
. tests/cli/lib.sh

cases='
3 | fleet | rputer=random                        | --set rputer=random: /rputer: unknown; did you mean "router"
3 | fleet | pools[0].replica=2                   | /pools/0/replica; "replicas"
3 | fleet | engine.max_num_seq=2                 | /engine/max_num_seq; "max_num_seqs"
3 | fleet | workload.streams[0].rate=2           | /workload/streams/0/rate; "rate_per_s"
3 | fleet | seed="one"                           | /seed; a string
3 | fleet | pools={}                             | /pools; an object
3 | fleet | pools[0].replicas=1.5                | /pools/0/replicas
3 | fleet | pools[0].replicas=0                  | /pools/0/replicas; 1
3 | fleet | pools[0].replicas=1e9                | /pools/0/replicas; 100000
3 | fleet | pools[0].replicas=true               | /pools/0/replicas; true or false
3 | fleet | pools[0].name=null                   | /pools/0/name; null
3 | fleet | engine.gpu_memory_utilization=1.01   | /engine/gpu_memory_utilization; 1
3 | fleet | warmup_s=-1                          | /warmup_s; 0
3 | fleet | horizon_s=0                          | /horizon_s; above 0
3 | fleet | horizon_s=1e999                      | /horizon_s: expected a number
3 | fleet | seed=NaN                             | /seed: expected
3 | fleet | slo[0].percentile=101                | /slo/0/percentile; 100
3 | fleet | pools[1].gpu=slowe                   | /pools/1/gpu: unknown GPU "slowe"; "slow"
3 | fleet | pools[1].gpu=H100                    | unknown GPU "H100"; "H100-; list gpus
3 | fleet | pools[0].instance=two-fsat           | /pools/0/instance: unknown instance; "two-fast"
3 | fleet | pools[0].gpu=slow                    | /pools/0/gpu: instance two-fast has fast GPUs, not slow
3 | fleet | pools[0].stages=[{"gpu":"slow","layers":4}] | /pools/0/stages: the stages say what each runs on; leave gpu
3 | fleet | pools[1].micro_batches=2             | /pools/1/micro_batches: there is no pipeline for 2
3 | fleet | pools[1].gpu=H100-SXM/2g.11gb        | unknown GPU "H100-SXM/2g.11gb"; "H100-SXM/
3 | fleet | pools[1].pipelining="ques"           | /pools/1/pipelining; "queues"
3 | fleet | pools[1]={"name":"slow","gpu":"slow","usd_per_gpu_hour":1,"pipelining":"queues","pipeline_parallel":2,"engine":{"preemption":"swap"}} | /pools/1: "pipelining": "queues" does not go with preemption "swap"; "rounds"
3 | fleet | model=llama-3.1-8x                   | /model; llama-3.1-8b
3 | fleet | model=no/such/config.json            | no/such/config.json
3 | fleet | pools[0].role=prefil                 | /pools/0/role; "prefill"
3 | fleet | pools[0].role=decode                 | /pools/0: the pool decodes, but none prefills for it; "prefill"
3 | given | pools[0].role=prefill                | /pools/0: the pools prefill, but none decodes; "decode"
3 | fleet | disaggregation={}                    | /disaggregation: it changes nothing; "never"
3 | fleet | router=randm                         | /router; "randm"; "random"
3 | fleet | router.policy=weighed                | /router/policy; "weighted"
3 | fleet | router.shares[0].pool=quick          | /router/shares/0/pool: there is no pool "quick"
3 | fleet | router.shares[0].class=short         | /router/shares/0/class: there is no class "short"
3 | fleet | router.within=weighted               | /router/within
3 | fleet | workload.streams[0].preset=azur-code | /workload/streams/0/preset; "azure-code"
3 | given | workload=null                        | no workload
3 | given | workload={}                          | /workload; where requests come from
3 | fleet | horizon_s=null                       | /workload: the workload never ends; limit
3 | fleet | workload.rate_per_s=5                | /workload/rate_per_s
3 | given | workload={"streams":[{"preset":"azure-code","limit":9},{"preset":"azure-code","limit":9}]} | /workload/streams/1; azure-code
3 | given | pools=[]                             | no pools
3 | fleet | pools[1].name=fast                   | /pools/1: two pools are named "fast"
3 | fleet | classes[1].name=long                 | /classes/1: two classes are named "long"
3 | fleet | classes[0].stream=talk               | /classes/0/stream; no stream "talk"
3 | fleet | classes[0].prompt_tok=[5]            | /classes/0/prompt_tok
3 | fleet | classes[0].prompt_tok=[5,4]          | /classes/0/prompt_tok: least (5) is above most (4)
3 | fleet | slo[1].class=burst                   | /slo/1; no class "burst"
3 | fleet | slo[1].e2e_s=null                    | /slo/1; bounds nothing
3 | fleet | engine.max_num_batched_tokens=16     | max_num_batched_tokens (16) is below max_num_seqs (32)
3 | fleet | engine.speculative={}                | /speculative; "method"
3 | fleet | engine.speculative={"method":"ngram","tokens":2,"acceptance":[0.5,0.4,0.3]} | 3 positions, but 2 tokens
3 | fleet | engine.speculative={"method":"eagle","tokens":2,"acceptance":[0.5]} | /method; "eagle"
3 | fleet | engine.lora={"adapters":4,"max_loras":4,"max_cpu_loras":2} | max_cpu_loras (2) is below lora.max_loras (4)
3 | fleet | pools[0].network_rtt_ms=-1           | /pools/0/network_rtt_ms
3 | fleet | engine.max_model_len=5000            | max_model_len is 5000; 4096
3 | fleet | engine.max_model_len=4000            | /pools/1: max_model_len is 4000; the KV cache holds 3200
3 | fleet | hardware.gpus[0].memory_gib=-1       | /hardware/gpus/0/memory_gib
3 | fleet | hardware.gpus[1].name=fast           | /hardware/gpus/1
3 | fleet | hardware.instances[0].gpu=fasst      | /hardware/instances/0/gpu; "fast"
4 | fleet | model=llama-3.1-405b                 | /pools/0; does not fit; GiB; tensor_parallel
4 | fleet | pools[0].tensor_parallel=3           | /pools/0; heads; 3
4 | fleet | pools[0].pipeline_parallel=17        | /pools/0; 16 layers
2 | fleet | seed                                 | --set seed; hint: write a path
2 | fleet | =3                                   | --set
2 | fleet | pools[x]=3                           | --set pools[x]=3
3 | fleet | pools[9].name=x                      | pools
3 | fleet | seed.x=3                             | seed
'

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

while IFS='|' read -r code scenario assignment words; do
    [ "$code" ] || continue
    assignment=$(trim "$assignment")
    refused "$code" "$TOKENYARD" run "$golden/${scenario// /}.json" -o "$TMP/result" --set "$assignment"
    while IFS= read -r -d ';' phrase; do
        says "$(trim "$phrase")"
    done <<<"$words;"
    [ ! -e "$TMP/result" ] || fail "leaves a result directory behind: --set $assignment"
done <<<"$cases"
