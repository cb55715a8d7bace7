/* Routing to where a prompt's prefix is: remembered, or told by cache events. */
#include "tests/models/router_support.h"

enum { REPLICAS = 4, BLOCK_TOK = 512 };
static const struct router_pool pools[] = {{.name = "a",
                                            .replicas = REPLICAS,
                                            .weight = 1,
                                            .kv_tok = 10 * BLOCK_TOK,
                                            .max_sequences = 256}};
static const char *const class_names[] = {"all"};

/* What the replicas say of themselves. */
static struct router_metrics said[REPLICAS];

static struct router_metrics ask(void *context, uint32_t replica)
{
    return ((struct router_metrics *)context)[replica];
}

static const struct router_fleet fleet = {.pools = pools,
                                          .pool_count = 1,
                                          .class_names = class_names,
                                          .class_count = 1,
                                          .poll = {said, ask},
                                          .seed = 1};

/* A prompt of so many blocks: ids first, first + 1, ... */
static uint32_t choose(struct router *router, uint64_t first, uint32_t blocks, double now_s)
{
    uint64_t ids[64];
    for (uint32_t i = 0; i < blocks; i++)
        ids[i] = first + i;
    struct router_request request = {.now = tick_from_s(now_s),
                                     .prompt_tok = blocks * BLOCK_TOK,
                                     .output_tok = 1,
                                     .session = ROUTER_NO_SESSION,
                                     .block_tok = BLOCK_TOK,
                                     .id_count = blocks,
                                     .ids = ids};
    return router_choose(router, &request);
}

static struct scoring_llm_d llm_d = {3, 2, 2};
static struct scoring_dynamo dynamo = {1, 0};
static struct scoring_sglang sglang = {0.3, 64, 1.5};

static struct config_variant scoring(const char *name)
{
    int index = index_of(router_scorings, name);
    void *values[] = {&llm_d, &dynamo, &sglang};
    return (struct config_variant){.index = index, .value = values[index]};
}

static struct router *make_affinity(const char *rule, int64_t capacity_tok, int64_t max_prefix_tok)
{
    static struct router_prefix_config config;
    config = (struct router_prefix_config){.scoring = scoring(rule),
                                           .load_interval_s = NAN,
                                           .capacity_tok = capacity_tok,
                                           .max_prefix_tok = max_prefix_tok};
    return make_router("prefix_affinity", &config, &fleet);
}

static struct router *make_kv_aware(const char *rule, double event_delay_s, double load_interval_s)
{
    static struct router_kv_config config;
    config = (struct router_kv_config){.scoring = scoring(rule),
                                       .load_interval_s = load_interval_s,
                                       .event_delay_s = event_delay_s};
    return make_router("kv_aware", &config, &fleet);
}

/* How often a prompt of which the router knows nothing goes to each replica. */
static void spread_of(struct router *router, double now_s, int counts[REPLICAS])
{
    uint64_t new_id = 1000 * (uint64_t)tick_from_s(now_s);
    for (uint64_t i = 0; i < 400; i++)
        counts[choose(router, new_id + i, 1, now_s)]++;
}

static const char *const rules[] = {"llm_d", "dynamo", "sglang"};

Test(router_prefix_affinity, a_prefix_goes_where_it_was_sent)
{
    for (size_t rule = 0; rule < 3; rule++) {
        struct router *router = make_affinity(rules[rule], INT64_MIN, INT64_MIN);
        for (uint64_t chat = 0; chat < 8; chat++) {
            uint32_t home = choose(router, 100 * chat, 4, 0);
            router_release(router, home, 4 * BLOCK_TOK, 1);
            uint32_t again = choose(router, 100 * chat, 5, 1);
            router_release(router, again, 5 * BLOCK_TOK, 1);
            cr_expect_eq(again, home, "%s, chat %d", rules[rule], (int)chat);
        }
        router_destroy(router);
    }
}

