/* Jumping over iterations must give the very numbers that stepping through them gives: random
 * scenarios, simulated both ways, compared to the bit, with all conservation laws checked. */
#include "tests/models/draw_scene.h"

enum {
    SCENARIOS = 2000,
    REAL_SCENARIOS = 300,
    DRAFT_SCENARIOS = 1200,
    ROLE_SCENARIOS = 1500,
    CLIENT_SCENARIOS = 1000,
    COMBINED_SCENARIOS = 1500
};

/* Every measured request is in the latencies of one class and of one pool. */
static void check_latencies_of_pools(const struct scene *scene,
                                     const struct simulation_result *result)
{
    uint64_t by_class = 0, by_pool = 0;
    unsigned __int128 sum_by_class = 0, sum_by_pool = 0;
    for (size_t i = 0; i < CLASSES; i++) {
        by_class += result->by_class[i].e2e.count;
        sum_by_class += result->by_class[i].e2e.sum;
    }
    for (size_t i = 0; i < scene->pools; i++) {
        by_pool += result->pools[i].e2e.count;
        sum_by_pool += result->pools[i].e2e.sum;
        cr_assert_eq(result->pools[i].ttft.count, result->pools[i].e2e.count);
    }
    cr_assert_eq(by_class, by_pool);
    cr_assert(sum_by_class == sum_by_pool);
}

/* The gaps between a request's tokens fill the time from its first to its last; each is recorded
 * rounded down to a tick or not at all. */
static void check_gaps(const struct scene *scene, const struct simulation_result *result,
                       const struct trail *trail)
{
    double gaps_s = 0, decoding_s = 0;
    uint64_t gaps = 0, tokens = 0;
    bool speculates = false; /* tokens of one iteration share a gap */
    for (size_t i = 0; i < scene->pools; i++) {
        speculates |= scene->engines[i].speculation.draft_tok > 0;
        gaps += result->pools[i].itl.count;
        gaps_s += (double)result->pools[i].itl.sum / FINE_PER_S;
    }
    for (uint32_t i = 0; i < trail->count; i++)
        if (!trail->records[i].rejected) {
            decoding_s += trail->records[i].e2e_s - trail->records[i].ttft_s;
            tokens += trail->records[i].output_tok - 1;
        }
    cr_assert(speculates ? gaps <= tokens : gaps == tokens);
    cr_assert_float_eq(gaps_s, decoding_s, 1e-9 * decoding_s + 2e-11 * (double)gaps);
}

/* Answers that wait for the others of their batch have had their last token long since. */
static bool answers_return_at_once(const struct scene *scene)
{
    for (size_t i = 0; i < scene->pools; i++) {
        const struct batching *batching = &scene->engines[i].batching;
        if (batching->kind != BATCHING_CONTINUOUS && !batching->returned_early)
            return false;
    }
    return true;
}

static void check_conservation(const struct scene *scene, const struct simulation_result *result,
                               const struct trail *trail)
{
    cr_assert_eq(result->arrived,
                 result->completed + result->rejected + result->cancelled + result->in_flight);
    if (isinf(scene->horizon_s)) {
        cr_assert_eq(result->in_flight, 0);
        cr_assert_eq(result->arrived, scene->requests);
        if (scene->warmup_s == 0 && !scene->has_clients && answers_return_at_once(scene))
            check_gaps(scene, result, trail);
    }
    uint64_t handed_out = 0, handed_in = 0;
    for (size_t i = 0; i < scene->pools; i++) {
        const struct pool_result *pool = &result->pools[i];
        handed_out += pool->handed_out;
        handed_in += pool->handed_in;
        cr_assert_leq(pool->peak_kv, 1);
        bool elsewhere = pool->in_flight > 0 || pool->handed_in > 0;
        uint64_t not_prefilled = elsewhere ? UINT32_MAX : scene->cached_tok;
        for (int tier = 0; tier < PREFIX_TIERS; tier++)
            not_prefilled += pool->prefix.found_tok[tier];
        cr_assert_geq(pool->prefill_tok + not_prefilled, pool->prompt_tok);
        cr_assert_leq(pool->busy_s, result->end_s * scene->specs[i].replicas * (1 + 1e-12));
    }
    cr_assert_eq(handed_out, handed_in);
    check_latencies_of_pools(scene, result);
}

