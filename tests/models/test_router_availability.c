/* Routers whose replicas come and go: nobody who is away gets a request, and the policy is that of
 * a fleet which consists of those who are there. */
#include "sim/random.h"
#include "tests/models/router_support.h"

/* Each replica is a pool of its own, so that a part of the fleet is a fleet, too. Replica 0 serves
 * model 0 alone, replica 7 model 1 alone. */
enum { REPLICAS = 8, CLASSES = 2, MODELS = 2, STEPS = 20000, FLIGHTS = 200 };

static const char *const names[REPLICAS] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
static const char *const class_names[CLASSES] = {"x", "y"};
static const struct router_bounds bounds[CLASSES] = {{1, INFINITY, INFINITY}, {3, 0.05, INFINITY}};

static struct router_pool pool_of(uint32_t replica)
{
    return (struct router_pool){.name = names[replica],
                                .first_replica = replica,
                                .replicas = 1,
                                .weight = 1 + replica % 3,
                                .models = replica == 0   ? 1u
                                          : replica == 7 ? 2u
                                                         : 3u,
                                .speed = {0.01 + 0.002 * replica, 1e-4, 1e-7, 1e-4},
                                .kv_tok = 50000,
                                .max_sequences = 64,
                                .usd_per_hour = 8 - replica % 4};
}

/* The fleet of those who are there. */
static struct router_fleet part_of(const bool *there, struct router_pool pools[REPLICAS])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < REPLICAS; i++)
        if (there[i])
            pools[count++] = pool_of(i);
    return (struct router_fleet){.pools = pools,
                                 .pool_count = count,
                                 .class_names = class_names,
                                 .bounds = bounds,
                                 .class_count = CLASSES,
                                 .model_count = MODELS,
                                 .seed = 1};
}

static const bool all_there[REPLICAS] = {true, true, true, true, true, true, true, true};

static uint32_t below(gsl_rng *rng, uint32_t n)
{
    return (uint32_t)gsl_rng_uniform_int(rng, n);
}

/* A request that was sent somewhere and has not ended. */
struct flight {
    uint32_t replica, prompt_tok, output_tok;
};

/* A router in a storm, and what it should know. */
struct storm {
    gsl_rng *rng;
    struct router *router;
    bool there[REPLICAS];
    uint64_t requests[REPLICAS], tokens[REPLICAS];
    struct flight flights[FLIGHTS];
    uint32_t flight_count;
    uint32_t last[MODELS]; /* replica that the model's last request went to */
    tick_t now;
};

static struct storm begin_storm(const char *name, void *config)
{
    struct storm storm = {.rng = random_stream(3, 0, name), .last = {REPLICAS, REPLICAS}};
    static struct router_pool pools[REPLICAS];
    struct router_fleet fleet = part_of(all_there, pools);
    storm.router = make_router(name, config, &fleet);
    memcpy(storm.there, all_there, sizeof all_there);
    return storm;
}

static void end_storm(struct storm *storm)
{
    router_destroy(storm->router);
    gsl_rng_free(storm->rng);
}

static void set_there(struct storm *storm, uint32_t replica, bool there)
{
    storm->there[replica] = there;
    router_set_available(storm->router, replica, there);
}

static bool serves(uint32_t replica, uint32_t model)
{
    return replica != (model == 0 ? 7 : 0);
}

static bool may_take(const struct storm *storm, uint32_t replica, uint32_t model)
{
    return storm->there[replica] && serves(replica, model);
}

static bool anybody_for(const struct storm *storm, uint32_t model)
{
    for (uint32_t i = 0; i < REPLICAS; i++)
        if (may_take(storm, i, model))
            return true;
    return false;
}

static struct router_request draw_request(struct storm *storm)
{
    storm->now += tick_from_s(0.01 * below(storm->rng, 4));
    return (struct router_request){.now = storm->now,
                                   .class_index = below(storm->rng, CLASSES),
                                   .model = below(storm->rng, MODELS),
                                   .prompt_tok = 1 + below(storm->rng, 3000),
                                   .output_tok = 1 + below(storm->rng, 300),
                                   .session = below(storm->rng, 100)};
}

