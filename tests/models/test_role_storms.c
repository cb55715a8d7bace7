/* Prefill and decode apart in a storm: machines break and are taken back all the time, at any
 * moment of a request's way. No request is lost, no block and no account left over (the simulation
 * asserts that), and jumping over iterations gives the very numbers that stepping gives. */
#include <criterion/criterion.h>
#include <gsl/gsl_rng.h>

#include "models/fleet/simulation.h"
#include "sim/random.h"
#include "tests/models/arrivals.h"
#include "tests/models/draw_clients.h"
#include "tests/models/draw_roles.h"
#include "tests/models/plane_support.h"

enum { STORMS = 1200, REQUESTS_MAX = 60, POOLS_MAX = 3, LAST_PLAIN_POLICY = 4 };

static const char *const pool_names[POOLS_MAX] = {"a", "b", "c"};
static const struct class_rule all = CLASS_RULE_ALL("all");

struct scene {
    struct arena *arena;
    struct arrival arrivals[REQUESTS_MAX];
    uint32_t requests;
    uint32_t pools;
    struct steptime *steptimes[POOLS_MAX];
    struct engine_config engines[POOLS_MAX];
    struct pool_spec specs[POOLS_MAX];
    struct elastic_pool_spec elastic_pools[POOLS_MAX];
    struct elastic_spec elastic;
    struct router_config router;
    struct drawn_roles roles;
    struct drawn_clients clients;
    bool has_clients;
    double horizon_s;
};

static uint32_t between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

static bool one_in(gsl_rng *rng, uint32_t n)
{
    return gsl_rng_uniform_int(rng, n) == 0;
}

static void draw_arrivals(gsl_rng *rng, struct scene *scene)
{
    double time_s = 0;
    scene->requests = between(rng, 1, REQUESTS_MAX);
    for (uint32_t i = 0; i < scene->requests; i++) {
        time_s += 0.0009765625 * between(rng, 0, one_in(rng, 10) ? 500 : 30);
        scene->arrivals[i] = (struct arrival){.time_s = time_s,
                                              .prompt_tok = between(rng, 1, 60),
                                              .output_tok = between(rng, 1, 60),
                                              .session = between(rng, 0, 5)};
    }
}

static void draw_pool(gsl_rng *rng, struct scene *scene, uint32_t pool)
{
    struct engine_config *engine = &scene->engines[pool];
    uint32_t sequences = between(rng, 1, 12);
    double grid_s = one_in(rng, 2) ? 0.0009765625 : 1e-3 * gsl_rng_uniform_pos(rng);
    *engine = (struct engine_config){.max_sequences = sequences,
                                     .max_batch_tokens = sequences + between(rng, 0, 60),
                                     .block_tok = between(rng, 1, 16),
                                     .kv_blocks = between(rng, 8, one_in(rng, 2) ? 20 : 200),
                                     .max_model_tok = 1000,
                                     .chunked_prefill = true,
                                     .keeps_blocks = one_in(rng, 2)};
    struct steptime_given given = {.base_s = grid_s * between(rng, 1, 4),
                                   .per_sequence_s = grid_s * between(rng, 0, 2) / 4,
                                   .per_prefill_token_s = grid_s / 16 * between(rng, 0, 2)};
    scene->steptimes[pool] =
        steptime_compile_given(&given, engine->max_sequences, engine->max_batch_tokens,
                               engine->kv_blocks * engine->block_tok, NULL);
    cr_assert_not_null(scene->steptimes[pool]);
    engine->steptime = scene->steptimes[pool];
    scene->specs[pool] = (struct pool_spec){.name = pool_names[pool],
                                            .engine = engine,
                                            .replicas = between(rng, 1, 3),
                                            .usd_per_hour = 1,
                                            .weight = between(rng, 1, 3)};
}

/* --- how machines come and go --- */

/* One market, from which nodes are taken back after some iterations, with a notice or without. */
static void draw_market(gsl_rng *rng, struct scene *scene)
{
    static const struct usage_market usage = {.name = "zone", .sku = "node"};
    char json[512];
    snprintf(json, sizeof json,
             "{'markets': [{'name': 'zone', 'notice_s': %g, 'on_demand_usd_per_hour': 1,"
             " 'lifetime': {'kind': 'weibull', 'shape': 1, 'scale_s': %g}}]}",
             one_in(rng, 3) ? 0 : 0.01 * between(rng, 1, 20),
             0.2 * (1 + 20 * gsl_rng_uniform(rng)));
    scene->elastic.markets = test_markets(scene->arena, json);
    scene->elastic.market_count = 1;
    scene->elastic.market_usage = &usage;
}

