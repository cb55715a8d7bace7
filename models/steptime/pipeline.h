/* A pipeline of stages as one compiled step time: the GPUs of a replica each hold some of the
 * layers, and as many micro-batches as are in flight follow one another through them.
 *
 * An iteration of a pipelined engine is a round: every sequence that runs gets a token. With n
 * sequences in m micro-batches a round takes
 *
 *   max( slowest stage's time for all m micro-batches, one micro-batch's way through all stages )
 *
 * the first where the pipeline is full, the second where it is not (the bubble): one sequence waits
 * for the sum of the stages. A stage's time includes the send to the next one. Rounds follow one
 * another without a gap, as micro-batches do: who comes back to the first stage goes on.
 *
 * Prompts are packed into micro-batches as engines pack them: the first is filled up to the token
 * budget, then the next. No micro-batch overtakes another, so that a round with a prompt lasts at
 * least until the fullest micro-batch is through. What a round does not show: it begins and ends
 * for all at once, while requests in a real pipeline join with the next micro-batch; and a prompt
 * of j micro-batches that finds an empty pipeline takes the filling, j - 1 times the slowest stage,
 * on top.
 *
 * vLLM keeps pipeline_parallel_size batches in flight (vllm/v1/engine/core.py, batch_queue; V0: as
 * many virtual engines), TensorRT-LLM and SGLang as many micro-batches (py_executor.py,
 * num_micro_batches; scheduler_pp_mixin.py, pp_loop_size), each with the whole token budget. */
#ifndef TOKENYARD_MODELS_STEPTIME_PIPELINE_H
#define TOKENYARD_MODELS_STEPTIME_PIPELINE_H

#include "models/steptime/kernel_sum.h"
#include "models/steptime/steptime.h"

struct gpu;

/* From one stage's GPUs to the next: how long the hidden states of so many tokens take. */
struct stage_link {
    double latency_s, bytes_per_s;
};

/* Between GPUs of one node, or of two; the slower of both ends. */
struct stage_link stage_link_between(const struct gpu *from, const struct gpu *to, bool across);

struct pipeline_stage {
    struct kernel_sum kernels; /* of all the model's layers on this stage's GPUs, and of its head */
    double share;              /* of the layers that this stage has */
    bool emits;                /* has the head: the last stage */
    struct stage_link link;    /* to the next stage; not of the last */
};

#define PIPELINE_STAGES_MAX 128

/* stages[0 .. count), in order; 1 <= count <= PIPELINE_STAGES_MAX. hidden_bytes: of one token's
 * hidden state. limits: of the round, but max_batch_tokens of one micro-batch: a round has
 * micro_batches times as many. The first stage's kernels say what is once an iteration (step_s,
 * prefill_step_s). NULL on error, as steptime_compile_sum. */
struct steptime *pipeline_compile(const struct pipeline_stage *stages, size_t count,
                                  int64_t micro_batches, double hidden_bytes,
                                  const struct steptime_limits *limits, struct error *error);

/* One stage alone, for whoever follows batches from stage to stage: the time of a batch on it,
 * without the send. limits: of a batch on it. */
struct steptime *pipeline_stage_compile(const struct pipeline_stage *stage,
                                        const struct steptime_limits *limits, struct error *error);

#endif
