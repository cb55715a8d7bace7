/* Prefill and decode apart: answers by hand. An iteration takes 10 ms, and 1 ms more for each
 * prompt token; a token of KV cache has 256 bytes, and links carry 25.6 kB/s: 10 ms a token. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/fleet/simulation.h"
#include "sim/arena.h"
#include "tests/models/arrivals.h"
#include "tests/models/plane_support.h"

enum { RECORDS_MAX = 32, POOLS_MAX = 3 };

static const struct llm tiny = {
    .name = "tiny", .layers = 4, .hidden = 64, .heads = 4, .kv_heads = 2, .head_dim = 8};

static const struct gpu toy = {.name = "toy",
                               .gpus_per_node = 1,
                               .nics_per_node = 1,
                               .link_gb_s = 256e-6,
                               .node_link_gb_s = 25.6e-6,
                               .pcie_gb_s = 1};

struct world {
    struct engine_config engines[POOLS_MAX];
    struct pool_spec pools[POOLS_MAX];
    size_t pool_count;
    struct disaggregation_config config;
    struct steptime *steptime;
    double horizon_s;
    const struct client_rule *clients;  /* NULL: they wait */
    const struct elastic_spec *elastic; /* NULL: all replicas exist always */
    struct request_record records[RECORDS_MAX];
    uint32_t ended;
    struct simulation_result result;
};

static void keep(void *context, const struct request_record *record)
{
    struct world *world = context;
    cr_assert_lt(world->ended, RECORDS_MAX);
    world->records[world->ended++] = *record;
}

static void add_pool(struct world *world, const char *name, enum pool_role role, uint32_t replicas,
                     int64_t kv_blocks)
{
    size_t index = world->pool_count++;
    world->engines[index] = (struct engine_config){.steptime = world->steptime,
                                                   .max_sequences = 8,
                                                   .max_batch_tokens = 1000,
                                                   .block_tok = 1,
                                                   .kv_blocks = kv_blocks,
                                                   .max_model_tok = 1000,
                                                   .chunked_prefill = true};
    world->pools[index] = (struct pool_spec){
        .name = name,
        .engine = &world->engines[index],
        .replicas = replicas,
        .weight = 1,
        .role = role,
        .port = {.gpu = &toy, .llm = &tiny, .tensor_parallel = 1, .pipeline_parallel = 1}};
}

/* Pools are in place: worlds are not copied. */
static void make_world(struct world *world)
{
    struct steptime_given time = {.base_s = 0.01, .per_prefill_token_s = 0.001};
    *world = (struct world){.steptime = steptime_compile_given(&time, 8, 1000, 100000, NULL),
                            .horizon_s = INFINITY,
                            .config = {.first_token = FIRST_TOKEN_PREFILL,
                                       .transfer = {.gb_s = NAN,
                                                    .node_gb_s = NAN,
                                                    .latency_s = NAN,
                                                    .efficiency = 1,
                                                    .share_nodes = true}}};
    cr_assert_not_null(world->steptime);
}

static void simulate(struct world *world, const struct arrival *arrivals, size_t count)
{
    static const struct class_rule all = CLASS_RULE_ALL("all");
    static const struct router_config first_come = {.policy = {.index = 0}};
    struct list_source list = LIST_SOURCE(arrivals, count);
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = world->pools,
                                   .pool_count = world->pool_count,
                                   .router = &first_come,
                                   .disaggregation = &world->config,
                                   .clients = world->clients,
                                   .elastic = world->elastic,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = world->horizon_s,
                                   .observer = {.context = world, .request = keep}};
    struct error error = {0};
    cr_assert(simulation_run(&spec, &world->result, &error), "%s", error.message);
    const struct simulation_result *result = &world->result;
    cr_assert_eq(result->arrived,
                 result->completed + result->rejected + result->cancelled + result->in_flight);
}

static void end_world(struct world *world)
{
    simulation_result_free(&world->result);
    steptime_destroy(world->steptime);
}

static const struct arrival one[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 3}};

