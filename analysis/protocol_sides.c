/* The recipes are those of SemiAnalysis InferenceX (benchmarks/multi_node/srt-slurm-recipes,
 * November 2025 to April 2026), which NVIDIA's srt-slurm starts under Dynamo. A recipe's name says
 * its workers and the sequences that one of them (each rank, under data-parallel attention) decodes
 * at most: ctx1_gen4_tep8_batch32_eplb0_mtp0 has one prefill worker and four that decode on 8 GPUs
 * each, up to 32 sequences. Rows do not record that limit; it makes requests wait where there are
 * more clients than places. */
#include "analysis/protocol_sides.h"

#include <string.h>
#include <strings.h>

static bool begins(const char *text, const char *start)
{
    return strncasecmp(text, start, strlen(start)) == 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- TensorRT-LLM: places of a decode worker --- */

enum { BATCHES_MAX = 3 };

/* The recipes without multi-token prediction: the rows have their layouts and numbers of clients,
 * and where those of the recipes with it differ (2 of 3), theirs are not in the rows. */
struct decode_recipe {
    const char *model, *system, *precision; /* how a row's begin */
    int64_t isl, osl;
    int64_t workers, tp, attn_dp;
    int64_t batch[BATCHES_MAX]; /* rising */
};

static const struct decode_recipe decode_recipes[] = {
    {"deepseek", "gb200", "fp4", 1024, 1024, 1, 1, 8, {512}},
    {"deepseek", "gb200", "fp4", 1024, 1024, 1, 1, 16, {256}},
    {"deepseek", "gb200", "fp4", 1024, 1024, 1, 1, 32, {16, 64}},
    {"deepseek", "gb200", "fp4", 1024, 1024, 2, 1, 4, {768}},
    {"deepseek", "gb200", "fp4", 1024, 1024, 4, 8, 1, {1, 32}},
    {"deepseek", "gb200", "fp4", 8192, 1024, 1, 1, 16, {128, 256}},
    {"deepseek", "gb200", "fp4", 8192, 1024, 1, 1, 32, {8, 32}},
    {"deepseek", "gb200", "fp4", 8192, 1024, 4, 8, 1, {1, 16}},
    {"deepseek", "gb200", "fp8", 1024, 1024, 1, 1, 8, {512, 768}},
    {"deepseek", "gb200", "fp8", 1024, 1024, 1, 1, 16, {128}},
    {"deepseek", "gb200", "fp8", 1024, 1024, 1, 1, 32, {8, 32}},
    {"deepseek", "gb200", "fp8", 1024, 1024, 3, 8, 1, {1, 8}},
    {"deepseek", "gb200", "fp8", 8192, 1024, 1, 1, 16, {32, 64}},
    {"deepseek", "gb200", "fp8", 8192, 1024, 1, 1, 32, {8, 16}},
    {"deepseek", "gb200", "fp8", 8192, 1024, 3, 8, 1, {1, 4, 16}},
    {"deepseek", "gb300", "fp4", 1024, 1024, 1, 1, 8, {1024}},
    {"deepseek", "gb300", "fp4", 1024, 1024, 1, 1, 16, {256}},
    {"deepseek", "gb300", "fp4", 1024, 1024, 1, 1, 32, {32, 64}},
    {"deepseek", "gb300", "fp4", 1024, 1024, 4, 8, 1, {1, 32}},
    {"deepseek", "gb300", "fp4", 8192, 1024, 1, 1, 16, {64, 128}},
    {"deepseek", "gb300", "fp4", 8192, 1024, 1, 1, 32, {16}},
    {"deepseek", "gb300", "fp4", 8192, 1024, 3, 1, 4, {256}},
    {"deepseek", "gb300", "fp4", 8192, 1024, 3, 8, 1, {16}},
    {"deepseek", "gb300", "fp4", 8192, 1024, 4, 8, 1, {1, 2}},
    {"deepseek", "gb300", "fp4", 8192, 1024, 5, 4, 1, {4}},
    {"deepseek", "gb300", "fp8", 1024, 1024, 1, 1, 16, {128}},
    {"deepseek", "gb300", "fp8", 1024, 1024, 1, 1, 32, {32}},
    {"deepseek", "gb300", "fp8", 1024, 1024, 2, 1, 8, {512, 768}},
    {"deepseek", "gb300", "fp8", 1024, 1024, 4, 8, 1, {1, 4, 16}},
    {"deepseek", "gb300", "fp8", 1024, 8192, 1, 1, 32, {8, 32}},
    {"deepseek", "gb300", "fp8", 1024, 8192, 2, 1, 16, {128, 256}},
    {"deepseek", "gb300", "fp8", 1024, 8192, 4, 8, 1, {1, 8}},
    {"deepseek", "gb300", "fp8", 8192, 1024, 1, 1, 8, {256}},
    {"deepseek", "gb300", "fp8", 8192, 1024, 1, 1, 16, {32, 64}},
    {"deepseek", "gb300", "fp8", 8192, 1024, 1, 1, 32, {16}},
    {"deepseek", "gb300", "fp8", 8192, 1024, 4, 8, 1, {1, 4, 8}},
    {"deepseek", "b200", "fp4", 1024, 1024, 1, 1, 8, {512}},
    {"deepseek", "b200", "fp4", 1024, 1024, 2, 1, 8, {128}},
    {"deepseek", "b200", "fp4", 1024, 1024, 5, 1, 8, {32}},
    {"deepseek", "b200", "fp4", 1024, 1024, 5, 8, 1, {1, 32}},
    {"deepseek", "b200", "fp4", 1024, 1024, 6, 8, 1, {64}},
    {"deepseek", "b200", "fp4", 8192, 1024, 1, 1, 8, {192}},
    {"deepseek", "b200", "fp4", 8192, 1024, 2, 1, 8, {128}},
    {"deepseek", "b200", "fp4", 8192, 1024, 3, 1, 8, {32}},
    {"deepseek", "b200", "fp4", 8192, 1024, 5, 8, 1, {1, 16, 64}},
    {"deepseek", "b200", "fp8", 1024, 1024, 5, 1, 8, {48, 128}},
    {"deepseek", "b200", "fp8", 8192, 1024, 4, 8, 1, {8, 32}},
    {"deepseek", "b200", "fp8", 8192, 1024, 6, 8, 1, {16}},
    {"deepseek", "h200", "fp8", 8192, 1024, 6, 8, 1, {16}},
    {"deepseek", "h200", "fp8", 8192, 1024, 7, 8, 1, {1, 32}},
    {"kimi", "gb200", "fp4", 1024, 1024, 1, 1, 16, {32, 256}},
    {"kimi", "gb200", "fp4", 1024, 1024, 1, 1, 32, {64, 128}},
    {"kimi", "gb200", "fp4", 1024, 1024, 5, 4, 1, {8}},
    {"kimi", "gb200", "fp4", 8192, 1024, 1, 1, 8, {256}},
    {"kimi", "gb200", "fp4", 8192, 1024, 1, 1, 16, {16, 32, 128}},
    {"kimi", "gb200", "fp4", 8192, 1024, 4, 4, 1, {32}},
    {"kimi", "gb200", "fp4", 8192, 1024, 4, 8, 1, {1}},
    {"kimi", "gb200", "fp4", 8192, 1024, 5, 4, 1, {16}},
};

static const struct decode_recipe *find_recipe(const struct measured_point *point)
{
    const struct side_layout *layout = &point->decode;
    for (size_t i = 0; i < sizeof decode_recipes / sizeof decode_recipes[0]; i++) {
        const struct decode_recipe *recipe = &decode_recipes[i];
        if (begins(point->model, recipe->model) && begins(point->system, recipe->system) &&
            begins(point->precision, recipe->precision) && point->isl == recipe->isl &&
            point->osl == recipe->osl && layout->workers == recipe->workers &&
            layout->tp == recipe->tp && layout->attn_dp == recipe->attn_dp)
            return recipe;
    }
    return NULL;
}

/* The recipes are run with up to half as many clients again as there are places, so the smallest
 * that is not more crowded is the row's. */
static int64_t decode_places(const struct measured_point *point)
{
    const struct decode_recipe *recipe = find_recipe(point);
    int64_t ranks = point->decode.workers * point->decode.attn_dp;
    for (size_t i = 0; recipe && i < BATCHES_MAX && recipe->batch[i] > 0; i++)
        if (2 * point->concurrency <= 3 * recipe->batch[i] * ranks)
            return recipe->batch[i];
    return point->concurrency;
}

static void set_up_trtllm(const struct measured_point *point, struct protocol_sides *sides)
{
    struct engine_settings *prefill = &sides->prefill.server.engine;
    struct engine_settings *decode = &sides->decode.server.engine;
    /* max_num_tokens of the prefill workers: 8192 to 10240 for prompts of 1024 tokens; for 8192,
     * 8320 (FP8) or 16640 (FP4). Their overlap scheduler is off. */
    bool two_long = begins(point->precision, "fp4") && point->isl <= 8192;
    prefill->max_num_batched_tokens =
        (two_long && point->isl > 1024 ? 2 : 1) * ((point->isl > 8192 ? point->isl : 8192) + 128);
    prefill->async_scheduling = false;
    decode->max_num_seqs = smaller(decode->max_num_seqs, decode_places(point));
    decode->cuda_graph_max_batch = smaller(decode->max_num_seqs, ENGINE_GRAPH_MAX_BATCH);
    decode->gpu_memory_utilization = 0.9;
}

/* --- SGLang and vLLM --- */

/* chunked-prefill-size is shared by the ranks: 131072 of 8, 65536 of 4 or (on B200) of 8; 8192 of a
 * worker without ranks. No limit on sequences matters. */
static void set_up_sglang(const struct measured_point *point, struct protocol_sides *sides)
{
    bool wide = point->prefill.attn_dp > 1 && begins(point->system, "gb");
    sides->prefill.server.engine.max_num_batched_tokens = wide ? 16384 : 8192;
    /* mem-fraction-static: 0.75 and 0.82 as a rule, 0.95 of workers that hold FP8 or FP4 weights on
     * four GPUs. */
    const int64_t few = 4;
    const struct side_layout *prefill = &point->prefill, *decode = &point->decode;
    sides->prefill.server.engine.gpu_memory_utilization =
        prefill->tp * prefill->attn_dp <= few ? 0.95 : 0.75;
    sides->decode.server.engine.gpu_memory_utilization =
        decode->tp * decode->attn_dp <= few ? 0.95 : 0.82;
}

static void set_up_vllm(const struct measured_point *point, struct protocol_sides *sides)
{
    sides->prefill.server.engine.max_num_batched_tokens = 16384;
    sides->decode.server.engine.max_num_batched_tokens = 10240;
    sides->decode.server.engine.max_num_seqs = smaller(1024, point->concurrency);
    sides->decode.server.engine.cuda_graph_max_batch = 1024;
}

/* --- sides --- */

/* A row of one server, with the layout of a side. */
static struct measured_point side_point(const struct measured_point *point,
                                        const struct side_layout *layout)
{
    struct measured_point side = *point;
    side.tp = layout->tp;
    side.pp = layout->pp;
    side.attn_dp = 1; /* any rank may get all requests */
    return side;
}

static bool is_engine(const struct measured_point *point, enum engine_name name)
{
    return strcasecmp(point->backend, engine_profiles[name].name) == 0;
}

/* Rows say tensor parallelism also of workers whose recipes have data-parallel attention: all that
 * prefill under TensorRT-LLM (of H200, pairs of rows that differ in nothing but that were measured
 * within 1 %) and vLLM, and vLLM's of more than one node of GB200. */
static bool is_called_otherwise(const struct measured_point *point,
                                const struct side_layout *layout, bool prefills)
{
    const int64_t node = 4;
    if (layout->moe_ep == 1)
        return false;
    return is_engine(point, ENGINE_VLLM) ? prefills || layout->tp > node
                                         : prefills && is_engine(point, ENGINE_TRTLLM);
}

/* Rows of the first releases say that ranks split each expert. Those of 16 GPUs and more have them
 * dealt out whole (DeepEP), and so have all data-parallel SGLang workers on GB200 and GB300: their
 * ep-size is their number of GPUs. */
static bool are_experts_dealt(const struct measured_point *point, const struct side_layout *layout)
{
    const int64_t many = 16;
    bool rack = begins(point->system, "gb") && is_engine(point, ENGINE_SGLANG);
    return layout->attn_dp >= many || (layout->attn_dp > 1 && rack);
}

static struct side_layout layout_served(const struct measured_point *point, bool prefills)
{
    struct side_layout layout = prefills ? point->prefill : point->decode;
    if (is_called_otherwise(point, &layout, prefills)) {
        layout.attn_dp *= layout.tp;
        layout.tp = 1;
    }
    if (layout.moe_ep == 1 && are_experts_dealt(point, &layout)) {
        layout.moe_ep = layout.moe_tp;
        layout.moe_tp = 1;
    }
    return layout;
}

static bool set_up_side(const struct measured_point *point, bool prefills, const struct gpu *gpu,
                        struct protocol_side *side, struct error *error)
{
    side->layout = layout_served(point, prefills);
    struct measured_point alone = side_point(point, &side->layout);
    return protocol_server(&alone, gpu, &side->server, error);
}

bool protocol_sides(const struct measured_point *point, const struct gpu *gpu,
                    struct protocol_sides *sides, struct error *error)
{
    if (point->prefill.workers == 0 || point->decode.workers == 0)
        return error_set(error, ERROR_BAD_INPUT, "the workers are not recorded");
    if (point->concurrency == 0)
        return error_set(error, ERROR_BAD_INPUT, "the number of clients is not recorded");
    if (!set_up_side(point, true, gpu, &sides->prefill, error) ||
        !set_up_side(point, false, gpu, &sides->decode, error))
        return false;
    if (sides->decode.server.engine.name == ENGINE_TRTLLM)
        set_up_trtllm(point, sides);
    else if (sides->decode.server.engine.name == ENGINE_SGLANG)
        set_up_sglang(point, sides);
    else
        set_up_vllm(point, sides);
    return true;
}

/* Dynamo's frontend gives workers requests in turn unless told to look at caches, and so does
 * SGLang's controller of ranks (load-balance-method: round_robin). TensorRT-LLM's ranks take from a
 * queue they have together. */
const char *protocol_side_router(const struct measured_point *point,
                                 const struct side_layout *layout)
{
    return is_engine(point, ENGINE_TRTLLM) && layout->attn_dp > 1 ? "least_outstanding_requests"
                                                                  : "round_robin";
}
