/* Host share: a node of 8 H100 drew 8.4 kW at most in training, of which its GPUs may take 5.6
 * (Latif et al., "Single-Node Power Demand During AI Training", IEEE Access 2025): half as much
 * again; confidence medium, and for other machines low. Its embodied carbon: 2,500 kg for a server
 * of 8 GPUs (Luccioni et al., "Estimating the Carbon Footprint of BLOOM", JMLR 2023; low). Six
 * years of life as Google's and Microsoft's annual reports have it. */
#include "models/money/carbon.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "sim/json.h"

#define J_PER_KWH  3.6e6
#define S_PER_YEAR (365.25 * 86400)
#define G_PER_KG   1000.0
#define ANY        "any"
#define LIST_MAX   10000

/* --- Facts --------------------------------------------------------------------------------------
 */

#define MEMBER(type, member, kind_, text)                                                          \
    .name = #member, .kind = kind_, .offset = offsetof(type, member), .doc = text
#define TEXT(type, member, text)                                                                   \
    {                                                                                              \
        MEMBER(type, member, CONFIG_STRING, text)                                                  \
    }
#define SOURCES(type)                                                                              \
    TEXT(type, source, "where it comes from"), TEXT(type, known, "confidence in it")

static const struct config_type region_type = {
    .name = "grid_region",
    .doc = "electricity where a provider's region is",
    .size = sizeof(struct grid_region),
    .fields =
        (const struct config_field[]){
            TEXT(struct grid_region, provider, "whose region"),
            TEXT(struct grid_region, region, "as the provider calls it"),
            TEXT(struct grid_region, location, "where it is"),
            {MEMBER(struct grid_region, g_per_kwh, CONFIG_NUMBER, "of CO2 equivalent"), .min = 0,
             .max = 3000},
            {MEMBER(struct grid_region, year, CONFIG_INT, "that it is the average of"), .min = 1990,
             .max = 2200},
            SOURCES(struct grid_region),
            {0}},
};

static const struct config_type facility_type = {
    .name = "facility",
    .doc = "a provider's buildings",
    .size = sizeof(struct facility),
    .fields = (const struct config_field[]){TEXT(struct facility, provider, "whose"),
                                            {MEMBER(struct facility, pue, CONFIG_NUMBER,
                                                    "building over computers"),
                                             .min = 1, .max = 10},
                                            TEXT(struct facility, as_of, "year of the figure"),
                                            SOURCES(struct facility),
                                            {0}},
};

static const struct config_type embodied_type = {
    .name = "embodied_carbon",
    .doc = "emissions of making a GPU",
    .size = sizeof(struct embodied_carbon),
    .fields = (const struct config_field[]){TEXT(struct embodied_carbon, gpu, "which"),
                                            {MEMBER(struct embodied_carbon, kg, CONFIG_NUMBER,
                                                    "of CO2 equivalent"),
                                             .min = 0, .max = 1e6},
                                            SOURCES(struct embodied_carbon),
                                            {0}},
};

#define LIST(member, type, text)                                                                   \
    {                                                                                              \
        MEMBER(struct carbon_facts, member, CONFIG_LIST, text),                                    \
            .min = 1, .max = LIST_MAX, .element = &(const struct config_field)                     \
        {                                                                                          \
            .kind = CONFIG_OBJECT, .object = &(type)                                               \
        }                                                                                          \
    }

static const struct config_type facts_type = {
    .name = "carbon_facts",
    .doc = "carbon of electricity and machines",
    .size = sizeof(struct carbon_facts),
    .fields = (const struct config_field[]){LIST(regions, region_type, "electricity, by place"),
                                            LIST(facilities, facility_type, "buildings"),
                                            LIST(embodied, embodied_type, "machines"),
                                            {0}},
};

static const struct grid_region *find_region(const struct carbon_facts *facts, const char *provider,
                                             const char *region)
{
    const struct grid_region *items = facts->regions.items;
    for (size_t i = 0; i < facts->regions.count; i++)
        if (strcasecmp(items[i].provider, provider) == 0 &&
            strcasecmp(items[i].region, region) == 0)
            return &items[i];
    return NULL;
}