/* Prompt until 30 ms, 200 ms on the way, then two tokens. */
Test(disaggregation, one_request_by_hand)
{
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate(&world, one, 1);
    cr_expect_float_eq(world.records[0].ttft_s, 0.03, 1e-9);
    cr_expect_float_eq(world.records[0].e2e_s, 0.25, 1e-9);
    cr_expect_float_eq(world.records[0].tpot_s, 0.11, 1e-9);
    cr_expect_eq(world.records[0].pool, 1);
    cr_expect_eq(world.records[0].prefill_pool, 0);
    cr_expect_float_eq(world.records[0].handover_s, 0.2, 1e-9);
    cr_expect_eq(world.result.pools[0].handed_out, 1);
    cr_expect_eq(world.result.pools[1].handed_in, 1);
    cr_expect_eq(world.result.pools[0].arrived, 1);
    cr_expect_eq(world.result.pools[1].completed, 1);
    cr_expect_float_eq(world.result.transfers->bytes, 20 * 256, 1e-9);
    cr_expect_float_eq(tick_to_s(world.result.transfers->transfer.max), 0.2, 1e-9);
    cr_expect_float_eq(tick_to_s(world.result.transfers->memory_wait.max), 0, 1e-9);
    end_world(&world);
}

Test(disaggregation, the_decode_side_may_send_the_first_token)
{
    struct world world;
    make_world(&world);
    world.config.first_token = FIRST_TOKEN_DECODE;
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate(&world, one, 1);
    cr_expect_float_eq(world.records[0].ttft_s, 0.23, 1e-9);
    cr_expect_float_eq(world.records[0].tpot_s, 0.01, 1e-9);
    cr_expect_float_eq(world.records[0].e2e_s, 0.25, 1e-9);
    end_world(&world);
}

/* Three of four layers would take 150 ms from the prompt's begin at 0: the prompt ends at 30 ms, so
 * they are there at 150 ms, and the fourth at 200 ms. */
Test(disaggregation, layers_flow_while_the_prompt_is_computed)
{
    struct world world;
    make_world(&world);
    world.config.transfer.mode = TRANSFER_LAYERWISE;
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate(&world, one, 1);
    cr_expect_float_eq(world.records[0].ttft_s, 0.03, 1e-9);
    cr_expect_float_eq(world.records[0].e2e_s, 0.22, 1e-9);
    cr_expect_float_eq(tick_to_s(world.result.transfers->visible.max), 0.17, 1e-9);
    cr_expect_float_eq(world.result.transfers->bytes, 20 * 256, 1e-9);
    end_world(&world);
}

/* Ten times faster links: three layers in 15 ms of the prompt's 30, the last in 5 ms after it. */
Test(disaggregation, the_last_layer_comes_after_the_prompt)
{
    struct world world;
    make_world(&world);
    world.config.transfer.mode = TRANSFER_LAYERWISE;
    world.config.transfer.gb_s = world.config.transfer.node_gb_s = 256e-6;
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate(&world, one, 1);
    cr_expect_float_eq(tick_to_s(world.result.transfers->visible.max), 0.005, 1e-9);
    end_world(&world);
}

static const struct arrival two[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                     {.time_s = 0, .prompt_tok = 20, .output_tok = 3}};

/* Both prompts end at 50 ms, on two replicas of one node or on one: its card is theirs together. */
Test(disaggregation, transfers_of_a_node_share_its_card)
{
    struct world world;
    struct gpu pair = toy;
    pair.gpus_per_node = 2;
    pair.node_link_gb_s = toy.node_link_gb_s / 2; /* the card is as fast as before */
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 2, 100);
    add_pool(&world, "d", ROLE_DECODE, 2, 100);
    world.pools[0].port.gpu = &pair;
    simulate(&world, two, 2);
    for (int i = 0; i < 2; i++) /* prompts end at 30 ms */
        cr_expect_float_eq(world.records[i].e2e_s, 0.03 + 0.4 + 0.02, 1e-9);
    cr_expect_float_eq(tick_to_s(world.result.transfers->link_wait.max), 0.2, 1e-9);
    end_world(&world);
}

/* On nodes of their own nothing is shared. */
Test(disaggregation, transfers_of_two_nodes_do_not)
{
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 2, 100);
    add_pool(&world, "d", ROLE_DECODE, 2, 100);
    simulate(&world, two, 2);
    for (int i = 0; i < 2; i++)
        cr_expect_float_eq(world.records[i].e2e_s, 0.03 + 0.2 + 0.02, 1e-9);
    cr_expect_eq(world.result.transfers->link_wait.max, 0);
    end_world(&world);
}