static void expect_same_latencies(const struct latency_set *a, const struct latency_set *b)
{
    cr_assert(memcmp(a, b, sizeof *a) == 0, "the latency histograms differ");
}

static void expect_same(const struct scene *scene, const struct simulation_result *jump,
                        const struct simulation_result *step, const struct trail *jumped,
                        const struct trail *stepped)
{
    cr_assert_eq(jumped->count, stepped->count);
    for (uint32_t i = 0; i < jumped->count; i++)
        cr_assert(same_record(&jumped->records[i], &stepped->records[i]),
                  "record %u differs: e2e %.17g and %.17g%s", i, jumped->records[i].e2e_s,
                  stepped->records[i].e2e_s, rules_of(scene));
    cr_assert_eq(jumped->sampled, stepped->sampled);
    for (size_t i = 0; i < jumped->sampled; i++)
        for (size_t pool = 0; pool < scene->pools; pool++)
            cr_assert(same_sample(&jumped->samples[i][pool], &stepped->samples[i][pool]),
                      "sample %zu of pool %zu differs: KV %g and %g", i, pool,
                      jumped->samples[i][pool].kv_used, stepped->samples[i][pool].kv_used);
    for (size_t i = 0; i < CLASSES; i++)
        expect_same_latencies(&jump->by_class[i], &step->by_class[i]);
    for (size_t pool = 0; pool < scene->pools; pool++) {
        const struct pool_result *a = &jump->pools[pool], *b = &step->pools[pool];
        cr_assert_eq(a->preemptions, b->preemptions);
        cr_assert_eq(a->prefill_tok, b->prefill_tok);
        cr_assert(memcmp(&a->prefix, &b->prefix, sizeof a->prefix) == 0);
        cr_assert_eq(a->mean_batch, b->mean_batch);
        cr_assert_eq(a->swaps, b->swaps);
        cr_assert(same_number(a->kv_slots_taken, b->kv_slots_taken) &&
                  same_number(a->kv_slots_held, b->kv_slots_held));
        cr_assert(isnan(a->kv_slots_held) || a->kv_slots_held <= 1 || scene->sharing ||
                  scene->loop_sessions > 0);
        cr_assert_eq(a->mean_outstanding, b->mean_outstanding);
        cr_assert_eq(a->busy_s, b->busy_s);
        cr_assert_eq(a->peak_kv, b->peak_kv);
        cr_assert_eq(a->iterations, b->iterations);
        cr_assert_eq(a->verified, b->verified);
        cr_assert_eq(a->verified_tok, b->verified_tok);
        cr_assert(memcmp(&a->adapters, &b->adapters, sizeof a->adapters) == 0);
        cr_assert(memcmp(&a->itl, &b->itl, sizeof a->itl) == 0);
    }
    cr_assert_eq(jump->end_s, step->end_s);
}

static void expect_same_transfers(const struct transfer_result *a, const struct transfer_result *b)
{
    cr_assert(memcmp(a, b, sizeof *a) == 0, "the transfers differ");
}

static void expect_same_clients(const struct client_result *a, const struct client_result *b)
{
    cr_assert((a == NULL) == (b == NULL));
    cr_assert(!a || memcmp(a, b, sizeof *a) == 0, "what clients did differs");
}

struct tally {
    uint64_t preemptions, rejected, jumped_events, stepped_events;
    uint64_t timed_out, stopped, shed, retries, wasted_tok;
    uint64_t transfers, waited, recomputed, lent;
    uint64_t verified, adapters_used, loads;
    uint64_t found_tok[PREFIX_TIERS];
};

static void count_transfers(struct tally *tally, const struct transfer_result *result)
{
    tally->transfers += result->transfers;
    tally->waited += result->link_wait.max > 0;
    tally->recomputed += result->recomputed;
    tally->lent += result->lent;
}

