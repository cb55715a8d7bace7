/* What engines take where a scenario says nothing, and what they refuse. */
#include "models/engine/batching.h"
#include "models/engine/engine_settings.h"
#include "models/engine/output_prediction.h"
#include "models/engine/queue_order.h"
#include "tests/models/support.h"

static struct engine_settings settled(struct arena *arena, enum engine_name name, const char *gpu,
                                      int64_t tensor_parallel)
{
    struct engine_settings settings = engine_settings_unset;
    settings.name = (int)name;
    const struct engine_host host = {shipped_gpu(arena, gpu), tensor_parallel, 1};
    engine_settings_settle(&settings, &host);
    return settings;
}

/* An empty object reads as engine_settings_unset says. */
Test(engine_settings, nothing_said_is_unset)
{
    struct arena *arena = arena_create();
    struct error error = {0};
    struct json_document *document = json_read_text("test", "{}", 2, &error);
    struct engine_settings read;
    cr_assert(config_read(&engine_settings_type, document, json_root(document), "", arena, &read,
                          &error));
    cJSON *from_read = config_to_json(&engine_settings_type, &read);
    cJSON *from_unset = config_to_json(&engine_settings_type, &engine_settings_unset);
    cr_assert(cJSON_Compare(from_read, from_unset, true));
    cJSON_Delete(from_read);
    cJSON_Delete(from_unset);
    json_free(document);
    arena_destroy(arena);
}

Test(engine_settings, defaults_are_the_engines)
{
    static const struct {
        enum engine_name name;
        const char *gpu;
        int64_t tensor_parallel;
        int64_t batched, sequences, graphs;
        double utilization;
    } cases[] = {
        {ENGINE_VLLM, "H100-SXM", 1, 8192, 1024, 512, 0.9},
        {ENGINE_VLLM, "A100-80GB-SXM", 1, 2048, 256, 512, 0.9},
        {ENGINE_TRTLLM, "H100-SXM", 8, 8192, 2048, 128, 0.9},
        /* 80 GiB - 512 MiB - 8192 x 1.5 - 256 x 2 - 128 */
        {ENGINE_SGLANG, "H100-SXM", 1, 8192, 2048, 256, NAN},
        {ENGINE_SGLANG, "H100-SXM", 4, 8192, 2048, 512, NAN},
        {ENGINE_SGLANG, "T4", 1, 2048, 2048, 8, NAN},
        {ENGINE_SGLANG, "L40S", 2, 4096, 2048, 32, NAN},
        {ENGINE_SGLANG, "B200", 1, 16384, 2048, 512, NAN},
    };
    struct arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct engine_settings settings =
            settled(arena, cases[i].name, cases[i].gpu, cases[i].tensor_parallel);
        cr_expect_eq(settings.max_num_batched_tokens, cases[i].batched, "case %zu", i);
        cr_expect_eq(settings.max_num_seqs, cases[i].sequences, "case %zu", i);
        cr_expect_eq(settings.cuda_graph_max_batch, cases[i].graphs, "case %zu", i);
        if (!isnan(cases[i].utilization))
            cr_expect_eq(settings.gpu_memory_utilization, cases[i].utilization, "case %zu", i);
    }
    arena_destroy(arena);
}

Test(engine_settings, all_cache_prefixes_unless_told_otherwise)
{
    struct arena *arena = arena_create();
    for (int name = 0; name < ENGINE_COUNT; name++)
        cr_expect(settled(arena, (enum engine_name)name, "H100-SXM", 1).enable_prefix_caching == 1);
    struct engine_settings off = engine_settings_unset;
    off.enable_prefix_caching = false;
    engine_settings_settle(&off, &(struct engine_host){shipped_gpu(arena, "H100-SXM"), 1, 1});
    cr_assert_eq(off.enable_prefix_caching, false);
    arena_destroy(arena);
}

/* What SGLang leaves beside weights and KV cache, in MiB: 512, 1.5 for a token of a chunk, 2 for a
 * sequence in a graph, 128 for a GPU; no less than 10 GiB on large GPUs. */
Test(engine_settings, sglang_leaves_memory_for_activations_and_graphs)
{
    struct arena *arena = arena_create();
    struct engine_settings h100 = settled(arena, ENGINE_SGLANG, "H100-SXM", 1);
    double mib = shipped_gpu(arena, "H100-SXM")->memory_gib * 1024;
    cr_assert_float_eq(1 - h100.gpu_memory_utilization, (512 + 12288 + 512 + 128) / mib, 6e-4);
    struct engine_settings small = engine_settings_unset;
    small.name = ENGINE_SGLANG;
    small.max_num_batched_tokens = 2048;
    engine_settings_settle(&small, &(struct engine_host){shipped_gpu(arena, "H100-SXM"), 1, 1});
    cr_assert_float_eq(1 - small.gpu_memory_utilization, 10240 / mib, 6e-4);
    arena_destroy(arena);
}