/* Nodes break in tenths of seconds, on average, or in a minute, and are replaced soon. */
static struct elastic_settings *draw_settings(gsl_rng *rng, struct scene *scene, uint32_t replicas)
{
    static const char *const policies[] = {"drain", "requeue", "ignore", "lose"};
    char json[1024];
    double mtbf_s = 0.5 * (one_in(rng, 3) ? 1 + gsl_rng_uniform(rng) : between(rng, 4, 100));
    snprintf(json, sizeof json,
             "{'min_replicas': %u, 'max_replicas': %u, 'markets': [%s],"
             " 'purchase': {'spot_percent_above_base': %d},"
             " 'failures': {'gpu_mtbf_h': %g, 'instance_mtbf_h': null,"
             "              'detection': {'kind': 'constant', 's': %g}},"
             " 'start_up': {'kind': 'instant', 'boot': {'kind': 'constant', 's': %g}},"
             " 'interruption': {'policy': '%s'}}",
             replicas, replicas, scene->elastic.market_count > 0 ? "'zone'" : "",
             scene->elastic.market_count > 0 ? 100 : 0, mtbf_s / 3600, 0.001 * between(rng, 0, 30),
             0.001 * between(rng, 0, 200), policies[between(rng, 0, 3)]);
    return test_elastic_settings(scene->arena, json);
}

static void draw_elastic(gsl_rng *rng, struct scene *scene)
{
    static const uint32_t first_market[] = {0};
    static const char *const market_names[] = {"zone"};
    static const char *const tenants[] = {"all"};
    scene->elastic = (struct elastic_spec){
        .pools = scene->elastic_pools, .budget_usd_per_hour = INFINITY, .tenants = tenants};
    if (!one_in(rng, 3))
        draw_market(rng, scene);
    for (uint32_t pool = 0; pool < scene->pools; pool++) {
        bool stays = one_in(rng, 4);
        uint32_t replicas = scene->specs[pool].replicas,
                 count = stays ? 0 : scene->elastic.market_count;
        scene->elastic_pools[pool] = (struct elastic_pool_spec){
            .settings = stays ? NULL : draw_settings(rng, scene, replicas),
            .initial = stays || one_in(rng, 2) ? replicas : 0,
            .replicas_per_node = 1,
            .instances_per_node = 1,
            .gpus_per_node = 1,
            .usd_per_hour = 1,
            .usage = {.name = pool_names[pool], .sku = "node"},
            .start_up = {.gpus_per_replica = 1, .replicas_per_node = 1, .instances_per_node = 1},
            .markets = first_market,
            .market_names = market_names,
            .market_count = count};
    }
}

static void draw_scene(gsl_rng *rng, struct arena *arena, struct scene *scene)
{
    *scene = (struct scene){.arena = arena, .pools = between(rng, 2, POOLS_MAX)};
    draw_arrivals(rng, scene);
    for (uint32_t pool = 0; pool < scene->pools; pool++)
        draw_pool(rng, scene, pool);
    scene->router.policy.index = (int)between(rng, 0, LAST_PLAIN_POLICY);
    draw_roles(rng, &scene->roles, scene->specs, scene->pools, LAST_PLAIN_POLICY + 1);
    draw_elastic(rng, scene);
    scene->horizon_s = one_in(rng, 4) ? gsl_rng_uniform_pos(rng) : INFINITY;
    scene->clients.arena = arena;
    scene->has_clients = one_in(rng, 3);
    if (scene->has_clients)
        draw_clients(rng, &scene->clients, 1);
}

/* --- simulating --- */

struct trail {
    struct request_record records[REQUESTS_MAX];
    uint32_t count;
};

static void keep_record(void *context, const struct request_record *record)
{
    struct trail *trail = context;
    cr_assert_lt(trail->count, REQUESTS_MAX);
    trail->records[trail->count++] = *record;
}

static struct simulation_result simulate(const struct scene *scene, bool stepwise,
                                         struct trail *trail)
{
    struct list_source list = LIST_SOURCE(scene->arrivals, scene->requests);
    *trail = (struct trail){0};
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = scene->specs,
                                   .pool_count = scene->pools,
                                   .router = &scene->router,
                                   .disaggregation = &scene->roles.config,
                                   .classes = &all,
                                   .class_count = 1,
                                   .clients = scene->has_clients ? scene->clients.rules : NULL,
                                   .elastic = &scene->elastic,
                                   .seed = 7,
                                   .horizon_s = scene->horizon_s,
                                   .stepwise = stepwise,
                                   .observer = {.context = trail, .request = keep_record}};
    struct simulation_result result;
    struct error error = {0};
    cr_assert(simulation_run(&spec, &result, &error), "%s", error.message);
    return result;
}

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_record(const struct request_record *a, const struct request_record *b)
{
    return same_number(a->arrival_s, b->arrival_s) && same_number(a->queue_s, b->queue_s) &&
           same_number(a->ttft_s, b->ttft_s) && same_number(a->tpot_s, b->tpot_s) &&
           same_number(a->e2e_s, b->e2e_s) && a->pool == b->pool && a->replica == b->replica &&
           a->preemptions == b->preemptions && a->rejected == b->rejected &&
           a->timed_out == b->timed_out && a->stopped == b->stopped;
}