static void count_clients(struct tally *tally, const struct client_result *result)
{
    if (!result)
        return;
    tally->timed_out += result->timed_out;
    tally->stopped += result->stopped;
    tally->shed += result->shed;
    tally->retries += result->retries;
    tally->wasted_tok += result->wasted_output_tok;
}

static void try_scene(struct scene *scene, struct tally *tally)
{
    static struct trail jumped, stepped;
    struct simulation_result jump = simulate(scene, false, &jumped);
    struct simulation_result step = simulate(scene, true, &stepped);
    check_conservation(scene, &jump, &jumped);
    expect_same(scene, &jump, &step, &jumped, &stepped);
    for (size_t pool = 0; pool < scene->pools; pool++) {
        tally->preemptions += jump.pools[pool].preemptions;
        tally->verified += jump.pools[pool].verified;
        tally->adapters_used += jump.pools[pool].adapters.used;
        tally->loads += jump.pools[pool].adapters.used - jump.pools[pool].adapters.in_slot;
        for (int tier = 0; tier < PREFIX_TIERS; tier++)
            tally->found_tok[tier] += jump.pools[pool].prefix.found_tok[tier];
        steptime_destroy(scene->steptimes[pool]);
        steptime_destroy(scene->plain_steptimes[pool]);
        lora_config_destroy(scene->loras[pool]);
        destroy_graph(scene->graphs[pool]);
    }
    if (scene->has_roles) {
        expect_same_transfers(jump.transfers, step.transfers);
        count_transfers(tally, jump.transfers);
    }
    expect_same_clients(jump.clients, step.clients);
    count_clients(tally, jump.clients);
    tally->rejected += jump.rejected;
    tally->jumped_events += jump.events;
    tally->stepped_events += step.events;
    simulation_result_free(&jump);
    simulation_result_free(&step);
}

Test(fast_forward, equals_stepping_in_every_bit)
{
    gsl_rng *rng = random_stream(20251121, 0, "test/fast-forward");
    gsl_rng *routers = random_stream(20251121, 0, "test/fast-forward routers");
    struct tally tally = {0};
    for (int i = 0; i < SCENARIOS; i++) {
        struct scene scene = {.slow = 1};
        draw_scene(rng, NULL, &scene);
        draw_router_too(routers, &scene);
        try_scene(&scene, &tally);
    }
    gsl_rng_free(routers);
    /* The scenarios must have been worth it. */
    cr_assert_gt(tally.preemptions, 150, "only %u preemptions", (unsigned)tally.preemptions);
    cr_assert_gt(tally.rejected, 100);
    for (int tier = 0; tier < PREFIX_TIERS; tier++)
        cr_assert_gt(tally.found_tok[tier], 2000, "%d: %u", tier, (unsigned)tally.found_tok[tier]);
    cr_assert_lt(tally.jumped_events * 2, tally.stepped_events);
    gsl_rng_free(rng);
}

/* Every third has clients that give up, wherever their requests are. */
Test(fast_forward, equals_stepping_with_prefill_and_decode_apart)
{
    struct arena *arena = arena_create();
    gsl_rng *rng = random_stream(20251121, 0, "test/fast-forward roles");
    struct tally tally = {0};
    for (int i = 0; i < ROLE_SCENARIOS; i++) {
        struct scene scene = {.slow = 1};
        draw_scene_with_roles(rng, &scene);
        scene.clients_drawn.arena = arena;
        scene.has_clients = one_in(rng, 3);
        if (scene.has_clients)
            draw_clients(rng, &scene.clients_drawn, CLASSES);
        try_scene(&scene, &tally);
    }
    cr_assert_gt(tally.transfers, 10000);
    cr_assert_gt(tally.waited, 200);
    cr_assert_gt(tally.lent, 1000);
    cr_assert_gt(tally.timed_out, 500);

    cr_assert_gt(tally.preemptions, 200);
    gsl_rng_free(rng);
    arena_destroy(arena);
}