/* Within a node the cache takes the node's own links, ten times as fast. */
Test(disaggregation, pools_with_the_same_gpu_share_nodes)
{
    struct world world;
    struct gpu pair = toy;
    pair.gpus_per_node = 2;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    world.pools[0].port.gpu = world.pools[1].port.gpu = &pair;
    simulate(&world, one, 1);
    cr_expect_float_eq(world.records[0].e2e_s, 0.03 + 0.02 + 0.02, 1e-9);
    end_world(&world);
}

/* Two GPUs hold one of the two KV heads each; a card serves each: twice the rate, if the other side
 * has it, too. */
Test(disaggregation, the_side_with_less_tensor_parallelism_bounds)
{
    const struct gpu rails = {.name = "rails",
                              .gpus_per_node = 4,
                              .nics_per_node = INT64_MIN,
                              .link_gb_s = 1,
                              .node_link_gb_s = 25.6e-6,
                              .pcie_gb_s = 1};
    const double expected_s[] = {0.2, 0.1, 0.1}; /* decode side of 1, 2 and 4 GPUs */
    for (int i = 0; i < 3; i++) {
        struct world world;
        make_world(&world);
        world.config.transfer.share_nodes = false;
        add_pool(&world, "p", ROLE_PREFILL, 1, 100);
        add_pool(&world, "d", ROLE_DECODE, 1, 100);
        world.pools[0].port.gpu = world.pools[1].port.gpu = &rails;
        world.pools[0].port.tensor_parallel = 2;
        world.pools[1].port.tensor_parallel = 1 << i;
        simulate(&world, one, 1);
        cr_expect_float_eq(tick_to_s(world.result.transfers->transfer.max), expected_s[i], 1e-9);
        end_world(&world);
    }
}

/* What a scenario says of links takes the place of what the GPUs have. */
Test(disaggregation, links_may_be_told_otherwise)
{
    const struct {
        struct transfer_config transfer;
        double expected_s;
    } cases[] = {
        {{.gb_s = 51.2e-6, .node_gb_s = 1, .latency_s = NAN, .efficiency = 1}, 0.1},
        {{.gb_s = NAN, .node_gb_s = 12.8e-6, .latency_s = NAN, .efficiency = 1}, 0.4},
        {{.gb_s = NAN, .node_gb_s = NAN, .latency_s = 0.05, .efficiency = 1}, 0.25},
        {{.gb_s = NAN, .node_gb_s = NAN, .latency_s = NAN, .efficiency = 0.5}, 0.4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        make_world(&world);
        world.config.transfer = cases[i].transfer;
        add_pool(&world, "p", ROLE_PREFILL, 1, 100);
        add_pool(&world, "d", ROLE_DECODE, 1, 100);
        simulate(&world, one, 1);
        cr_expect_float_eq(tick_to_s(world.result.transfers->transfer.max), cases[i].expected_s,
                           1e-9);
        end_world(&world);
    }
}

/* A replica of eight GPUs has two nodes of four, and all their cards; with two KV heads only two of
 * its GPUs' parts differ. */
Test(disaggregation, a_replica_may_be_larger_than_a_node)
{
    const struct gpu rails = {.name = "rails",
                              .gpus_per_node = 4,
                              .nics_per_node = 1,
                              .link_gb_s = 1,
                              .node_link_gb_s = 6.4e-6,
                              .pcie_gb_s = 1};
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 2, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    world.pools[0].port.gpu = world.pools[1].port.gpu = &rails;
    world.pools[0].port.tensor_parallel = world.pools[1].port.tensor_parallel = 8;
    simulate(&world, two, 2);
    /* Both at once over the two cards of the decode side, each of 25.6 kB/s. */
    for (int i = 0; i < 2; i++)
        cr_expect_float_eq(world.records[i].e2e_s, 0.03 + 0.2 + 0.02, 1e-9);
    cr_expect_float_eq(tick_to_s(world.result.transfers->link_wait.max), 0.1, 1e-9);
    end_world(&world);
}

/* The decode side has room for one: the second waits and holds its blocks until the first has
 * ended. The third finds the prefill side full until the first's cache has gone. */
Test(disaggregation, who_finds_no_room_waits_and_holds_its_blocks)
{
    const struct arrival three[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                    {.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                    {.time_s = 0.1, .prompt_tok = 20, .output_tok = 3}};
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 39 + 1);
    add_pool(&world, "d", ROLE_DECODE, 1, 22);
    simulate(&world, three, 3);
    cr_assert_eq(world.ended, 3);
    /* Prompts end at 50 ms. The first is let in, and here at 250 ms. */
    cr_expect_float_eq(world.records[0].e2e_s, 0.27, 1e-9);
    /* The second is let in at 270 ms, here at 470 ms. */
    cr_expect_float_eq(world.records[1].e2e_s, 0.49, 1e-9);
    cr_expect_float_eq(tick_to_s(world.result.transfers->memory_wait.max), 0.22, 1e-9);
    /* The third begins at 250 ms, has its prompt at 280 ms, is let in at 490 ms. */
    cr_expect_float_eq(world.records[2].queue_s, 0.15, 1e-9);
    cr_expect_float_eq(world.records[2].e2e_s, 0.71 - 0.1, 1e-9);
    end_world(&world);
}

Test(disaggregation, who_never_fits_is_refused_at_once)
{
    const struct arrival long_answer[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 50}};
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 60);
    simulate(&world, long_answer, 1);
    cr_expect_eq(world.result.rejected, 1);
    cr_expect_eq(world.result.pools[0].rejected, 1);
    cr_expect_eq(world.result.pools[0].prefill_tok, 0);
    end_world(&world);
}

