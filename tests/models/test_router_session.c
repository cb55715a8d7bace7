/* Stickiness by session: a hash ring, with or without a bound on loads. */
#include "tests/models/router_support.h"

enum { REPLICAS = 8, SESSIONS = 4000 };
static const struct router_pool even[] = {{.name = "a", .replicas = REPLICAS, .weight = 1}};
static const struct router_pool heavy[] = {
    {.name = "a", .first_replica = 0, .replicas = 4, .weight = 1},
    {.name = "b", .first_replica = 4, .replicas = 2, .weight = 4}};
static const char *const class_names[] = {"all"};

static struct router_fleet fleet_of(const struct router_pool *pools, uint32_t count)
{
    return (struct router_fleet){.pools = pools,
                                 .pool_count = count,
                                 .class_names = class_names,
                                 .class_count = 1,
                                 .seed = 1};
}

static struct router_session_config config_with(double load_bound)
{
    return (struct router_session_config){.virtual_nodes = 160, .load_bound = load_bound};
}

static uint32_t choose(struct router *router, uint32_t session)
{
    struct router_request request = {.prompt_tok = 1, .output_tok = 1, .session = session};
    return router_choose(router, &request);
}

static uint32_t glance(struct router *router, uint32_t session)
{
    uint32_t replica = choose(router, session);
    router_release(router, replica, 1, 1);
    return replica;
}

Test(router_session, a_session_stays_and_sessions_spread)
{
    struct router_session_config config = config_with(NAN);
    struct router_fleet fleet = fleet_of(even, 1);
    struct router *router = make_router("session", &config, &fleet);
    int counts[REPLICAS] = {0};
    for (uint32_t session = 0; session < SESSIONS; session++) {
        uint32_t replica = choose(router, session);
        counts[replica]++;
        cr_assert_eq(choose(router, session), replica);
    }
    for (int i = 0; i < REPLICAS; i++) /* a share of the ring varies by 1 / sqrt(160), 8 % */
        cr_expect_float_eq(counts[i], SESSIONS / REPLICAS, 0.35 * SESSIONS / REPLICAS, "%d",
                           counts[i]);
    router_destroy(router);
}

/* One replica of nine more or less moves a ninth of the sessions. */
Test(router_session, a_replica_more_moves_few)
{
    struct router_session_config config = config_with(NAN);
    struct router_pool more[] = {{.name = "a", .replicas = REPLICAS + 1, .weight = 1}};
    struct router_fleet before = fleet_of(even, 1), after = fleet_of(more, 1);
    struct router *small = make_router("session", &config, &before);
    struct router *large = make_router("session", &config, &after);
    int moved = 0;
    for (uint32_t session = 0; session < SESSIONS; session++) {
        uint32_t was = glance(small, session), is = glance(large, session);
        cr_assert(was == is || is == REPLICAS, "moved to an old one");
        moved += was != is;
    }
    cr_expect_float_eq(moved, SESSIONS / (REPLICAS + 1), 0.35 * SESSIONS / (REPLICAS + 1), "%d",
                       moved);
    router_destroy(small);
    router_destroy(large);
}

/* Two replicas of weight 4 have two thirds of all. */
Test(router_session, weights)
{
    struct router_session_config config = config_with(NAN);
    struct router_fleet fleet = fleet_of(heavy, 2);
    struct router *router = make_router("session", &config, &fleet);
    int to_b = 0;
    for (uint32_t session = 0; session < SESSIONS; session++)
        to_b += glance(router, session) >= 4;
    cr_expect_float_eq(to_b, SESSIONS * 2 / 3, 0.1 * SESSIONS, "%d", to_b);
    router_destroy(router);
}

/* One session asks eighty times at once: nobody gets more than 1.25 times an eighth. */
Test(router_session, a_bound_on_loads)
{
    struct router_session_config config = config_with(1.25);
    struct router_fleet fleet = fleet_of(even, 1);
    struct router *router = make_router("session", &config, &fleet);
    uint32_t home = glance(router, 7);
    int counts[REPLICAS] = {0};
    for (int i = 0; i < 80; i++)
        counts[choose(router, 7)]++;
    for (int i = 0; i < REPLICAS; i++)
        cr_expect_leq(counts[i], 13, "ceil(1.25 x 80 / 8), got %d", counts[i]);
    cr_expect_geq(counts[home], 12);
    router_destroy(router);
}

Test(router_session, without_a_session_the_fallback)
{
    struct router_session_config config = config_with(NAN);
    struct router_fleet fleet = fleet_of(even, 1);
    struct router *router = make_router("session", &config, &fleet);
    for (uint32_t i = 0; i < 2 * REPLICAS; i++)
        cr_assert_eq(choose(router, ROUTER_NO_SESSION), i % REPLICAS, "round robin comes first");
    router_destroy(router);
}