/* Cancellations come at any tick, at boundaries of iterations, too. */
Test(fast_forward, equals_stepping_with_clients_that_give_up)
{
    struct arena *arena = arena_create();
    gsl_rng *rng = random_stream(20251121, 0, "test/fast-forward clients");
    struct tally tally = {0};
    for (int i = 0; i < CLIENT_SCENARIOS; i++) {
        struct scene scene = {.slow = 1};
        draw_scene(rng, NULL, &scene);
        scene.clients_drawn.arena = arena;
        scene.has_clients = true;
        draw_clients(rng, &scene.clients_drawn, CLASSES);
        try_scene(&scene, &tally);
    }
    cr_assert_gt(tally.timed_out, 2000);
    cr_assert_gt(tally.stopped, 500);
    cr_assert_gt(tally.shed, 500);
    cr_assert_gt(tally.retries, 2000);
    cr_assert_gt(tally.wasted_tok, 10000);
    cr_assert_gt(tally.preemptions, 30);
    cr_assert_lt(tally.jumped_events * 3, tally.stepped_events * 2);
    gsl_rng_free(rng);
    arena_destroy(arena);
}

Test(fast_forward, equals_stepping_with_drafts_and_adapters)
{
    gsl_rng *rng = random_stream(20251121, 0, "test/fast-forward drafts");
    struct tally tally = {0};
    for (int i = 0; i < DRAFT_SCENARIOS; i++) {
        struct scene scene = {.slow = 1};
        draw_scene(rng, NULL, &scene);
        add_drafts_and_adapters(rng, &scene);
        try_scene(&scene, &tally);
    }
    cr_assert_gt(tally.verified, 20000);
    cr_assert_gt(tally.adapters_used, 2000);
    cr_assert_gt(tally.loads, 1000);
    cr_assert_gt(tally.preemptions, 50);
    cr_assert_lt(tally.jumped_events * 2, tally.stepped_events);
    gsl_rng_free(rng);
}

/* Whatever can be combined, combined. */
Test(fast_forward, equals_stepping_in_all_combinations)
{
    struct arena *arena = arena_create();
    gsl_rng *rng = random_stream(20251121, 0, "test/fast-forward combinations");
    struct tally tally = {0};
    for (int i = 0; i < COMBINED_SCENARIOS; i++) {
        struct scene scene = {.slow = 1};
        draw_combination(rng, arena, &scene);
        try_scene(&scene, &tally);
    }
    cr_assert_gt(tally.preemptions, 150);
    cr_assert_gt(tally.verified, 10000);
    cr_assert_gt(tally.adapters_used, 1000);
    cr_assert_gt(tally.transfers, 5000);
    cr_assert_gt(tally.timed_out, 2000);
    cr_assert_gt(tally.retries, 1000);
    for (int tier = 0; tier < PREFIX_TIERS; tier++)
        cr_assert_gt(tally.found_tok[tier], 2000, "%d: %u", tier, (unsigned)tally.found_tok[tier]);
    gsl_rng_free(rng);
    arena_destroy(arena);
}

Test(fast_forward, equals_stepping_on_real_hardware)
{
    struct arena *arena = arena_create();
    const struct catalogue catalogue = {
        {shipped_gpu(arena, "H100-SXM"), shipped_gpu(arena, "L40S"), shipped_gpu(arena, "L4")},
        {shipped_llm(arena, "llama-3.1-8b"), shipped_llm(arena, "deepseek-v2-lite")}};
    gsl_rng *rng = random_stream(20251121, 0, "test/fast-forward real");
    struct tally tally = {0};
    for (int i = 0; i < REAL_SCENARIOS; i++) {
        struct scene scene = {.slow = 1};
        draw_scene(rng, &catalogue, &scene);
        try_scene(&scene, &tally);
    }
    cr_assert_gt(tally.preemptions, 60, "only %u preemptions", (unsigned)tally.preemptions);
    cr_assert_lt(tally.jumped_events * 2, tally.stepped_events);
    gsl_rng_free(rng);
    arena_destroy(arena);
}
