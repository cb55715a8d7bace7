/* Energy and emissions by hand, and what the shipped facts say. */
#include <math.h>

#include "models/catalog_path.h"
#include "models/money/carbon.h"
#include "tests/models/settings_support.h"

static struct arena *arena;

static void open_all(void)
{
    arena = arena_create();
}

static void close_all(void)
{
    arena_destroy(arena);
}

TestSuite(carbon, .init = open_all, .fini = close_all);

static bool no_check(const struct carbon_settings *settings, const struct place *place,
                     struct error *error)
{
    (void)settings, (void)place, (void)error;
    return true;
}

SETTINGS_READER(read_carbon, struct carbon_settings, carbon_config_type, no_check, arena)

static struct carbon_settings settings_of(const char *text)
{
    struct carbon_settings settings;
    struct error error = {0};
    cr_assert(read_carbon(text, &settings, &error), "%s", test_error_text(&error));
    return settings;
}

static const struct carbon_facts *shipped_facts(void)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    cr_assert(folder, "%s", test_error_text(&error));
    const char *path = arena_printf(arena, "%s/carbon.json", folder);
    const struct carbon_facts *facts = carbon_facts_read(path, arena, &error);
    cr_assert(facts, "%s", test_error_text(&error));
    return facts;
}

Test(carbon, places_have_what_their_grids_have)
{
    const struct carbon_facts *facts = shipped_facts();
    const struct carbon_settings settings = settings_of("{}");
    struct carbon_site virginia = carbon_site_of(&settings, facts, "AWS", "us-east-1");
    struct carbon_site google = carbon_site_of(&settings, facts, "gcp", "US-East4");
    cr_expect_float_eq(virginia.g_per_kwh, 343.48, 1e-9);
    cr_expect_float_eq(google.g_per_kwh, virginia.g_per_kwh, 1e-9, "one grid");
    cr_expect_float_eq(virginia.pue, 1.15, 1e-9);
    cr_expect_float_eq(google.pue, 1.09, 1e-9);
    struct carbon_site nowhere = carbon_site_of(&settings, facts, "", "");
    cr_expect_str_eq(nowhere.region->region, "any");
    cr_expect_str_eq(nowhere.facility->provider, "any");
    struct carbon_site unlisted = carbon_site_of(&settings, facts, "AWS", "moon-1");
    cr_expect_str_eq(unlisted.region->region, "any");
    cr_expect_str_eq(unlisted.facility->provider, "AWS");
}

Test(carbon, settings_come_before_facts)
{
    const struct carbon_facts *facts = shipped_facts();
    struct carbon_settings settings = settings_of("{'pue': 1.3, 'g_per_kwh': 12}");
    struct carbon_site site = carbon_site_of(&settings, facts, "AWS", "us-east-1");
    cr_expect(site.pue == 1.3 && site.g_per_kwh == 12);
    cr_expect(!site.facility && !site.region);
}

Test(carbon, every_shipped_fact_is_possible_and_has_a_source)
{
    const struct carbon_facts *facts = shipped_facts();
    const struct grid_region *regions = facts->regions.items;
    cr_expect_gt(facts->regions.count, 80);
    for (size_t i = 0; i < facts->regions.count; i++) {
        /* From hydropower to lignite; recent. */
        cr_expect(regions[i].g_per_kwh > 5 && regions[i].g_per_kwh < 900, "%s", regions[i].region);
        cr_expect_geq(regions[i].year, 2023);
        cr_expect(regions[i].source[0] && regions[i].known[0]);
        for (size_t k = 0; k < i; k++)
            cr_expect(strcmp(regions[i].region, regions[k].region) != 0 ||
                          strcmp(regions[i].provider, regions[k].provider) != 0,
                      "%s is there twice", regions[i].region);
    }
}

/* One GPU of 100 W idle, 700 W busy, for an hour, half of it busy. */
Test(carbon, gpu_energy_by_hand)
{
    const struct pool_power power = {"H100-SXM", 100, 100, 700};
    cr_expect_float_eq(energy_gpu_kwh(&power, 3600, 1800), 0.4, 1e-12);
    cr_expect_float_eq(energy_gpu_kwh(&power, 3600, 0), 0.1, 1e-12);
    cr_expect_float_eq(energy_gpu_kwh(&power, 3600, 3600), 0.7, 1e-12);
}

/* A pool of two markets: nodes of 8 GPUs with 4 replicas of 2. */
static void fill(struct usage *usage)
{
    usage_init(usage, 1767571200);
    uint32_t pool = usage_add_pool(
        usage, &(struct usage_pool){.name = "h100", .model = "m", .replicas_per_node = 4});
    const struct usage_market virginia = {
        .name = "a", .provider = "AWS", .region = "us-east-1", .sku = "p5.48xlarge", .gpus = 8};
    const struct usage_market stockholm = {
        .name = "b", .provider = "AWS", .region = "eu-north-1", .sku = "p5.48xlarge", .gpus = 8};
    uint32_t markets[2] = {usage_add_market(usage, &virginia), usage_add_market(usage, &stockholm)};
    usage->end = tick_from_s(7200);
    /* 2 hours, of which one and a half serve; and an hour, of which a half serves. */
    const struct node_usage nodes[2] = {
        {.billed_from = 0,
         .ready = tick_from_s(1800),
         .drain = tick_from_s(7200),
         .end = tick_from_s(7200)},
        {.billed_from = tick_from_s(3600),
         .ready = tick_from_s(5400),
         .drain = tick_from_s(7200),
         .end = tick_from_s(7200)},
    };
    for (int i = 0; i < 2; i++) {
        struct node_usage node = nodes[i];
        node.pool = pool;
        node.market = markets[i];
        node.instances = 1;
        node.why = NODE_END_HORIZON;
        usage_add_node(usage, &node);
    }
    usage_hour(usage, pool, 0)->busy_ticks = tick_from_s(1800);
    usage_hour(usage, pool, tick_from_s(3600))->busy_ticks = tick_from_s(5400);
}