Test(engine_settings, settling_twice_changes_nothing_and_what_is_given_stays)
{
    struct arena *arena = arena_create();
    const struct engine_host host = {shipped_gpu(arena, "H100-SXM"), 1, 1};
    for (int name = 0; name < ENGINE_COUNT; name++) {
        struct engine_settings once = engine_settings_unset;
        once.name = name;
        once.block_size = 64;
        once.enable_chunked_prefill = false;
        engine_settings_settle(&once, &host);
        cr_assert_eq(once.block_size, 64);
        cr_assert_not(once.enable_chunked_prefill);
        struct engine_settings twice = once;
        engine_settings_settle(&twice, &host);
        cJSON *first = config_to_json(&engine_settings_type, &once);
        cJSON *second = config_to_json(&engine_settings_type, &twice);
        cr_assert(cJSON_Compare(first, second, true));
        cJSON_Delete(first);
        cJSON_Delete(second);
    }
    arena_destroy(arena);
}

static void expect_refused(struct engine_settings settings, const char *message)
{
    struct error error = {0};
    cr_assert_not(engine_settings_check(&settings, &error), "not refused: %s", message);
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert(strstr(error.message, message), "%s", error.message);
}

Test(engine_settings, what_would_do_nothing_is_refused)
{
    struct arena *arena = arena_create();
    struct error error = {0};
    struct engine_settings vllm = settled(arena, ENGINE_VLLM, "H100-SXM", 1);
    cr_assert(engine_settings_check(&vllm, &error));
    struct engine_settings bad = vllm;
    bad.batch_wait_timeout_iters = 20;
    bad.batch_wait_max_tokens_ratio = 0.9;
    expect_refused(bad, "batch_wait_timeout_iters is a setting of trtllm, but the engine is vllm");
    bad = vllm;
    bad.schedule_conservativeness = 0.5;
    expect_refused(bad, "needs admission \"estimate\"");
    bad = vllm;
    bad.max_num_batched_tokens = 100;
    expect_refused(bad, "max_num_batched_tokens (100) is below max_num_seqs (1024)");
    bad.prefill = PREFILL_FIRST;
    cr_assert(engine_settings_check(&bad, &error), "decodes take nothing from the budget");

    struct engine_settings trtllm = settled(arena, ENGINE_TRTLLM, "H100-SXM", 1);
    bad = trtllm;
    bad.batch_wait_timeout_iters = 20;
    expect_refused(bad, "batch_wait_timeout_iters alone never makes a prompt wait");
    bad.batch_wait_max_tokens_ratio = 0.9;
    cr_assert(engine_settings_check(&bad, &error));
    cr_assert_eq(engine_batch_wait_tok(&bad), 7373); /* 0.9 x 8192 = 7372.8 */
    bad.prefill = PREFILL_FIRST;
    expect_refused(bad, "needs prefill \"mixed\"");
    arena_destroy(arena);
}

/* Each setting asks for what it needs. */
Test(engine_settings, rules_that_do_not_go_together_are_refused)
{
    struct arena *arena = arena_create();
    const struct engine_settings good = settled(arena, ENGINE_VLLM, "H100-SXM", 1);
    const struct engine_settings trtllm = settled(arena, ENGINE_TRTLLM, "H100-SXM", 1);
    struct engine_settings bad = good;
    bad.preemption = PREEMPT_SWAP;
    cr_assert(engine_settings_check(&bad, &(struct error){0}));
    bad.kv_allocation = KV_CONTIGUOUS_MAX;
    expect_refused(bad, "preemption \"swap\" needs kv_allocation \"paged\"");
    bad = trtllm;
    bad.watermark = 0.01;
    expect_refused(bad, "watermark needs admission \"preempt\"");
    bad.admission = ADMIT_MAX_UTILIZATION;
    cr_assert(engine_settings_check(&bad, &(struct error){0}));
    bad = good;
    bad.batching.index = BATCHING_NONE;
    bad.queue_order = ORDER_PRIORITY;
    cr_assert(engine_settings_check(&bad, &(struct error){0}));
    bad.batching.index = BATCHING_STATIC;
    expect_refused(bad, "needs queue_order \"fcfs\"");
    bad = good;
    bad.output_prediction.index = PREDICT_LOGNORMAL;
    expect_refused(bad, "needs queue_order \"shortest_output\"");
    bad = good;
    bad.decode_first_max_wait_ms = 5;
    expect_refused(bad, "needs prefill \"decode_first\"");
    bad = trtllm;
    bad.batch_wait_timeout_iters = 5;
    bad.batch_wait_max_tokens_ratio = 0.5;
    bad.queue_order = ORDER_FAIR;
    expect_refused(bad, "needs queue_order \"fcfs\"");
    arena_destroy(arena);
}