static void note_sent(struct storm *storm, uint32_t replica, const struct router_request *request)
{
    storm->requests[replica]++;
    storm->tokens[replica] += request->prompt_tok + request->output_tok;
    storm->flights[storm->flight_count++] =
        (struct flight){replica, request->prompt_tok, request->output_tok};
}

static void release_one(struct storm *storm)
{
    if (storm->flight_count == 0)
        return;
    struct flight *flight = &storm->flights[below(storm->rng, storm->flight_count)];
    router_release(storm->router, flight->replica, flight->prompt_tok, flight->output_tok);
    storm->requests[flight->replica]--;
    storm->tokens[flight->replica] -= flight->prompt_tok + flight->output_tok;
    *flight = storm->flights[--storm->flight_count];
}

/* Somebody moves a request to where it likes, also to who is away. */
static void charge_one(struct storm *storm)
{
    struct router_request request = draw_request(storm);
    uint32_t replica = below(storm->rng, REPLICAS);
    router_charge(storm->router, replica, request.prompt_tok, request.output_tok);
    note_sent(storm, replica, &request);
}

typedef void check_choice(const struct storm *storm, const struct router_request *request,
                          uint32_t chosen);

static void choose_one(struct storm *storm, check_choice *check)
{
    struct router_request request = draw_request(storm);
    uint32_t chosen = router_choose(storm->router, &request);
    if (!anybody_for(storm, request.model)) {
        cr_assert_eq(chosen, ROUTER_NO_REPLICA);
        return;
    }
    cr_assert_lt(chosen, REPLICAS);
    cr_assert(may_take(storm, chosen, request.model), "%u is away", chosen);
    if (check)
        check(storm, &request, chosen);
    storm->last[request.model] = chosen;
    note_sent(storm, chosen, &request);
}

static void rage(struct storm *storm, int steps, check_choice *check)
{
    for (int step = 0; step < steps; step++) {
        uint32_t dice = below(storm->rng, 100);
        bool calm = step % 1000 < 300; /* all come back, and stay */
        if (storm->flight_count == FLIGHTS || dice < 40)
            release_one(storm);
        else if (dice < 42)
            charge_one(storm);
        else if (dice < 50 && !calm)
            set_there(storm, below(storm->rng, REPLICAS), dice < 46);
        else
            choose_one(storm, check);
        for (uint32_t i = 0; calm && i < REPLICAS; i++)
            set_there(storm, i, true);
    }
}

static void storm_over(const char *name, void *config, check_choice *check)
{
    struct storm storm = begin_storm(name, config);
    rage(&storm, STEPS, check);
    end_storm(&storm);
}

/* --- each policy sends nothing to who is away --- */

static struct router_share shares[] = {{"x", "p1", 3}, {"x", "p4", 1}, {"y", "p5", 1}};
static struct router_length_rule rules[] = {{500, "p1"},  {1000, "p2"}, {1500, "p0"},
                                            {2000, "p7"}, {2500, "p6"}, {INT64_MIN, "p4"}};
static struct router_slo_config packing = {1, HEADROOM_LEAST};
static struct router_cheapest_config cheapest = {1, PRICE_PER_REQUEST};
static struct router_session_config plain_ring = {40, NAN, 0}, bounded_ring = {40, 1.25, 2};

Test(router_availability, policies_without_parameters)
{
    for (const char *const *name = router_within_names; *name; name++)
        storm_over(*name, NULL, NULL);
}

Test(router_availability, policies_that_choose_a_pool)
{
    for (int within = 0; router_within_names[within]; within++) {
        struct router_weighted_config weighted = {{.items = shares, .count = 3}, within};
        storm_over("weighted", &weighted, NULL);
        struct router_replanned_config replanned = {0.5, within};
        storm_over("replanned", &replanned, NULL);
    }
}

Test(router_availability, policies_that_prefer_a_replica)
{
    static struct scoring_llm_d llm_d = {3, 2, 2};
    static struct scoring_dynamo dynamo = {1, 0.5};
    static struct scoring_sglang sglang = {0.3, 4, 1.5};
    void *scorings[] = {&llm_d, &dynamo, &sglang};
    for (int index = 0; index < 3; index++) {
        struct config_variant scoring = {.index = index, .value = scorings[index]};
        struct router_prefix_config prefix = {scoring, NAN, INT64_MIN, INT64_MIN};
        storm_over("prefix_affinity", &prefix, NULL);
        struct router_kv_config kv = {scoring, 0.3, 0.1};
        storm_over("kv_aware", &kv, NULL);
    }
    storm_over("session", &plain_ring, NULL);
    storm_over("session", &bounded_ring, NULL);
    storm_over("slo_aware", &packing, NULL);
    storm_over("cheapest", &cheapest, NULL);
}