Test(disaggregation, one_token_needs_no_decode_side)
{
    const struct arrival single[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 1}};
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate(&world, single, 1);
    cr_expect_float_eq(world.records[0].e2e_s, 0.03, 1e-9);
    cr_expect_eq(world.result.pools[0].completed, 1);
    cr_expect_eq(world.result.transfers->transfers, 0);
    end_world(&world);
}

/* --- deciders --- */

/* Short, long, long, long. */
static const struct arrival lengths[] = {{.time_s = 0, .prompt_tok = 10, .output_tok = 2},
                                         {.time_s = 0, .prompt_tok = 50, .output_tok = 2},
                                         {.time_s = 0.001, .prompt_tok = 50, .output_tok = 2},
                                         {.time_s = 0.002, .prompt_tok = 50, .output_tok = 2}};

static uint64_t handed_by(struct config_variant decider)
{
    struct world world;
    make_world(&world);
    world.config.decider = decider;
    add_pool(&world, "p", ROLE_PREFILL, 1, 500);
    add_pool(&world, "d", ROLE_DECODE, 1, 500);
    simulate(&world, lengths, 4);
    cr_assert_eq(world.result.completed, 4);
    uint64_t handed = world.result.pools[0].handed_out;
    cr_assert_eq(world.result.transfers->local, 4 - handed);
    end_world(&world);
    return handed;
}

Test(disaggregation, deciders)
{
    struct decide_by_length length = {.above_tok = 10};
    struct decide_by_load load = {.above_tok = 10, .max_waiting = 1};
    cr_expect_eq(handed_by((struct config_variant){DECIDE_ALWAYS, NULL}), 4);
    cr_expect_eq(handed_by((struct config_variant){DECIDE_NEVER, NULL}), 0);
    cr_expect_eq(handed_by((struct config_variant){DECIDE_PROMPT_LENGTH, &length}), 3);
    /* The first runs, the second waits, and so the third stays. */
    cr_expect_eq(handed_by((struct config_variant){DECIDE_LOAD_AWARE, &load}), 2);
}

Test(disaggregation, mixed_pools_take_what_prefill_pools_send)
{
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "m", ROLE_MIXED, 1, 100);
    simulate(&world, two, 2);
    cr_expect_eq(world.result.pools[1].handed_in, 2);
    end_world(&world);
}

/* --- clients that give up --- */

/* Whatever is under way when the client hangs up, all memory is free again for the next request,
 * which takes as long as if it were alone. */
