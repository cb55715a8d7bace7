/* Scalers from JSON, and a pool that does at once what they decide. */
#ifndef TOKENYARD_TESTS_MODELS_SCALER_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_SCALER_SUPPORT_H

#include <string.h>

#include "models/elastic/scaler.h"
#include "sim/arena.h"
#include "tests/support.h"

struct scaler_holder {
    struct config_variant policy;
};

static const struct config_field scaler_holder_fields[] = {
    {.name = "scaler",
     .kind = CONFIG_VARIANT,
     .offset = offsetof(struct scaler_holder, policy),
     .variants = scaler_policies,
     .selector = "policy"},
    {0}};

static const struct config_type scaler_holder_type = {
    .name = "holder", .size = sizeof(struct scaler_holder), .fields = scaler_holder_fields};

struct world {
    struct arena *arena;
    struct scaler_limits limits;
    struct config_variant config;
    struct scaler *scaler;
    struct scaler_metrics pool;
    bool slow; /* the test sets ready, unready and pending itself */
    const char *why;
};

/* 2026-01-05T00:00:00Z, a Monday */
#define A_MONDAY INT64_C(1767571200)

/* scaler: the JSON, with ' for ". */
static inline void read_scaler(struct world *world, const char *scaler, struct error *error)
{
    char text[4096];
    int length = snprintf(text, sizeof text, "{\"scaler\": %s}", scaler);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    struct json_document *document = json_read_text("test", text, (size_t)length, error);
    cr_assert_not_null(document);
    struct scaler_holder holder = {0};
    world->arena = arena_create();
    bool ok = config_read(&scaler_holder_type, document, json_root(document), "", world->arena,
                          &holder, error);
    cr_assert(ok, "%s", test_error_text(error));
    world->config = holder.policy;
    json_free(document);
}

static inline struct world make_world(const char *scaler, int64_t min, int64_t max,
                                      int64_t replicas)
{
    struct world world = {.limits = {min, max, A_MONDAY}};
    struct error error = {0};
    read_scaler(&world, scaler, &error);
    cr_assert(scaler_check(&world.config, &world.limits, &error), "%s", test_error_text(&error));
    world.scaler = scaler_create(&world.config, &world.limits, &error);
    cr_assert_not_null(world.scaler);
    world.pool.desired = world.pool.ready = replicas;
    return world;
}

static inline void end_world(struct world *world)
{
    scaler_destroy(world->scaler);
    arena_destroy(world->arena);
}

static inline double next_s(const struct world *world)
{
    return tick_to_s(scaler_next(world->scaler));
}

/* One decision at the time the scaler wants it; the pool follows. */
static inline int64_t decide_next(struct world *world)
{
    struct scaler_decision decision =
        scaler_decide(world->scaler, &world->pool, scaler_next(world->scaler));
    world->pool.desired = decision.desired;
    world->why = decision.why;
    if (!world->slow)
        world->pool.ready = decision.desired;
    return decision.desired;
}

/* All decisions up to the time, inclusively; the replicas then. */
static inline int64_t run_to(struct world *world, double until_s)
{
    while (next_s(world) <= until_s)
        decide_next(world);
    return world->pool.desired;
}

static inline void expect_scaler_refused(const char *scaler, int64_t min, int64_t max,
                                         const char *pointer, const char *message)
{
    struct world world = {.limits = {min, max, A_MONDAY}};
    struct error error = {0};
    read_scaler(&world, scaler, &error);
    cr_expect_not(scaler_check(&world.config, &world.limits, &error), "accepted: %s", scaler);
    cr_expect_str_eq(error.json_path, pointer);
    cr_expect(strstr(error.message, message), "%s", error.message);
    cr_expect(error.hint[0], "no hint");
    arena_destroy(world.arena);
}

#endif