/* --- who is chosen among those who are there --- */

/* The next one after the last, in a circle. */
static void expect_next(const struct storm *storm, const struct router_request *request,
                        uint32_t chosen)
{
    uint32_t last = storm->last[request->model];
    uint32_t next = last >= REPLICAS ? 0 : (last + 1) % REPLICAS;
    while (!may_take(storm, next, request->model))
        next = (next + 1) % REPLICAS;
    cr_assert_eq(chosen, next);
}

Test(router_availability, round_robin_passes_those_who_are_away)
{
    storm_over("round_robin", NULL, expect_next);
}

static void expect_fewest(const struct storm *storm, const struct router_request *request,
                          uint32_t chosen)
{
    double least = (double)storm->requests[chosen] / pool_of(chosen).weight;
    for (uint32_t i = 0; i < REPLICAS; i++)
        if (may_take(storm, i, request->model)) {
            double other = (double)storm->requests[i] / pool_of(i).weight;
            cr_assert_leq(least, other + 1e-9);
            cr_assert(i >= chosen || other > least, "ties go to the lowest number");
        }
}

static void expect_fewest_tokens(const struct storm *storm, const struct router_request *request,
                                 uint32_t chosen)
{
    double least = (double)storm->tokens[chosen] / pool_of(chosen).weight;
    for (uint32_t i = 0; i < REPLICAS; i++)
        if (may_take(storm, i, request->model))
            cr_assert_leq(least, (double)storm->tokens[i] / pool_of(i).weight + 1e-9);
}

Test(router_availability, least_is_the_minimum_of_those_who_are_there)
{
    storm_over("least_outstanding_requests", NULL, expect_fewest);
    storm_over("least_outstanding_tokens", NULL, expect_fewest_tokens);
}

/* Never the one that is more loaded than all others. */
static void expect_not_the_worst(const struct storm *storm, const struct router_request *request,
                                 uint32_t chosen)
{
    double load = (double)storm->requests[chosen] / pool_of(chosen).weight;
    bool alone = true, worst = true;
    for (uint32_t i = 0; i < REPLICAS; i++)
        if (i != chosen && may_take(storm, i, request->model)) {
            alone = false;
            worst &= (double)storm->requests[i] / pool_of(i).weight < load - 1e-9;
        }
    cr_assert(alone || !worst);
}

Test(router_availability, the_better_of_two_who_are_there)
{
    storm_over("power_of_two_choices", NULL, expect_not_the_worst);
}

Test(router_availability, random_is_even_among_those_who_are_there)
{
    enum { DRAWS = 50000 };
    struct storm storm = begin_storm("random", NULL);
    for (uint32_t gone = 1; gone < REPLICAS; gone += 3) /* 1, 4, 7 */
        set_there(&storm, gone, false);
    int counts[REPLICAS] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[router_choose(storm.router, &(struct router_request){0})]++;
    for (int i = 0; i < REPLICAS; i++) /* five standard deviations */
        cr_expect_float_eq(counts[i], i % 3 == 1 ? 0 : DRAWS / 5, 5 * sqrt(DRAWS * 4.0 / 25));
    end_storm(&storm);
}

/* As a fresh router of those who are there chooses when it is as loaded. */
static void expect_as_part(const struct storm *storm, const char *name, void *config,
                           const struct router_request *request, uint32_t chosen)
{
    struct router_pool pools[REPLICAS];
    struct router_fleet fleet = part_of(storm->there, pools);
    struct router *part = make_router(name, config, &fleet);
    for (uint32_t i = 0; i < storm->flight_count; i++) {
        const struct flight *flight = &storm->flights[i];
        if (storm->there[flight->replica])
            router_charge(part, flight->replica, flight->prompt_tok, flight->output_tok);
    }
    cr_assert_eq(chosen, router_choose(part, request), "%s", name);
    router_destroy(part);
}

static void expect_ring_of_part(const struct storm *storm, const struct router_request *request,
                                uint32_t chosen)
{
    expect_as_part(storm, "session", &plain_ring, request, chosen);
}