static void expect_graphs(struct arena *arena, enum engine_name name, int64_t largest, size_t count,
                          const int64_t *sizes)
{
    struct engine_settings settings = settled(arena, name, "H100-SXM", 1);
    settings.cuda_graph_max_batch = largest;
    struct engine_graphs graphs;
    engine_graphs_list(&settings, &graphs);
    cr_assert_eq(graphs.count, count, "%s: %zu", engine_profiles[name].name, graphs.count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(graphs.sizes[i], sizes[i], "%s: %lld", engine_profiles[name].name,
                     (long long)graphs.sizes[i]);
}

Test(engine_settings, graphs_are_captured_for_the_sizes_of_the_engine)
{
    struct arena *arena = arena_create();
    expect_graphs(arena, ENGINE_VLLM, 20, 5, (const int64_t[]){1, 2, 4, 8, 16});
    expect_graphs(arena, ENGINE_TRTLLM, 20, 6, (const int64_t[]){1, 2, 4, 8, 16, 20});
    expect_graphs(arena, ENGINE_SGLANG, 24, 7, (const int64_t[]){1, 2, 4, 8, 12, 16, 24});
    for (int name = 0; name < ENGINE_COUNT; name++)
        expect_graphs(arena, (enum engine_name)name, 0, 0, NULL);
    arena_destroy(arena);
}

/* The captured size that n decodes are padded to; n itself where none holds them. */
static int64_t captured_size(const struct engine_graphs *graphs, int64_t n)
{
    for (size_t i = 0; i < graphs->count; i++)
        if (graphs->sizes[i] >= n)
            return graphs->sizes[i];
    return n;
}

Test(engine_settings, a_batch_is_padded_to_the_next_graph)
{
    static const struct {
        enum engine_name name;
        int64_t largest, n, padded;
    } cases[] = {{ENGINE_VLLM, 512, 3, 4},         {ENGINE_VLLM, 512, 9, 16},
                 {ENGINE_VLLM, 512, 249, 256},     {ENGINE_VLLM, 512, 257, 272},
                 {ENGINE_VLLM, 512, 512, 512},     {ENGINE_VLLM, 512, 513, 513},
                 {ENGINE_TRTLLM, 1024, 65, 72},    {ENGINE_TRTLLM, 1024, 129, 256},
                 {ENGINE_TRTLLM, 1024, 600, 1024}, {ENGINE_SGLANG, 512, 9, 12},
                 {ENGINE_SGLANG, 512, 497, 512},   {ENGINE_SGLANG, 8192, 8191, 8192},
                 {ENGINE_VLLM, 8192, 8190, 8192},  {ENGINE_SGLANG, 0, 5, 5}};
    struct arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct engine_settings settings = settled(arena, cases[i].name, "H100-SXM", 1);
        settings.cuda_graph_max_batch = cases[i].largest;
        struct engine_graphs graphs;
        engine_graphs_list(&settings, &graphs);
        cr_expect_eq(captured_size(&graphs, cases[i].n), cases[i].padded, "case %zu: %lld", i,
                     (long long)captured_size(&graphs, cases[i].n));
    }
    arena_destroy(arena);
}

/* SGLang's new_token_ratio: from 0.7 to 0.098 in 600 iterations. */
Test(engine_settings, conservativeness_scales_what_is_kept_for_answers)
{
    struct engine_settings settings = engine_settings_unset;
    struct output_share usual = engine_output_share(&settings);
    cr_assert_float_eq((double)usual.start / (double)OUTPUT_SHARE_ONE, 0.7, 1e-6);
    cr_assert_float_eq((double)usual.least / (double)OUTPUT_SHARE_ONE, 0.098, 1e-6);
    cr_assert_float_eq((double)(usual.start - usual.least) / (double)usual.step, 600, 0.1);
    settings.schedule_conservativeness = 3;
    cr_assert_eq(engine_output_share(&settings).start, OUTPUT_SHARE_ONE);
}