/* A prompt of `shared` blocks that all share, and own ones from `own` on. */
static uint32_t choose_branch(struct router *router, uint32_t shared, uint64_t own, uint32_t blocks)
{
    uint64_t ids[64];
    for (uint32_t i = 0; i < blocks; i++)
        ids[i] = i < shared ? i : own + i;
    struct router_request request = {.prompt_tok = blocks * BLOCK_TOK,
                                     .output_tok = 1,
                                     .session = ROUTER_NO_SESSION,
                                     .block_tok = BLOCK_TOK,
                                     .id_count = blocks,
                                     .ids = ids};
    return router_choose(router, &request);
}

/* Two branches of four blocks share six. Where only ten are remembered, the second makes the first
 * forgotten: of a prompt that goes on with the first, 6 of 14 are known, or else 10 of 14. */
Test(router_prefix_affinity, the_least_recently_used_is_forgotten)
{
    sglang.cache_threshold = 0.5;
    for (int fits = 0; fits < 2; fits++) {
        struct router *router = make_affinity("sglang", (fits ? 14 : 10) * BLOCK_TOK, INT64_MIN);
        uint32_t home = choose_branch(router, 6, 100, 6);
        cr_expect_eq(choose_branch(router, 6, 100, 10), home);
        cr_expect_eq(choose_branch(router, 6, 200, 10), home);
        cr_expect_eq(choose_branch(router, 6, 100, 14) == home, fits);
        router_destroy(router);
    }
}

/* Eight of thirty blocks are shared: all that is looked at, or too little. */
Test(router_prefix_affinity, only_so_much_of_a_prompt_is_looked_at)
{
    for (int limited = 0; limited < 2; limited++) {
        int64_t most_tok = limited ? 8 * BLOCK_TOK : INT64_MIN;
        struct router *router = make_affinity("sglang", INT64_MAX, most_tok);
        uint32_t home = choose_branch(router, 8, 100, 30);
        cr_expect_eq(choose_branch(router, 8, 200, 30) == home, limited);
        router_destroy(router);
    }
}

/* llm-d: a replica with the longest queue loses 2, one whose cache is full 2; a whole prefix is
 * worth 3. */
Test(router_prefix_affinity, llm_d_weighs_prefix_against_load)
{
    struct router *router = make_affinity("llm_d", INT64_MIN, INT64_MIN);
    uint32_t home = choose(router, 0, 4, 0);
    said[home] = (struct router_metrics){.waiting = 5};
    cr_expect_eq(choose(router, 0, 4, 1), home, "3 against 2");
    said[home].kv_used = 0.9;
    cr_expect_neq(choose(router, 0, 4, 2), home, "3 against 3.8");
    router_destroy(router);
}

/* What replicas say is read every 50 ms. */
Test(router_prefix_affinity, loads_are_seen_late)
{
    struct router *router = make_affinity("llm_d", INT64_MIN, INT64_MIN);
    int before[REPLICAS] = {0}, stale[REPLICAS] = {0}, fresh[REPLICAS] = {0};
    spread_of(router, 1.01, before);
    for (int i = 1; i < REPLICAS; i++)
        said[i].waiting = 9;
    spread_of(router, 1.04, stale);
    spread_of(router, 1.06, fresh);
    for (int i = 0; i < REPLICAS; i++) {
        cr_expect(before[i] > 50 && stale[i] > 50, "equal ones share: %d, %d", before[i], stale[i]);
        cr_expect_eq(fresh[i], i == 0 ? 400 : 0, "%d to replica %d", fresh[i], i);
    }
    router_destroy(router);
}

/* SGLang: below the threshold of 0.3 to the replica with the least, above to the longest match; and
 * to the shortest queue when loads differ by more than 64 and by half. */