static const struct facility *find_facility(const struct carbon_facts *facts, const char *provider)
{
    const struct facility *items = facts->facilities.items;
    for (size_t i = 0; i < facts->facilities.count; i++)
        if (strcasecmp(items[i].provider, provider) == 0)
            return &items[i];
    return NULL;
}

static const struct embodied_carbon *find_embodied(const struct carbon_facts *facts,
                                                   const char *gpu)
{
    const struct embodied_carbon *items = facts->embodied.items;
    for (size_t i = 0; i < facts->embodied.count; i++)
        if (strcasecmp(items[i].gpu, gpu) == 0)
            return &items[i];
    return NULL;
}

static bool check_has_any(const struct carbon_facts *facts, const struct json_document *document,
                          struct error *error)
{
    const char *lacks = NULL;
    if (!find_region(facts, ANY, ANY))
        lacks = "/regions";
    else if (!find_facility(facts, ANY))
        lacks = "/facilities";
    else if (!find_embodied(facts, ANY))
        lacks = "/embodied";
    return !lacks || json_error(document, lacks, error,
                                "no entry \"any\", which stands for what is not listed");
}

const struct carbon_facts *carbon_facts_read(const char *path, struct arena *arena,
                                             struct error *error)
{
    struct json_document *document = json_read_file(path, error);
    if (!document)
        return NULL;
    struct carbon_facts *facts = ARENA_NEW(arena, struct carbon_facts);
    bool fine = config_read(&facts_type, document, json_root(document), "", arena, facts, error) &&
                check_has_any(facts, document, error);
    json_free(document);
    return fine ? facts : NULL;
}

/* --- Settings -----------------------------------------------------------------------------------
 */

#define SETTING(member, least, most, text)                                                         \
    MEMBER(struct carbon_settings, member, CONFIG_NUMBER, text), .min = least, .max = most

const struct config_type carbon_config_type = {
    .name = "carbon",
    .doc = "Energy and carbon of the machines",
    .size = sizeof(struct carbon_settings),
    .fields =
        (const struct config_field[]){
            {SETTING(pue, 1, 10, "building over computers; null: the provider's"),
             .optional = true},
            {SETTING(g_per_kwh, 0, 3000, "emissions of electricity; null: the region's"),
             .optional = true},
            {SETTING(host_share, 0, 10, "power of the rest of a machine over that of its GPUs"),
             .preset = "0.5"},
            {MEMBER(struct carbon_settings, embodied, CONFIG_BOOL,
                    "count the making of the machines, too"),
             .preset = "false"},
            {SETTING(host_kg, 0, 1e6, "embodied in the rest of a machine, per GPU"),
             .preset = "312.5"},
            {SETTING(lifetime_years, 0, 50, "over which what is embodied is shared out"),
             .above_min = true, .preset = "6"},
            {0}},
};

struct carbon_site carbon_site_of(const struct carbon_settings *settings,
                                  const struct carbon_facts *facts, const char *provider,
                                  const char *region)
{
    struct carbon_site site = {.pue = settings->pue, .g_per_kwh = settings->g_per_kwh};
    if (isnan(site.pue)) {
        site.facility = find_facility(facts, provider);
        if (!site.facility)
            site.facility = find_facility(facts, ANY);
        site.pue = site.facility->pue;
    }
    if (isnan(site.g_per_kwh)) {
        site.region = find_region(facts, provider, region);
        if (!site.region)
            site.region = find_region(facts, ANY, ANY);
        site.g_per_kwh = site.region->g_per_kwh;
    }
    return site;
}

/* --- Energy -------------------------------------------------------------------------------------
 */

double energy_gpu_kwh(const struct pool_power *power, double gpu_s, double busy_s)
{
    double more_w = power->replica_busy_w - power->replica_idle_w;
    return (power->gpu_idle_w * gpu_s + more_w * busy_s) / J_PER_KWH;
}