static void expect_bounded_ring_of_part(const struct storm *storm,
                                        const struct router_request *request, uint32_t chosen)
{
    expect_as_part(storm, "session", &bounded_ring, request, chosen);
}

/* A third of the fleet is heaviest: points are by the greatest weight, so that one stays. */
Test(router_availability, sessions_are_where_a_ring_of_those_who_are_there_has_them)
{
    check_choice *checks[] = {expect_ring_of_part, expect_bounded_ring_of_part};
    for (int bounded = 0; bounded < 2; bounded++) {
        struct storm storm = begin_storm("session", bounded ? &bounded_ring : &plain_ring);
        for (int step = 0; step < 3000; step++) {
            uint32_t replica = below(storm.rng, REPLICAS);
            if (replica != 5)
                set_there(&storm, replica, below(storm.rng, 2));
            if (storm.flight_count > 20)
                release_one(&storm);
            choose_one(&storm, checks[bounded]);
        }
        end_storm(&storm);
    }
}

/* Prompts that were sent are computed long before the next comes, so that only loads count. */
Test(router_availability, predictions_are_of_those_who_are_there)
{
    static const struct {
        const char *name;
        void *config;
    } cases[] = {{"slo_aware", &packing}, {"cheapest", &cheapest}};
    for (size_t c = 0; c < 2; c++) {
        struct storm storm = begin_storm(cases[c].name, cases[c].config);
        for (int step = 0; step < 2000; step++) {
            set_there(&storm, below(storm.rng, REPLICAS), below(storm.rng, 4) > 0);
            storm.now += tick_from_s(1000);
            struct router_request request = draw_request(&storm);
            if (!anybody_for(&storm, request.model))
                continue;
            uint32_t chosen = router_choose(storm.router, &request);
            expect_as_part(&storm, cases[c].name, cases[c].config, &request, chosen);
            note_sent(&storm, chosen, &request);
            while (storm.flight_count > 100)
                release_one(&storm);
        }
        end_storm(&storm);
    }
}

/* --- once all are back --- */

/* After a storm all is let go and all are there; each has gone once more, so that what is dealt out
 * by turns begins anew, and nobody has prompts that wait. */
static void clear_up(struct storm *storm)
{
    while (storm->flight_count > 0)
        release_one(storm);
    for (uint32_t i = 0; i < REPLICAS; i++)
        set_there(storm, i, true);
    for (uint32_t i = 0; i < REPLICAS; i++) {
        set_there(storm, i, false);
        set_there(storm, i, true);
    }
}

static void expect_alike(struct storm *storm, struct router *fresh, const char *name)
{
    for (int i = 0; i < 500; i++) {
        struct router_request request = draw_request(storm);
        uint32_t chosen = router_choose(storm->router, &request);
        cr_assert_eq(chosen, router_choose(fresh, &request), "%s, request %d", name, i);
    }
}

Test(router_availability, all_that_are_back_are_a_fresh_fleet)
{
    struct router_weighted_config weighted = {{.items = shares, .count = 3}, 2};
    struct router_length_config by_length = {LENGTH_PROMPT, {.items = rules, .count = 6}, 0.5, 3};
    const struct {
        const char *name;
        void *config;
    } cases[] = {{"least_outstanding_requests", NULL},
                 {"least_outstanding_tokens", NULL},
                 {"weighted", &weighted},
                 {"by_length", &by_length},
                 {"session", &plain_ring},
                 {"session", &bounded_ring},
                 {"slo_aware", &packing},
                 {"cheapest", &cheapest}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bool by_rules = cases[c].config == &by_length; /* may leave those out that no rule names */
        struct storm storm = begin_storm(cases[c].name, cases[c].config);
        for (int i = 0; i < 2000 && by_rules; i++)
            set_there(&storm, below(storm.rng, REPLICAS), below(storm.rng, 2));
        if (!by_rules)
            rage(&storm, 2000, NULL);
        clear_up(&storm);
        struct router_pool pools[REPLICAS];
        struct router_fleet fleet = part_of(all_there, pools);
        struct router *fresh = make_router(cases[c].name, cases[c].config, &fleet);
        expect_alike(&storm, fresh, cases[c].name);
        router_destroy(fresh);
        end_storm(&storm);
    }
}

