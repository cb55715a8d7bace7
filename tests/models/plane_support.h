/* A control plane by itself, with an owner that does as it is told and writes it down. */
#ifndef TOKENYARD_TESTS_MODELS_PLANE_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_PLANE_SUPPORT_H

#include "models/elastic/control_plane.h"
#include "tests/models/settings_support.h"

#define TEST_REPLICAS 64
#define TEST_NODE_USD 10.0

/* What a pool's "elastic" says, as JSON with ' for "; defaults are filled in. The arena's. */
static inline struct elastic_settings *test_elastic_settings(struct arena *arena, const char *json)
{
    struct error error = {0};
    struct json_document *document = quoted_json(json);
    struct elastic_settings *settings = ARENA_NEW(arena, struct elastic_settings);
    cr_assert(config_read(&elastic_config_type, document, json_root(document), "", arena, settings,
                          &error),
              "%s: %s", error.json_path, error.message);
    json_free(document);
    return settings;
}

/* A scenario's "markets", likewise. */
static inline struct market_spec *const *test_markets(struct arena *arena, const char *json)
{
    static const struct config_field element = {
        .name = "market", .kind = CONFIG_OBJECT, .object = &market_config_type};
    static const struct config_field fields[] = {
        {.name = "markets", .kind = CONFIG_LIST, .element = &element, .max = 9}, {0}};
    static const struct config_type type = {
        .name = "markets", .size = sizeof(struct config_list), .fields = fields};
    struct json_document *document = quoted_json(json);
    struct config_list markets;
    struct error error = {0};
    cr_assert(config_read(&type, document, json_root(document), "", arena, &markets, &error),
              "%s: %s", error.json_path, error.message);
    const struct market_context context = {
        .document = document, .pointer = "/markets", .horizon_s = NAN};
    struct market_spec *const *specs = markets_resolve(&markets, &context, arena, &error);
    cr_assert_not_null(specs, "%s", error.message);
    json_free(document);
    return specs;
}

struct test_plane {
    struct arena *arena;
    struct plane *plane;
    struct plane_pool pool;
    struct plane_spec spec;
    struct usage usage;
    struct error error;
    bool up[TEST_REPLICAS], draining[TEST_REPLICAS];
    bool busy; /* draining replicas are not empty at once */
    int ups, drains, downs;
    struct scaler_metrics metrics; /* that its scaler is shown, but for counts of replicas */
};

static inline void test_see(void *context, uint32_t pool, struct scaler_metrics *out)
{
    (void)pool;
    *out = ((struct test_plane *)context)->metrics;
}

static inline void test_up(void *context, uint32_t replica, tick_t now)
{
    struct test_plane *test = context;
    (void)now;
    cr_assert(!test->up[replica] && !test->draining[replica]);
    test->up[replica] = true;
    test->ups++;
}

static inline bool test_drain(void *context, uint32_t replica, enum departure why, tick_t now,
                              tick_t deadline)
{
    struct test_plane *test = context;
    (void)why;
    cr_assert(test->up[replica] && deadline > now);
    test->up[replica] = false;
    test->draining[replica] = test->busy;
    test->drains++;
    return !test->busy;
}

static inline void test_down(void *context, uint32_t replica, enum departure why, tick_t now)
{
    struct test_plane *test = context;
    (void)why;
    (void)now;
    cr_assert(test->up[replica] || test->draining[replica]);
    test->up[replica] = test->draining[replica] = false;
    test->downs++;
}

/* One pool, elastic as the JSON says, with so many replicas at time 0 and on a node. */
static inline void test_plane_prepare(struct test_plane *test, const char *json, uint32_t initial,
                                      uint32_t per_node, double budget_usd_per_hour)
{
    test->arena = arena_create();
    test->pool = (struct plane_pool){
        .name = "pool",
        .settings = test_elastic_settings(test->arena, json),
        .slots = TEST_REPLICAS,
        .initial = initial,
        .replicas_per_node = per_node,
        .instances_per_node = 1,
        .gpus_per_node = per_node,
        .start_up = {.gpus_per_replica = 1, .replicas_per_node = per_node, .instances_per_node = 1},
        .on_demand_usd_per_hour = TEST_NODE_USD};
    usage_init(&test->usage, 0);
    usage_add_pool(&test->usage, &(struct usage_pool){"pool", "model", per_node});
    usage_add_market(&test->usage, &(struct usage_market){.name = "pool", .sku = "node"});
    test->spec = (struct plane_spec){.pools = &test->pool,
                                     .pool_count = 1,
                                     .budget_usd_per_hour = budget_usd_per_hour,
                                     .usage = &test->usage,
                                     .actions = {test, test_see, test_up, test_drain, test_down}};
}

static inline void test_plane_go(struct test_plane *test)
{
    test->plane = plane_create(&test->spec, &test->error);
    cr_assert_not_null(test->plane, "%s", test->error.message);
    plane_start(test->plane);
}

static inline void test_plane_start(struct test_plane *test, const char *json, uint32_t initial,
                                    uint32_t per_node, double budget_usd_per_hour)
{
    test_plane_prepare(test, json, initial, per_node, budget_usd_per_hour);
    test_plane_go(test);
}

static inline void test_plane_run(struct test_plane *test, double until_s)
{
    tick_t until = tick_from_s(until_s);
    while (plane_next(test->plane) <= until)
        plane_advance(test->plane, plane_next(test->plane));
}

static inline void test_plane_end(struct test_plane *test, double end_s)
{
    plane_finish(test->plane, tick_from_s(end_s));
    plane_destroy(test->plane);
    arena_destroy(test->arena);
}

static inline int test_plane_open(const struct test_plane *test)
{
    int open = 0;
    for (int i = 0; i < TEST_REPLICAS; i++)
        open += test->up[i];
    return open;
}

#endif