Test(router_prefix_affinity, sglang_follows_its_thresholds)
{
    struct router *router = make_affinity("sglang", INT64_MAX, INT64_MIN);
    uint32_t home = choose(router, 0, 10, 0);
    cr_expect_eq(choose(router, 0, 20, 0), home, "half is known");
    uint32_t other = choose(router, 0, 63, 0); /* 20 of 63 are: 0.32 */
    cr_expect_eq(other, home);
    cr_expect_neq(choose(router, 50, 60, 0), home, "13 of 60 are");
    for (int i = 0; i < 62; i++)
        cr_expect_eq(choose(router, 0, 20, 0), home);
    cr_expect_neq(choose(router, 0, 20, 0), home, "65 against none");
    router_destroy(router);
}

Test(router_kv_aware, goes_where_the_caches_say)
{
    struct router *router = make_kv_aware("dynamo", 0, NAN);
    cr_assert(router_listens(router));
    for (uint64_t id = 0; id < 10; id++)
        router_stored(router, 2, id, 0);
    cr_expect_eq(choose(router, 0, 10, 1), 2u);
    router_release(router, 2, 10 * BLOCK_TOK, 1);
    router_removed(router, 2, 0, tick_from_s(1));
    router_stored(router, 3, 0, tick_from_s(1));
    cr_expect_eq(choose(router, 0, 10, 1), 3u, "the rest is of no use without its beginning");
    router_destroy(router);
}

/* Dynamo: ten blocks to compute are as bad as ten that are decoded with. */
Test(router_kv_aware, dynamo_weighs_overlap_against_load)
{
    struct router *router = make_kv_aware("dynamo", 0, NAN);
    for (uint64_t id = 0; id < 10; id++)
        router_stored(router, 2, id, 0);
    cr_expect_eq(choose(router, 0, 10, 1), 2u);
    cr_expect_neq(choose(router, 0, 9, 1), 2u, "10 blocks are active there, 9 are known");
    router_destroy(router);
    dynamo.overlap_weight = 2;
    router = make_kv_aware("dynamo", 0, NAN);
    for (uint64_t id = 0; id < 10; id++)
        router_stored(router, 2, id, 0);
    cr_expect_eq(choose(router, 0, 10, 1), 2u);
    cr_expect_eq(choose(router, 0, 9, 1), 2u, "18 against 10");
    router_destroy(router);
}

Test(router_kv_aware, a_temperature_spreads)
{
    dynamo.temperature = 0.5;
    struct router *router = make_kv_aware("dynamo", 0, NAN);
    for (uint64_t id = 0; id < 10; id++)
        router_stored(router, 2, id, 0);
    int counts[REPLICAS] = {0};
    for (int i = 0; i < 1000; i++) {
        uint32_t replica = choose(router, 0, 10, 1);
        counts[replica]++;
        router_release(router, replica, 10 * BLOCK_TOK, 1);
    }
    /* costs 0, 1, 1, 1: exp(0) / (1 + 3 exp(-2)) = 0.711 */
    cr_expect_float_eq(counts[2], 711, 60, "%d", counts[2]);
    router_destroy(router);
}

Test(router_kv_aware, events_are_seen_late)
{
    struct router *router = make_kv_aware("sglang", 0.5, NAN);
    router_stored(router, 3, 42, tick_from_s(10));
    router_stored(router, 0, 7, tick_from_s(10.2));
    router_stored(router, 1, 8, tick_from_s(10.2));
    router_stored(router, 2, 9, tick_from_s(10.2));
    int early = 0;
    for (int i = 0; i < 40; i++)
        early += choose(router, 42, 1, 10.4) == 3;
    cr_expect_lt(early, 25, "%d of 40 before anybody could know", early);
    cr_expect_eq(choose(router, 42, 1, 10.5), 3u);
    router_destroy(router);
}

Test(router_kv_aware, loads_may_be_stale)
{
    struct router *router = make_kv_aware("dynamo", 0, 1);
    for (uint64_t id = 0; id < 10; id++)
        router_stored(router, 2, id, 0);
    for (int i = 0; i < 20; i++)
        cr_expect_eq(choose(router, 0, 10, 0.5), 2u, "what it sent itself is not seen yet");
    cr_expect_neq(choose(router, 0, 10, 1.5), 2u);
    router_destroy(router);
}