/* Who has sent as many requests while nobody was away has drawn as often. */
Test(router_availability, absence_leaves_later_draws_as_they_are)
{
    const char *const drawing[] = {"random", "power_of_two_choices"};
    for (size_t c = 0; c < 2; c++) {
        struct storm storm = begin_storm(drawing[c], NULL);
        struct router_pool pools[REPLICAS];
        struct router_fleet fleet = part_of(all_there, pools);
        struct router *fresh = make_router(drawing[c], NULL, &fleet);
        for (int i = 0; i < 1000; i++) {
            uint32_t replica = below(storm.rng, REPLICAS);
            set_there(&storm, replica, replica == 3 || below(storm.rng, 2));
            choose_one(&storm, NULL);
            release_one(&storm);
            struct router_request request = {.prompt_tok = 1};
            router_release(fresh, router_choose(fresh, &request), 1, 0);
        }
        clear_up(&storm);
        expect_alike(&storm, fresh, drawing[c]);
        router_destroy(fresh);
        end_storm(&storm);
    }
}

Test(router_availability, whoever_is_away_may_be_let_go_and_is_not_charged)
{
    struct storm storm = begin_storm("least_outstanding_requests", NULL);
    struct router_request request = {.prompt_tok = 10, .output_tok = 1};
    cr_assert_eq(router_choose(storm.router, &request), 0u);
    set_there(&storm, 0, false);
    router_release(storm.router, 0, 10, 1);
    for (uint32_t i = 1; i < REPLICAS; i++)
        set_there(&storm, i, false);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(router_choose(storm.router, &request), ROUTER_NO_REPLICA);
    set_there(&storm, 1, true);
    set_there(&storm, 1, true);
    cr_assert_eq(router_choose(storm.router, &request), 1u);
    router_release(storm.router, 1, 10, 1);
    end_storm(&storm);
}

/* --- pools --- */

/* Ten requests of class x: how many go to each of pools a (0 and 1), b (2) and c (3). */
static const struct router_pool abc[] = {{.name = "a",
                                          .first_replica = 0,
                                          .replicas = 2,
                                          .weight = 1,
                                          .kv_tok = 1000,
                                          .max_sequences = 8,
                                          .speed = {0.01, 0, 0, 1e-4}},
                                         {.name = "b",
                                          .first_replica = 2,
                                          .replicas = 1,
                                          .weight = 1,
                                          .kv_tok = 1000,
                                          .max_sequences = 8,
                                          .speed = {0.01, 0, 0, 1e-4}},
                                         {.name = "c",
                                          .first_replica = 3,
                                          .replicas = 1,
                                          .weight = 1,
                                          .kv_tok = 5000,
                                          .max_sequences = 8,
                                          .speed = {0.01, 0, 0, 1e-4}}};
static const struct router_fleet abc_fleet = {
    .pools = abc, .pool_count = 3, .class_names = class_names, .class_count = CLASSES, .seed = 1};

static void expect_dealt(struct router *router, double now_s, int a, int b, int c)
{
    int counts[3] = {0};
    for (int i = 0; i < a + b + c; i++) {
        struct router_request request = {
            .now = tick_from_s(now_s), .prompt_tok = 10, .output_tok = 1};
        uint32_t replica = router_choose(router, &request);
        counts[replica < 2 ? 0 : replica - 1]++;
        router_release(router, replica, 10, 1);
    }
    cr_expect(counts[0] == a && counts[1] == b && counts[2] == c,
              "%d, %d, %d instead of %d, %d, %d", counts[0], counts[1], counts[2], a, b, c);
}

Test(router_availability, shares_keep_their_proportions)
{
    struct router_share abc_shares[] = {{"x", "a", 6}, {"x", "b", 3}, {"x", "c", 1}, {"y", "b", 1}};
    struct router_weighted_config config = {{.items = abc_shares, .count = 4}, 0};
    struct router *router = make_router("weighted", &config, &abc_fleet);
    expect_dealt(router, 0, 6, 3, 1);
    router_set_available(router, 0, false);
    expect_dealt(router, 0, 6, 3, 1); /* the share is the pool's, however many it has */
    router_set_available(router, 1, false);
    expect_dealt(router, 0, 0, 9, 3);
    router_set_available(router, 1, true);
    expect_dealt(router, 0, 6, 3, 1);
    router_destroy(router);
}