Test(disaggregation, who_hangs_up_leaves_nothing_behind)
{
    const struct arrival pair[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                   {.time_s = 1, .prompt_tok = 20, .output_tok = 3}};
    for (int mode = TRANSFER_WHOLE; mode <= TRANSFER_LAYERWISE; mode++)
        for (int step = 1; step < 50; step++) {
            const struct client_settings impatient = {.ttft_timeout_s = NAN,
                                                      .e2e_timeout_s = 0.005 * step + 1e-4,
                                                      .cancel_on_timeout = true};
            const struct client_rule rule = {.settings = &impatient, .shed_after_s = INFINITY};
            struct world world;
            make_world(&world);
            world.clients = &rule;
            world.config.transfer.mode = mode;
            add_pool(&world, "p", ROLE_PREFILL, 1, 22);
            add_pool(&world, "d", ROLE_DECODE, 1, 22);
            simulate(&world, pair, 2);
            bool patient = world.result.completed == 2;
            cr_assert_eq(patient, 0.005 * step > (mode == TRANSFER_WHOLE ? 0.25 : 0.22) - 1e-3);
            cr_assert(patient || world.result.clients->timed_out == 2);
            cr_assert_eq(world.result.in_flight, 0);
            end_world(&world);
        }
}

/* --- replicas that come and go --- */

/* Pools whose only replica comes after so many seconds, or lives for so many; "": as always. */
static void simulate_elastic(struct world *world, const char *prefill, const char *decode,
                             const struct arrival *arrivals, size_t count)
{
    static const char *const tenants[] = {"all"}, *const market_name = "zone";
    static const uint32_t first_market = 0;
    static const struct usage_market usage = {.name = "zone", .sku = "node"};
    const char *const settings[] = {prefill, decode};
    struct arena *arena = arena_create();
    struct elastic_pool_spec pools[2];
    for (int i = 0; i < 2; i++)
        pools[i] = (struct elastic_pool_spec){
            .settings = settings[i][0] ? test_elastic_settings(arena, settings[i]) : NULL,
            .initial = strstr(settings[i], "boot") ? 0 : 1,
            .replicas_per_node = 1,
            .instances_per_node = 1,
            .gpus_per_node = 1,
            .markets = &first_market,
            .market_names = &market_name,
            .market_count = strstr(settings[i], "zone") ? 1 : 0,
            .usage = {.name = world->pools[i].name, .sku = "node"},
            .start_up = {.gpus_per_replica = 1, .replicas_per_node = 1, .instances_per_node = 1}};
    struct elastic_spec spec = {
        .pools = pools,
        .markets = test_markets(arena, "{'markets': [{'name': 'zone', 'max_lifetime_s': 0.1,"
                                       " 'notice_s': 0, 'on_demand_usd_per_hour': 1}]}"),
        .market_count = 1,
        .market_usage = &usage,
        .budget_usd_per_hour = INFINITY,
        .tenants = tenants};
    world->elastic = &spec;
    simulate(world, arrivals, count);
    world->elastic = NULL;
    arena_destroy(arena);
}

#define COMES_AFTER(seconds)                                                                       \
    "{'min_replicas': 1, 'max_replicas': 1, 'start_up': {'kind': 'instant', "                      \
    "'boot': {'kind': 'constant', 's': " seconds "}}}"

/* The prompt is complete after 30 ms and waits for 970; then 200 ms on the way, and two tokens. */
Test(disaggregation, a_complete_cache_waits_for_a_decode_replica)
{
    for (int mode = TRANSFER_WHOLE; mode <= TRANSFER_LAYERWISE; mode++) {
        struct world world;
        make_world(&world);
        world.config.transfer.mode = mode;
        add_pool(&world, "p", ROLE_PREFILL, 1, 100);
        add_pool(&world, "d", ROLE_DECODE, 1, 100);
        simulate_elastic(&world, "", COMES_AFTER("1"), one, 1);
        cr_expect_float_eq(world.records[0].ttft_s, 0.03, 1e-9);
        cr_expect_float_eq(world.records[0].e2e_s, 1.22, 1e-9);
        cr_expect_float_eq(tick_to_s(world.result.transfers->memory_wait.max), 0.97, 1e-9);
        cr_expect_eq(world.result.elastic->requests.held, 0);
        end_world(&world);
    }
}