/* 24 GPU-hours at 100 W are 2.4 kWh; 2 replica-hours busy at 2 x 600 W more, 2.4 kWh too. The first
 * market had 16 GPU-hours and three quarters of the serving time: 1.6 + 1.8 kWh of GPUs, times 1.5
 * for computers and 1.15 for the building. */
Test(carbon, a_run_by_hand)
{
    struct usage usage;
    fill(&usage);
    const struct pool_power power = {"H100-SXM", 100, 200, 1400};
    struct carbon_settings settings = settings_of("{}");
    struct energy energy;
    carbon_of_usage(&settings, shipped_facts(), &usage, &power, &energy);
    cr_expect_float_eq(energy.gpu_kwh, 4.8, 1e-9);
    cr_expect_float_eq(energy.computer_kwh, 7.2, 1e-9);
    cr_expect_float_eq(energy.building_kwh, 8.28, 1e-9);
    double virginia_kwh = 3.4 * 1.5 * 1.15, stockholm_kwh = 1.4 * 1.5 * 1.15;
    cr_expect_float_eq(energy.operational_kg,
                       (virginia_kwh * 343.48 + stockholm_kwh * 19.39) / 1000, 1e-9);
    cr_expect_eq(energy.embodied_kg, 0);
    usage_free(&usage);
}

/* 24 GPU-hours of a machine that took 164 + 236 kg per GPU, over a life of 1000 days. */
Test(carbon, embodied_by_hand)
{
    struct usage usage;
    fill(&usage);
    const struct pool_power power = {"H100-SXM", 100, 200, 1400};
    struct carbon_settings settings = settings_of("{'embodied': true, 'host_kg': 236}");
    settings.lifetime_years = 1000 / 365.25;
    struct energy energy;
    carbon_of_usage(&settings, shipped_facts(), &usage, &power, &energy);
    cr_expect_float_eq(energy.embodied_kg, 0.4, 1e-9);
    usage_free(&usage);
}

Test(carbon, without_nodes_there_is_nothing_and_without_power_nothing_is_known)
{
    struct usage usage;
    struct energy energy[2];
    const struct carbon_facts *facts = shipped_facts();
    const struct carbon_settings settings = settings_of("{}");
    const struct pool_power unknown[2] = {{"X", NAN, NAN, NAN}, {"X", NAN, NAN, NAN}};
    fill(&usage);
    carbon_of_usage(&settings, facts, &usage, unknown, energy);
    cr_expect(isnan(energy[0].gpu_kwh) && isnan(energy[0].operational_kg));
    usage_free(&usage);
    usage_init(&usage, 0);
    usage_add_pool(&usage, &(struct usage_pool){.name = "a", .model = "m", .replicas_per_node = 1});
    usage_add_pool(&usage, &(struct usage_pool){.name = "b", .model = "m", .replicas_per_node = 1});
    carbon_of_usage(&settings, facts, &usage, unknown, energy);
    cr_expect(energy[0].gpu_kwh == 0 && energy[1].operational_kg == 0);
    usage_free(&usage);
}

static const struct carbon_facts *read_text(const char *text, struct error *error)
{
    char path[256];
    test_write_file("carbon.json", text, strlen(text), path, sizeof path);
    return carbon_facts_read(path, arena, error);
}

Test(carbon, facts_without_a_fallback_are_refused)
{
    struct error error = {0};
    cr_expect_null(read_text(
        "{\"regions\": [{\"provider\": \"AWS\", \"region\": \"r\", \"location\": \"l\","
        "\"g_per_kwh\": 1, \"year\": 2024, \"source\": \"s\", \"known\": \"k\"}],"
        "\"facilities\": [{\"provider\": \"any\", \"pue\": 1.1, \"as_of\": \"2024\","
        "\"source\": \"s\", \"known\": \"k\"}],"
        "\"embodied\": [{\"gpu\": \"any\", \"kg\": 1, \"source\": \"s\", \"known\": \"k\"}]}",
        &error));
    cr_expect_str_eq(error.json_path, "/regions");
    error = (struct error){0};
    cr_expect_null(read_text("{\"regions\": []}", &error));
    cr_expect_neq(error.code, ERROR_NONE);
    error = (struct error){0};
    cr_expect_null(carbon_facts_read("/nowhere/carbon.json", arena, &error));
    cr_expect_neq(error.code, ERROR_NONE);
}