/* By replicas, of those who are there. */
Test(router_availability, a_class_that_lost_its_pools_goes_by_replicas)
{
    struct router_share abc_shares[] = {{"x", "b", 1}};
    struct router_weighted_config config = {{.items = abc_shares, .count = 1}, 0};
    struct router *router = make_router("weighted", &config, &abc_fleet);
    expect_dealt(router, 0, 0, 10, 0);
    router_set_available(router, 2, false);
    expect_dealt(router, 0, 8, 0, 4);
    router_set_available(router, 0, false);
    expect_dealt(router, 0, 6, 0, 6);
    router_set_available(router, 2, true);
    expect_dealt(router, 0, 0, 10, 0);
    router_destroy(router);
}

/* c has nothing until the plan after it comes. */
Test(router_availability, a_plan_is_of_those_who_are_there)
{
    struct router_replanned_config config = {10, 0};
    struct router *router = make_router("replanned", &config, &abc_fleet);
    router_set_available(router, 0, false);
    expect_dealt(router, 1, 4, 4, 4);
    router_set_available(router, 3, false);
    expect_dealt(router, 1, 6, 6, 0);
    expect_dealt(router, 11, 6, 6, 0);
    router_set_available(router, 3, true);
    expect_dealt(router, 12, 6, 6, 0);
    expect_dealt(router, 21, 4, 4, 4);
    router_set_available(router, 0, true);
    expect_dealt(router, 31, 8, 4, 4);
    router_destroy(router);
}

static uint32_t choose_long(struct router *router, uint32_t prompt_tok)
{
    struct router_request request = {.prompt_tok = prompt_tok, .output_tok = 1};
    uint32_t replica = router_choose(router, &request);
    if (replica != ROUTER_NO_REPLICA)
        router_release(router, replica, prompt_tok, 1);
    return replica;
}

/* Up to 100 tokens to a, up to 500 to b, others to c; a and b hold 1,000, c holds 5,000. */
Test(router_availability, lengths_go_up_first_and_down_where_they_fit)
{
    struct router_length_rule three[] = {{100, "a"}, {500, "b"}, {INT64_MIN, "c"}};
    struct router_length_config config = {LENGTH_PROMPT, {.items = three, .count = 3}, NAN, 0};
    struct router *router = make_router("by_length", &config, &abc_fleet);
    router_set_available(router, 0, false);
    cr_expect_eq(choose_long(router, 50), 1u, "the pool's other replica");
    router_set_available(router, 1, false);
    cr_expect_eq(choose_long(router, 50), 2u);
    router_set_available(router, 2, false);
    cr_expect_eq(choose_long(router, 50), 3u);
    router_set_available(router, 2, true);
    router_set_available(router, 1, true);
    router_set_available(router, 3, false);
    cr_expect_eq(choose_long(router, 600), 2u, "the longest of those that are shorter");
    cr_expect_eq(choose_long(router, 1000), ROUTER_NO_REPLICA, "it fits nowhere: it waits for c");
    router_set_available(router, 2, false);
    cr_expect_eq(choose_long(router, 600), 1u);
    cr_expect_eq(choose_long(router, 400), 1u);
    router_set_available(router, 3, true);
    cr_expect_eq(choose_long(router, 1000), 3u);
    router_destroy(router);
}

/* The pool that is away has a price, but gets no part: c is three times as fast as b. */
Test(router_availability, a_plan_without_the_first_pool)
{
    struct router_pool pools[] = {abc[0], abc[1], abc[2]};
    pools[2].speed = (struct router_speed){0.01 / 3, 0, 0, 1e-4 / 3};
    struct router_fleet fleet = abc_fleet;
    fleet.pools = pools;
    struct router_replanned_config config = {10, 0};
    struct router *router = make_router("replanned", &config, &fleet);
    router_set_available(router, 0, false);
    router_set_available(router, 1, false);
    expect_dealt(router, 1, 0, 50, 50);
    expect_dealt(router, 11, 0, 25, 75);
    router_destroy(router);
}

/* --- prefixes --- */

enum { BLOCK_TOK = 100 };