static void expect_same(const struct scene *scene, const struct simulation_result *jump,
                        const struct simulation_result *step, const struct trail *jumped,
                        const struct trail *stepped)
{
    cr_assert_eq(jumped->count, stepped->count);
    for (uint32_t i = 0; i < jumped->count; i++)
        cr_assert(same_record(&jumped->records[i], &stepped->records[i]),
                  "record %u: e2e %.17g and %.17g", i, jumped->records[i].e2e_s,
                  stepped->records[i].e2e_s);
    for (uint32_t pool = 0; pool < scene->pools; pool++) {
        const struct pool_result *a = &jump->pools[pool], *b = &step->pools[pool];
        cr_assert_eq(a->prefill_tok, b->prefill_tok);
        cr_assert_eq(a->moved_out, b->moved_out);
        cr_assert_eq(a->handed_in, b->handed_in);
        cr_assert_eq(a->busy_s, b->busy_s);
        cr_assert_eq(a->mean_outstanding, b->mean_outstanding);
        cr_assert_eq(a->iterations, b->iterations);
    }
    cr_assert(memcmp(jump->transfers, step->transfers, sizeof *jump->transfers) == 0);
    cr_assert(memcmp(&jump->elastic->requests, &step->elastic->requests,
                     sizeof jump->elastic->requests) == 0);
    cr_assert_eq(jump->end_s, step->end_s);
}

static void check_answers(const struct trail *trail, double end_s)
{
    for (uint32_t i = 0; i < trail->count; i++) {
        const struct request_record *record = &trail->records[i];
        if (record->rejected || record->timed_out)
            continue;
        cr_assert_geq(record->ttft_s, 0);
        cr_assert_leq(record->ttft_s, record->e2e_s);
        cr_assert_leq(record->arrival_s + record->e2e_s, end_s + 1e-9);
    }
}

static void check_conservation(const struct scene *scene, const struct simulation_result *result,
                               const struct trail *trail)
{
    uint64_t moved_out = 0, moved_in = 0, handed_out = 0, handed_in = 0;
    cr_assert_eq(result->arrived,
                 result->completed + result->rejected + result->cancelled + result->in_flight);
    for (uint32_t pool = 0; pool < scene->pools; pool++) {
        moved_out += result->pools[pool].moved_out;
        moved_in += result->pools[pool].moved_in;
        handed_out += result->pools[pool].handed_out;
        handed_in += result->pools[pool].handed_in;
    }
    cr_assert_eq(handed_out, handed_in);
    cr_assert_geq(moved_out, moved_in);
    if (isfinite(scene->horizon_s))
        return;
    cr_assert_eq(moved_out, moved_in);
    cr_assert_eq(result->in_flight, 0);
    cr_assert_eq(result->arrived, scene->requests);
    cr_assert_eq(trail->count, scene->requests);
}

struct tally {
    uint64_t moved, lost, held, transfers, lent;
};

static void try_storm(gsl_rng *rng, struct tally *tally)
{
    static struct trail jumped, stepped;
    struct arena *arena = arena_create();
    struct scene scene;
    draw_scene(rng, arena, &scene);
    struct simulation_result jump = simulate(&scene, false, &jumped);
    struct simulation_result step = simulate(&scene, true, &stepped);
    check_conservation(&scene, &jump, &jumped);
    check_answers(&jumped, jump.end_s);
    expect_same(&scene, &jump, &step, &jumped, &stepped);
    tally->moved += jump.elastic->requests.moved;
    tally->lost += jump.elastic->requests.lost;
    tally->held += jump.elastic->requests.held;
    tally->transfers += jump.transfers->transfers;
    tally->lent += jump.transfers->lent;
    simulation_result_free(&jump);
    simulation_result_free(&step);
    for (uint32_t pool = 0; pool < scene.pools; pool++)
        steptime_destroy(scene.steptimes[pool]);
    arena_destroy(arena);
}

Test(role_storms, no_request_is_lost_and_jumping_is_stepping)
{
    gsl_rng *rng = random_stream(20251121, 0, "test/role storms");
    struct tally tally = {0};
    for (int i = 0; i < STORMS; i++)
        try_storm(rng, &tally);
    gsl_rng_free(rng);
    /* The storms must have been worth it. */
    cr_assert_gt(tally.moved, 2000, "only %u moved", (unsigned)tally.moved);
    cr_assert_gt(tally.lost, 200);
    cr_assert_gt(tally.held, 1000);
    cr_assert_gt(tally.transfers, 5000);
    cr_assert_gt(tally.lent, 500);
}