void energy_add(struct energy *a, const struct energy *b)
{
    a->gpu_kwh += b->gpu_kwh;
    a->computer_kwh += b->computer_kwh;
    a->building_kwh += b->building_kwh;
    a->operational_kg += b->operational_kg;
    a->embodied_kg += b->embodied_kg;
}

/* What the nodes of one pool and market add up to. */
struct presence {
    double gpu_s;     /* GPUs times the seconds that they drew power */
    double serving_s; /* replicas times the seconds from ready to the end */
};

static void presence_add(struct presence *presence, const struct usage *usage,
                         const struct node_usage *node)
{
    double gpus = (double)node->instances * usage->markets[node->market].gpus;
    presence->gpu_s += gpus * tick_to_s(node->end - node->billed_from);
    presence->serving_s +=
        usage->pools[node->pool].replicas_per_node * tick_to_s(node->end - node->ready);
}

static double embodied_kg(const struct carbon_settings *settings, const struct carbon_facts *facts,
                          const char *gpu, double gpu_s)
{
    if (!settings->embodied)
        return 0;
    const struct embodied_carbon *entry = find_embodied(facts, gpu);
    if (!entry)
        entry = find_embodied(facts, ANY);
    return (entry->kg + settings->host_kg) * gpu_s / (settings->lifetime_years * S_PER_YEAR);
}

static struct energy energy_of(const struct carbon_settings *settings,
                               const struct carbon_facts *facts, const struct carbon_site *site,
                               const struct pool_power *power, double gpu_s, double busy_s)
{
    struct energy energy = {.gpu_kwh = energy_gpu_kwh(power, gpu_s, busy_s)};
    energy.computer_kwh = energy.gpu_kwh * (1 + settings->host_share);
    energy.building_kwh = energy.computer_kwh * site->pue;
    energy.operational_kg = energy.building_kwh * site->g_per_kwh / G_PER_KG;
    energy.embodied_kg = embodied_kg(settings, facts, power->gpu, gpu_s);
    return energy;
}

static double pool_busy_s(const struct usage *usage, uint32_t pool)
{
    int64_t busy = 0;
    for (uint32_t hour = 0; hour < usage->hour_count; hour++)
        busy += usage->hours[(size_t)hour * usage->pool_count + pool].busy_ticks;
    return tick_to_s(busy);
}

/* The pool's row of presences, one per market. */
static struct energy pool_energy(const struct carbon_settings *settings,
                                 const struct carbon_facts *facts, const struct usage *usage,
                                 uint32_t pool, const struct pool_power *power,
                                 const struct presence *presences)
{
    struct energy sum = {0};
    double serving_s = 0, busy_s = pool_busy_s(usage, pool);
    for (uint32_t market = 0; market < usage->market_count; market++)
        serving_s += presences[market].serving_s;
    for (uint32_t market = 0; market < usage->market_count; market++) {
        const struct presence *presence = &presences[market];
        if (presence->gpu_s == 0)
            continue;
        const struct usage_market *at = &usage->markets[market];
        struct carbon_site site = carbon_site_of(settings, facts, at->provider, at->region);
        double share = serving_s > 0 ? presence->serving_s / serving_s : 0;
        struct energy energy =
            energy_of(settings, facts, &site, power, presence->gpu_s, busy_s * share);
        energy_add(&sum, &energy);
    }
    return sum;
}

void carbon_of_usage(const struct carbon_settings *settings, const struct carbon_facts *facts,
                     const struct usage *usage, const struct pool_power *pools,
                     struct energy *energy)
{
    struct arena *arena = arena_create();
    struct presence *presences =
        ARENA_ARRAY(arena, (size_t)usage->pool_count * usage->market_count, struct presence);
    for (size_t i = 0; i < usage->node_count; i++) {
        const struct node_usage *node = &usage->nodes[i];
        presence_add(&presences[(size_t)node->pool * usage->market_count + node->market], usage,
                     node);
    }
    for (uint32_t pool = 0; pool < usage->pool_count; pool++)
        energy[pool] = pool_energy(settings, facts, usage, pool, &pools[pool],
                                   &presences[(size_t)pool * usage->market_count]);
    arena_destroy(arena);
}
