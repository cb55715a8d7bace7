/* Reading usage.json (usage_files.h). */
#include <string.h>

#include "models/money/usage_files.h"
#include "models/money/utc_date.h"
#include "sim/config.h"
#include "workloads/number_text.h"

#define LIST_MAX 1000 /* pools, markets, classes */

struct usage_rows {
    int64_t nodes, hours, served, spot;
};

struct usage_head {
    const char *start_time, *end_s;
    struct config_list pools, markets, classes;
    struct usage_rows rows;
};

struct market_entry {
    const char *name, *provider, *region, *sku;
    int64_t gpus;
    double on_demand_usd_per_hour;
};

struct pool_entry {
    const char *name, *model;
    int64_t replicas_per_node;
};

#define MEMBER(type, kind_, member, doc_, ...)                                                     \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(type, member), .doc = doc_, __VA_ARGS__ \
    }
#define ROWS(member)            MEMBER(struct usage_rows, CONFIG_INT, member, "of them", .min = 0, .max = 1e12)
#define TEXT(type, member, doc) MEMBER(type, CONFIG_STRING, member, doc)

static const struct config_field pool_fields[] = {
    TEXT(struct pool_entry, name, "of the pool"),
    TEXT(struct pool_entry, model, "that it served"),
    MEMBER(struct pool_entry, CONFIG_INT, replicas_per_node, "that a node holds", .min = 1,
           .max = 1024),
    {0},
};
static const struct config_type pool_type = {"usage_pool", "a pool", sizeof(struct pool_entry),
                                             pool_fields};
static const struct config_field pool_element = {.kind = CONFIG_OBJECT, .object = &pool_type};

static const struct config_field market_fields[] = {
    TEXT(struct market_entry, name, "of the market"),
    TEXT(struct market_entry, provider, "who rents it out"),
    TEXT(struct market_entry, region, "where"),
    TEXT(struct market_entry, sku, "instance type"),
    MEMBER(struct market_entry, CONFIG_INT, gpus, "of one instance", .min = 0, .max = 1024),
    MEMBER(struct market_entry, CONFIG_NUMBER, on_demand_usd_per_hour,
           "of one instance, as the scenario said; null: it did not", .optional = true, .min = 0,
           .max = 1e6),
    {0},
};
static const struct config_type market_type = {"usage_market", "a market",
                                               sizeof(struct market_entry), market_fields};
static const struct config_field market_element = {.kind = CONFIG_OBJECT, .object = &market_type};

static const struct config_field class_fields[] = {
    TEXT(struct usage_class, name, "of the class"),
    TEXT(struct usage_class, tenant, "whose requests they are"),
    {0},
};
static const struct config_type class_type = {"usage_class", "a request class",
                                              sizeof(struct usage_class), class_fields};
static const struct config_field class_element = {.kind = CONFIG_OBJECT, .object = &class_type};

static const struct config_field rows_fields[] = {
    ROWS(nodes), ROWS(hours), ROWS(served), ROWS(spot), {0}};
static const struct config_type rows_type = {"usage_rows", "rows of each table",
                                             sizeof(struct usage_rows), rows_fields};

#define HEAD(kind, member, doc, ...) MEMBER(struct usage_head, kind, member, doc, __VA_ARGS__)

static const struct config_field head_fields[] = {
    HEAD(CONFIG_STRING, start_time, "date of time 0, UTC"),
    HEAD(CONFIG_STRING, end_s, "of the run, seconds"),
    HEAD(CONFIG_LIST, pools, "in the order of their numbers", .element = &pool_element,
         .max = LIST_MAX),
    HEAD(CONFIG_LIST, markets, "in the order of their numbers", .element = &market_element,
         .max = LIST_MAX),
    HEAD(CONFIG_LIST, classes, "in the order of their numbers", .element = &class_element,
         .max = LIST_MAX),
    HEAD(CONFIG_OBJECT, rows, "of each table", .object = &rows_type),
    {0},
};
static const struct config_type head_type = {"usage", "what a fleet used",
                                             sizeof(struct usage_head), head_fields};

bool usage_read_seconds(const char *text, tick_t *at)
{
    int64_t ns;
    if (number_to_ns((struct text){text, strlen(text)}, 9, &ns) != NUMBER_OK ||
        ns > (int64_t)(CLOCK_MAX_S * 1e9))
        return false;
    *at = usage_tick_of_ns(ns);
    return true;
}

static void add_names(struct usage *usage, const struct usage_head *head)
{
    const struct pool_entry *pools = head->pools.items;
    for (size_t i = 0; i < head->pools.count; i++)
        usage_add_pool(usage, &(struct usage_pool){pools[i].name, pools[i].model,
                                                   (uint32_t)pools[i].replicas_per_node});
    const struct market_entry *markets = head->markets.items;
    for (size_t i = 0; i < head->markets.count; i++)
        usage_add_market(usage, &(struct usage_market){markets[i].name, markets[i].provider,
                                                       markets[i].region, markets[i].sku,
                                                       (uint32_t)markets[i].gpus,
                                                       markets[i].on_demand_usd_per_hour});
    const struct usage_class *classes = head->classes.items;
    for (size_t i = 0; i < head->classes.count; i++)
        usage_add_class(usage, &classes[i]);
}

static bool take_head(struct usage *usage, const struct usage_head *head,
                      const struct json_document *document, struct error *error)
{
    int64_t start;
    tick_t end;
    if (!utc_date_read(head->start_time, &start))
        return json_error(document, "/start_time", error, "\"%s\" is not a date", head->start_time);
    if (!usage_read_seconds(head->end_s, &end))
        return json_error(document, "/end_s", error, "\"%s\" is not a time in seconds",
                          head->end_s);
    usage_init(usage, start);
    usage->end = end;
    add_names(usage, head);
    return true;
}

bool usage_read_head(struct usage *usage, const char *folder, int64_t rows[USAGE_TABLES],
                     struct error *error)
{
    struct arena *arena = arena_create();
    struct json_document *document = json_read_file(usage_head_path(folder, arena), error);
    struct usage_head head;
    bool done = document &&
                config_read(&head_type, document, json_root(document), "", arena, &head, error) &&
                take_head(usage, &head, document, error);
    if (done)
        memcpy(rows,
               (const int64_t[USAGE_TABLES]){[USAGE_NODES] = head.rows.nodes,
                                             [USAGE_HOURS] = head.rows.hours,
                                             [USAGE_SERVED] = head.rows.served,
                                             [USAGE_SPOT] = head.rows.spot},
               USAGE_TABLES * sizeof *rows);
    json_free(document);
    arena_destroy(arena);
    return done;
}