/* It holds its blocks meanwhile: a third prompt waits until they are given back. */
Test(disaggregation, who_waits_for_a_decode_replica_holds_its_blocks)
{
    const struct arrival three[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                    {.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                    {.time_s = 0.1, .prompt_tok = 20, .output_tok = 3}};
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 40);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate_elastic(&world, "", COMES_AFTER("1"), three, 3);
    cr_assert_eq(world.ended, 3);
    for (int i = 0; i < 2; i++) /* both caches share the card */
        cr_expect_float_eq(world.records[i].e2e_s, 1 + 0.4 + 0.02, 1e-9);
    cr_expect_float_eq(world.records[2].queue_s, 1.4 - 0.1, 1e-9);
    end_world(&world);
}

Test(disaggregation, who_finds_no_prefill_replica_waits_at_the_gateway)
{
    struct world world;
    make_world(&world);
    add_pool(&world, "p", ROLE_PREFILL, 1, 100);
    add_pool(&world, "d", ROLE_DECODE, 1, 100);
    simulate_elastic(&world, COMES_AFTER("1"), "", one, 1);
    cr_expect_float_eq(world.records[0].e2e_s, 1.25, 1e-9);
    cr_expect_eq(world.result.elastic->requests.held, 1);
    end_world(&world);
}

#define LIVES_100_MS                                                                               \
    "{'min_replicas': 1, 'max_replicas': 1, 'start_up': {'kind': 'instant'}, "                     \
    "'markets': ['zone'], 'purchase': {'spot_percent_above_base': 100}}"

/* The prompt is complete after 30 ms, and half of its cache is still on the way after 100, when
 * either side is taken away; a new machine is there at once. The first token has been seen: prompt
 * and token are computed once more on the decode side, which takes 31 ms and emits the second
 * token, and the third comes 10 ms later. Nobody holds blocks any more: the next prompt needs all.
 */
Test(disaggregation, a_cache_that_is_lost_on_the_way_is_computed_once_more)
{
    const struct arrival pair[] = {{.time_s = 0, .prompt_tok = 20, .output_tok = 3},
                                   {.time_s = 0.1, .prompt_tok = 20, .output_tok = 1}};
    for (int mode = TRANSFER_WHOLE; mode <= TRANSFER_LAYERWISE; mode++)
        for (int side = 0; side < 2; side++) {
            struct world world;
            make_world(&world);
            world.config.transfer.mode = mode;
            add_pool(&world, "p", ROLE_PREFILL, 1, 22);
            add_pool(&world, "d", ROLE_DECODE, 1, 100);
            simulate_elastic(&world, side == 0 ? LIVES_100_MS : "", side == 1 ? LIVES_100_MS : "",
                             pair, 2);
            cr_assert_eq(world.ended, 2);
            cr_expect_float_eq(world.records[0].e2e_s, 0.03, 1e-8, "%g", world.records[0].e2e_s);
            cr_expect_float_eq(world.records[1].ttft_s, 0.03, 1e-8);
            cr_expect_float_eq(world.records[1].e2e_s, 0.141, 1e-8, "%g", world.records[1].e2e_s);
            cr_expect_eq(world.result.elastic->requests.moved, side == 0 ? 2 : 1);
            cr_expect_eq(world.result.transfers->transfers, 0);
            end_world(&world);
        }
}

/* --- the horizon --- */

/* Wherever they are when it comes, requests are in flight once. */
Test(disaggregation, requests_are_counted_once_at_any_moment)
{
    for (int mode = TRANSFER_WHOLE; mode <= TRANSFER_LAYERWISE; mode++)
        for (int step = 1; step < 80; step++) {
            struct world world;
            make_world(&world);
            world.config.transfer.mode = mode;
            world.horizon_s = 0.005 * step + 1e-4;
            add_pool(&world, "p", ROLE_PREFILL, 1, 30);
            add_pool(&world, "d", ROLE_DECODE, 1, 30);
            simulate(&world, two, 2);
            cr_assert_eq(world.result.arrived, 2);
            end_world(&world);
        }
}

/* --- Splitwise's mixed pool --- */

static void make_lending_world(struct world *world, struct mixed_pool_config *config, int64_t kv)
{
    make_world(world);
    world->config.mixed_pool = config;
    add_pool(world, "p", ROLE_PREFILL, 1, kv);
    add_pool(world, "d", ROLE_DECODE, 1, kv);
}

/* The third finds the prompt machine's queue long (the second waits there): the token machine
 * computes its prompt, and emits its tokens. */