static uint32_t choose_blocks(struct router *router, uint64_t first, double now_s)
{
    uint64_t ids[] = {first, first + 1, first + 2, first + 3};
    struct router_request request = {.now = tick_from_s(now_s),
                                     .prompt_tok = 4 * BLOCK_TOK,
                                     .output_tok = 1,
                                     .block_tok = BLOCK_TOK,
                                     .id_count = 4,
                                     .ids = ids};
    uint32_t replica = router_choose(router, &request);
    router_release(router, replica, 4 * BLOCK_TOK, 1);
    return replica;
}

static struct scoring_sglang longest_match = {0.3, 1000, 1.5};

/* SGLang's rule: to who has the longest match, or else to who has least. */
Test(router_availability, what_was_sent_to_who_is_away_is_forgotten)
{
    struct router_prefix_config config = {
        {.index = index_of(router_scorings, "sglang"), .value = &longest_match},
        NAN,
        INT64_MIN,
        INT64_MIN};
    struct router *router = make_router("prefix_affinity", &config, &abc_fleet);
    uint32_t home = choose_blocks(router, 100, 0);
    cr_assert_eq(choose_blocks(router, 100, 1), home);
    router_set_available(router, home, false);
    uint32_t other = choose_blocks(router, 100, 2);
    cr_expect_neq(other, home);
    router_set_available(router, home, true);
    cr_expect_eq(choose_blocks(router, 100, 3), other, "it is where it was sent since");
    for (uint32_t i = 0; i < 4; i++)
        router_set_available(router, i, i == home);
    cr_expect_eq(choose_blocks(router, 100, 4), home);
    for (uint32_t i = 0; i < 4; i++)
        router_set_available(router, i, true);
    cr_expect_eq(choose_blocks(router, 100, 5), home, "it is known there again");
    router_destroy(router);
}

static void store_blocks(struct router *router, uint32_t replica, uint64_t first, double now_s)
{
    for (uint64_t id = first; id < first + 4; id++)
        router_stored(router, replica, id, tick_from_s(now_s));
}

/* How many of 100 like prompts go to the replica. */
static int share_of(struct router *router, uint32_t replica, uint64_t first, double now_s)
{
    int count = 0;
    for (int i = 0; i < 100; i++)
        count += choose_blocks(router, first, now_s) == replica;
    return count;
}

Test(router_availability, what_caches_told_goes_with_them)
{
    struct router_kv_config config = {
        {.index = index_of(router_scorings, "sglang"), .value = &longest_match}, 0, 0.5};
    struct router *router = make_router("kv_aware", &config, &abc_fleet);
    store_blocks(router, 2, 100, 0);
    cr_assert_eq(share_of(router, 2, 100, 1), 100);
    store_blocks(router, 2, 200, 1); /* not seen yet */
    router_set_available(router, 2, false);
    store_blocks(router, 2, 300, 1.1); /* told while it is away */
    cr_expect_eq(share_of(router, 2, 100, 2), 0);
    router_set_available(router, 2, true);
    for (uint64_t first = 100; first <= 300; first += 100)
        cr_expect_lt(share_of(router, 2, first, 3), 50);
    store_blocks(router, 2, 400, 3);
    cr_expect_eq(share_of(router, 2, 400, 4), 100);
    router_destroy(router);
}

/* Dynamo's rule, by loads that are looked at each second. Replica 0 computes prompts for an hour;
 * once it is back it is idle, also when it is looked at. */
Test(router_availability, who_is_back_is_idle)
{
    static struct scoring_dynamo dynamo = {1, 0};
    struct router_kv_config config = {
        {.index = index_of(router_scorings, "dynamo"), .value = &dynamo}, 1, 0};
    struct router *router = make_router("kv_aware", &config, &abc_fleet);
    for (uint32_t i = 1; i < 4; i++)
        router_set_available(router, i, false);
    cr_assert_eq(choose_long(router, 36000000), 0u);
    for (uint32_t i = 1; i < 4; i++)
        router_set_available(router, i, true);
    cr_expect_eq(share_of(router, 0, 100, 1), 0);
    router_set_available(router, 0, false);
    router_set_available(router, 0, true);
    cr_expect_gt(share_of(router, 0, 100, 1.5), 10, "before the next look");
    cr_expect_gt(share_of(router, 0, 100, 2), 10, "after it");
    router_destroy(router);
}