Test(disaggregation, a_long_queue_lends_a_token_machine)
{
    const struct arrival three[] = {{.time_s = 0, .prompt_tok = 50, .output_tok = 2},
                                    {.time_s = 0.01, .prompt_tok = 50, .output_tok = 2},
                                    {.time_s = 0.02, .prompt_tok = 50, .output_tok = 2}};
    struct world world;
    struct mixed_pool_config config = {.prompt_queue_tok = 100};
    make_lending_world(&world, &config, 500);
    simulate(&world, three, 3);
    cr_expect_eq(world.result.transfers->lent, 1);
    cr_expect_eq(world.result.pools[0].handed_out, 2);
    cr_expect_eq(world.result.transfers->local, 1);
    cr_expect_eq(world.result.completed, 3);
    end_world(&world);
}

/* The second's tokens would pass the token machine's memory: the prompt machine keeps them. The
 * third comes when all is over, and finds both machines at home. */
Test(disaggregation, full_memory_lends_a_prompt_machine_which_goes_back)
{
    const struct arrival three[] = {{.time_s = 0, .prompt_tok = 50, .output_tok = 2},
                                    {.time_s = 0, .prompt_tok = 50, .output_tok = 2},
                                    {.time_s = 9, .prompt_tok = 50, .output_tok = 2}};
    struct world world;
    struct mixed_pool_config config = {.prompt_queue_tok = 1000};
    make_lending_world(&world, &config, 104);
    simulate(&world, three, 3);
    cr_expect_eq(world.result.transfers->lent, 1);
    cr_expect_eq(world.result.pools[0].handed_out, 2);
    cr_expect_eq(world.result.pools[0].completed, 1);
    end_world(&world);
}

/* A's prompt is on the prompt machine, its tokens are promised room on the token machine; C's
 * prompt waits for the first. B's prompt goes to the token machine, and its tokens, for which that
 * one has promised too much, to the prompt machine. Each prompt then holds the memory that the
 * other waits for. */
Test(disaggregation, a_circle_of_waiting_is_broken)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 60, .output_tok = 20},
                                       {.time_s = 0.001, .prompt_tok = 15, .output_tok = 1},
                                       {.time_s = 0.002, .prompt_tok = 60, .output_tok = 20}};
    struct world world;
    struct mixed_pool_config config = {.prompt_queue_tok = 10};
    make_lending_world(&world, &config, 100);
    simulate(&world, arrivals, 3);
    cr_expect_eq(world.result.completed, 3);
    cr_expect_eq(world.result.transfers->recomputed, 1);
    end_world(&world);
}

/* --- what does not fit together --- */

static void expect_refused(const struct pool_part *pools, size_t count, const char *pointer)
{
    struct arena *arena = arena_create();
    struct error error = {0};
    cr_assert_not(disaggregation_check(disaggregation_defaults(arena), pools, count, &error));
    cr_expect_str_eq(error.json_path, pointer);
    cr_expect_neq(error.hint[0], '\0');
    arena_destroy(arena);
}

Test(disaggregation, pools_must_fit_together)
{
    const struct llm other = tiny;
    struct pool_part pools[] = {
        {.name = "p", .role = ROLE_PREFILL, .port = {.gpu = &toy, .llm = &tiny}},
        {.name = "d", .role = ROLE_DECODE, .port = {.gpu = &toy, .llm = &tiny}}};
    struct arena *arena = arena_create();
    cr_expect(disaggregation_wanted(pools, 2));
    cr_expect(disaggregation_check(disaggregation_defaults(arena), pools, 2, NULL));
    arena_destroy(arena);
    pools[1].port.llm = &other;
    expect_refused(pools, 2, "/pools/1");
    pools[1].port.llm = &tiny;
    pools[1].port.kv = PRECISION_FP8;
    expect_refused(pools, 2, "/pools/1");
    pools[1].port.kv = PRECISION_BF16;
    pools[0].batching = BATCHING_STATIC;
    expect_refused(pools, 2, "/pools/0");
    pools[0].batching = BATCHING_CONTINUOUS;
    pools[1].role = ROLE_PREFILL;
    expect_refused(pools, 2, "/pools/1");
    pools[0].role = pools[1].role = ROLE_DECODE;
    expect_refused(pools, 2, "/pools/1");
    pools[0].role = pools[1].role = ROLE_MIXED;
    cr_expect_not(disaggregation_wanted(pools, 2));
}
