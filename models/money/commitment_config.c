/* Commitments as scenarios write them, and what becomes of them for a usage and its dates. */
#include <math.h>
#include <string.h>

#include "models/money/commitments.h"
#include "models/money/utc_date.h"
#include "sim/json.h"

#define TERM_HOURS_1Y 8760.0                             /* AWS counts a year as 8,760 hours */
#define BLOCK_END_S   (11 * S_PER_HOUR + S_PER_HOUR / 2) /* 11:30 UTC */
#define BLOCK_EARLY_S (S_PER_HOUR / 2)

/* --- field tables --- */

#define MEMBER(type, kind_, member, doc_, ...)                                                     \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(type, member), .doc = doc_, __VA_ARGS__ \
    }
#define TEXT(type, member, doc, ...)   MEMBER(type, CONFIG_STRING, member, doc, __VA_ARGS__)
#define NUMBER(type, member, doc, ...) MEMBER(type, CONFIG_NUMBER, member, doc, __VA_ARGS__)

#define PLACE(type, provider_)                                                                     \
    TEXT(type, provider, "whose usage it covers; \"\": anybody's", .preset = provider_),           \
        TEXT(type, region, "where; \"\": everywhere", .preset = "\"\"")
#define DATES(type)                                                                                \
    TEXT(type, from, "date from which it is paid; null: before the run", .optional = true),        \
        TEXT(type, until, "date from which it is paid no more; null: after the run",               \
             .optional = true)
#define COUNT(type)                                                                                \
    MEMBER(type, CONFIG_INT, count, "instances", .preset = "1", .min = 1, .max = 1e6)

static const char *const term_names[] = {[TERM_1Y] = "1y", [TERM_3Y] = "3y", NULL};
static const char *const scope_names[] = {
    [SCOPE_EC2_INSTANCE] = "ec2_instance", [SCOPE_COMPUTE] = "compute", NULL};

#define TERM(type) MEMBER(type, CONFIG_ENUM, term, "years", .preset = "\"1y\"", .names = term_names)

#define INSTANCE(kind, member, doc, ...)                                                           \
    MEMBER(struct instance_commitment, kind, member, doc, __VA_ARGS__)
#define INSTANCE_FIELDS(provider)                                                                  \
    {                                                                                              \
        TEXT(struct instance_commitment, sku, "instance type"),                                    \
            PLACE(struct instance_commitment, provider), COUNT(struct instance_commitment),        \
            TERM(struct instance_commitment),                                                      \
            INSTANCE(CONFIG_NUMBER, usd_per_hour,                                                  \
                     "of one instance; null: the price book's when the term began",                \
                     .optional = true, .min = 0, .max = 1e6),                                      \
            INSTANCE(CONFIG_NUMBER, upfront_usd,                                                   \
                     "of one instance, for the term; null: the price book's", .optional = true,    \
                     .min = 0, .max = 1e9),                                                        \
            DATES(struct instance_commitment), {0},                                                \
    }

static const struct config_field reserved_fields[] = INSTANCE_FIELDS("\"AWS\"");
static const struct config_field committed_use_fields[] = INSTANCE_FIELDS("\"GCP\"");
static const struct config_type reserved_type = {
    "reserved", "reserved instances", sizeof(struct instance_commitment), reserved_fields};
static const struct config_type committed_use_type = {
    "committed_use", "resource-based committed use", sizeof(struct instance_commitment),
    committed_use_fields};

static const struct config_field owned_fields[] = {
    TEXT(struct instance_commitment, sku, "instance type"),
    PLACE(struct instance_commitment, "\"\""),
    COUNT(struct instance_commitment),
    INSTANCE(CONFIG_NUMBER, usd_per_hour,
             "of one instance, with power, whether used or not; null: by hardware, or the price "
             "book's",
             .optional = true, .min = 0, .max = 1e6),
    INSTANCE(CONFIG_OBJECT, hardware, "what one instance's hour costs comes from this",
             .optional = true, .object = &owned_config_type),
    DATES(struct instance_commitment),
    {0},
};
static const struct config_type owned_type = {"owned", "own hardware",
                                              sizeof(struct instance_commitment), owned_fields};

static const struct config_field block_fields[] = {
    TEXT(struct capacity_block, sku, "instance type"),
    PLACE(struct capacity_block, "\"AWS\""),
    COUNT(struct capacity_block),
    TEXT(struct capacity_block, start, "day (from 11:30 UTC) or instant at which it begins"),
    MEMBER(struct capacity_block, CONFIG_INT, days, "1 to 14, or whole weeks up to 182",
           .preset = "1", .min = 1, .max = 182),
    NUMBER(struct capacity_block, usd_per_hour,
           "of one instance; null: the price book's at the start", .optional = true, .min = 0,
           .max = 1e6),
    {0},
};
static const struct config_type block_type = {"capacity_block", "an EC2 Capacity Block",
                                              sizeof(struct capacity_block), block_fields};

#define SPEND(kind, member, doc, ...)                                                              \
    MEMBER(struct spend_commitment, kind, member, doc, __VA_ARGS__)
#define SPEND_MONEY                                                                                \
    SPEND(CONFIG_NUMBER, usd_per_hour, "that is paid every hour, at discounted rates", .min = 0,   \
          .max = 1e6)

static const struct config_field savings_fields[] = {
    SPEND_MONEY,
    SPEND(CONFIG_ENUM, scope, "compute: any instance; ec2_instance: one family in one region",
          .preset = "\"compute\"", .names = scope_names),
    PLACE(struct spend_commitment, "\"AWS\""),
    TEXT(struct spend_commitment, family, "instance family, such as p5; \"\": any",
         .preset = "\"\""),
    TERM(struct spend_commitment),
    SPEND(CONFIG_NUMBER, discount_percent,
          "off on demand; null: the price book's savings rates when the term began",
          .optional = true, .min = 0, .max = 100),
    DATES(struct spend_commitment),
    {0},
};
static const struct config_type savings_type = {"savings_plan", "an AWS Savings Plan",
                                                sizeof(struct spend_commitment), savings_fields};

static const struct config_field flexible_fields[] = {
    SPEND_MONEY,
    SPEND(CONFIG_ENUM, scope, "what it covers", .preset = "\"compute\"", .names = scope_names),
    PLACE(struct spend_commitment, "\"GCP\""),
    TEXT(struct spend_commitment, family, "machine family, such as a3; \"\": any",
         .preset = "\"\""),
    TERM(struct spend_commitment),
    SPEND(CONFIG_NUMBER, discount_percent, "off on demand", .min = 0, .max = 100),
    DATES(struct spend_commitment),
    {0},
};
static const struct config_type flexible_type = {"flexible_cud",
                                                 "a spend-based committed-use discount",
                                                 sizeof(struct spend_commitment), flexible_fields};

static const struct config_field minimum_fields[] = {
    NUMBER(struct minimum_spend, usd_per_month, "that each month's bill comes to at least",
           .min = 0, .max = 1e8),
    {0},
};
static const struct config_type minimum_type = {"minimum_spend", "a floor under the bill",
                                                sizeof(struct minimum_spend), minimum_fields};

const struct config_variant_type commitment_variants[] = {
    [COMMITMENT_RESERVED] = {"reserved", "EC2 Reserved Instances of one type", &reserved_type},
    [COMMITMENT_COMMITTED_USE] = {"committed_use", "Google committed use of one machine type",
                                  &committed_use_type},
    [COMMITMENT_OWNED] = {"owned", "own hardware, paid whether used or not", &owned_type},
    [COMMITMENT_CAPACITY_BLOCK] = {"capacity_block", "instances for a window, paid up front",
                                   &block_type},
    [COMMITMENT_SAVINGS_PLAN] = {"savings_plan", "an hourly spend at AWS's savings rates",
                                 &savings_type},
    [COMMITMENT_FLEXIBLE_CUD] = {"flexible_cud", "an hourly spend at a discount, as Google's",
                                 &flexible_type},
    [COMMITMENT_MINIMUM_SPEND] = {"minimum_spend", "a floor under the bill of a month",
                                  &minimum_type},
    {0},
};

/* --- resolving --- */

/* What resolving one commitment needs. */
struct resolver {
    const struct json_document *document; /* NULL: none */
    char pointer[256];                    /* of the commitment */
    const struct usage *usage;
    const struct price_book *book;
    struct arena *arena;
    struct error *error;
};

static bool refuse(const struct resolver *resolver, const char *key, const char *what)
{
    if (!resolver->document)
        return error_set(resolver->error, ERROR_BAD_INPUT, "commitment: %s", what);
    return json_member_error(resolver->document, resolver->pointer, key, resolver->error, "%s",
                             what);
}

/* Seconds since 1970 to nanoseconds of the run. */
static int64_t ns_of_run(const struct usage *usage, int64_t unix_s)
{
    return (unix_s - usage->start_unix_s) * NS_PER_S;
}

/* The term, and the date at which its prices were fixed. */
static bool resolve_dates(const struct resolver *resolver, const char *from, const char *until,
                          struct commitment *commitment, int64_t *priced_unix_s)
{
    const struct usage *usage = resolver->usage;
    int64_t unix_s;
    commitment->from_ns = 0;
    commitment->until_ns = INT64_MAX;
    *priced_unix_s = usage->start_unix_s;
    if (from) {
        if (!utc_date_read(from, &unix_s))
            return refuse(resolver, "from", "that is not a date such as \"2025-06-01\"");
        commitment->from_ns = ns_of_run(usage, unix_s);
        *priced_unix_s = unix_s;
    }
    if (until) {
        if (!utc_date_read(until, &unix_s))
            return refuse(resolver, "until", "that is not a date such as \"2025-06-01\"");
        commitment->until_ns = ns_of_run(usage, unix_s);
    }
    commitment->covers_until_ns = commitment->until_ns;
    return commitment->from_ns < commitment->until_ns ||
           refuse(resolver, "until", "the commitment ends before it begins");
}

static const struct price_entry *book_price(const struct resolver *resolver,
                                            const struct price_query *query, int64_t unix_s)
{
    struct price_series series;
    int64_t next;
    struct error found = {0};
    if (!price_book_series(resolver->book, query, &series, &found)) {
        refuse(resolver, "sku", found.message);
        error_hint(resolver->error, "%s", found.hint);
        return NULL;
    }
    const struct price_entry *entry = price_series_at(&series, unix_s, &next);
    if (!entry) {
        char at[32];
        utc_date_print(unix_s, at, sizeof at);
        error_at(resolver->error, ERROR_BAD_INPUT, resolver->book->name, 0, NULL,
                 "there is no %s price of \"%s\" at %s, when the commitment begins",
                 purchase_option_names[query->purchase], query->sku, at);
    }
    return entry;
}

static double term_hours(int term)
{
    return term == TERM_1Y ? TERM_HOURS_1Y : 3 * TERM_HOURS_1Y;
}

static bool resolve_instances(const struct resolver *resolver,
                              const struct instance_commitment *config,
                              enum purchase_option paid_as, struct commitment *commitment)
{
    int64_t priced;
    double usd = config->usd_per_hour, upfront = config->upfront_usd;
    if (!resolve_dates(resolver, config->from, config->until, commitment, &priced))
        return false;
    if (isnan(usd)) {
        struct price_query query = {config->sku, config->provider, config->region, paid_as};
        const struct price_entry *entry = book_price(resolver, &query, priced);
        if (!entry)
            return false;
        usd = entry->usd_per_hour;
        upfront = isnan(upfront) ? entry->upfront_usd : upfront;
    }
    if (!isnan(upfront) && paid_as != PURCHASE_OWNED)
        usd += upfront / term_hours(config->term);
    commitment->paid_as = paid_as;
    commitment->sku = config->sku;
    commitment->provider = config->provider;
    commitment->region = config->region;
    commitment->count = config->count;
    commitment->rate_nano_usd = nano_usd(usd);
    commitment->name = arena_printf(resolver->arena, "%s %s x %lld", purchase_option_names[paid_as],
                                    config->sku, (long long)config->count);
    return true;
}

static bool resolve_owned(const struct resolver *resolver, const struct instance_commitment *config,
                          struct commitment *commitment)
{
    struct instance_commitment priced = *config;
    if (config->hardware) {
        if (!isnan(config->usd_per_hour))
            return refuse(resolver, "usd_per_hour", "hardware already says what an hour costs");
        struct place place = {.document = resolver->document};
        json_pointer_key(place.pointer, sizeof place.pointer, resolver->pointer, "hardware");
        if (resolver->document && !owned_check(config->hardware, &place, resolver->error))
            return false;
        priced.usd_per_hour = owned_cost_of(config->hardware).total_usd_h;
    }
    return resolve_instances(resolver, &priced, PURCHASE_OWNED, commitment);
}

bool capacity_block_window(const char *start, int64_t days, struct block_window *window,
                           struct error *error)
{
    int64_t at;
    if (!utc_date_read(start, &at))
        return error_set(error, ERROR_BAD_INPUT, "\"%s\" is not a date", start);
    if (days < 1 || days > 182 || (days > 14 && days % 7 != 0))
        return error_set(error, ERROR_BAD_INPUT,
                         "a Capacity Block is for 1 to 14 days, or for whole weeks up to 182 days");
    int64_t day = utc_day_start(at);
    window->from_unix_s = at == day ? day + BLOCK_END_S : at;
    window->until_unix_s = day + days * S_PER_DAY + BLOCK_END_S;
    window->usable_until_unix_s = window->until_unix_s - BLOCK_EARLY_S;
    return true;
}

static bool resolve_block(const struct resolver *resolver, const struct capacity_block *config,
                          struct commitment *commitment)
{
    struct block_window window;
    struct error why = {0};
    if (!capacity_block_window(config->start, config->days, &window, &why))
        return refuse(resolver, utc_date_read(config->start, &(int64_t){0}) ? "days" : "start",
                      why.message);
    double usd = config->usd_per_hour;
    if (isnan(usd)) {
        struct price_query query = {config->sku, config->provider, config->region,
                                    PURCHASE_CAPACITY_BLOCK};
        const struct price_entry *entry = book_price(resolver, &query, window.from_unix_s);
        if (!entry)
            return false;
        usd = entry->usd_per_hour;
    }
    *commitment = (struct commitment){
        .kind = COMMITMENT_CAPACITY_BLOCK,
        .paid_as = PURCHASE_CAPACITY_BLOCK,
        .name = arena_printf(resolver->arena, "capacity_block %s x %lld from %s", config->sku,
                             (long long)config->count, config->start),
        .sku = config->sku,
        .provider = config->provider,
        .region = config->region,
        .count = config->count,
        .rate_nano_usd = nano_usd(usd),
        .from_ns = ns_of_run(resolver->usage, window.from_unix_s),
        .until_ns = ns_of_run(resolver->usage, window.until_unix_s),
        .covers_until_ns = ns_of_run(resolver->usage, window.usable_until_unix_s),
    };
    return true;
}

/* Savings rates of the book for every market that has one. */
static bool find_market_rates(const struct resolver *resolver, int64_t priced_unix_s,
                              struct commitment *commitment)
{
    const struct usage *usage = resolver->usage;
    bool any = false;
    commitment->market_rates = ARENA_ARRAY(resolver->arena, usage->market_count + 1u, int64_t);
    for (uint32_t i = 0; i < usage->market_count; i++) {
        const struct usage_market *market = &usage->markets[i];
        struct price_query query = {market->sku, market->provider, market->region,
                                    commitment->paid_as};
        struct price_series series = price_book_find(resolver->book, &query);
        int64_t next;
        const struct price_entry *entry = price_series_at(&series, priced_unix_s, &next);
        commitment->market_rates[i] = entry ? nano_usd(entry->usd_per_hour) : -1;
        any = any || entry;
    }
    if (any || usage->market_count == 0)
        return true;
    refuse(resolver, "term", "the price book has no savings rate for any instance that was used");
    return error_hint(resolver->error, "give \"discount_percent\", or a book with prices as %s",
                      purchase_option_names[commitment->paid_as]);
}

static bool resolve_spend(const struct resolver *resolver, enum commitment_kind kind,
                          const struct spend_commitment *config, struct commitment *commitment)
{
    int64_t priced;
    bool savings = kind == COMMITMENT_SAVINGS_PLAN, one_year = config->term == TERM_1Y;
    if (!resolve_dates(resolver, config->from, config->until, commitment, &priced))
        return false;
    commitment->paid_as = savings ? (one_year ? PURCHASE_SAVINGS_1Y : PURCHASE_SAVINGS_3Y)
                                  : (one_year ? PURCHASE_CUD_1Y : PURCHASE_CUD_3Y);
    commitment->sku = "";
    commitment->provider = config->provider;
    commitment->region = config->region;
    commitment->family = config->family;
    commitment->count = 1;
    commitment->rate_nano_usd = nano_usd(config->usd_per_hour);
    commitment->scope = (enum savings_scope)config->scope;
    commitment->discount = config->discount_percent / 100;
    commitment->name =
        arena_printf(resolver->arena, "%s %s %g USD/h", commitment_variants[kind].name,
                     term_names[config->term], config->usd_per_hour);
    return !isnan(commitment->discount) || find_market_rates(resolver, priced, commitment);
}

static void resolve_minimum(const struct resolver *resolver, const struct minimum_spend *config,
                            struct commitment *commitment)
{
    commitment->paid_as = PURCHASE_ON_DEMAND;
    commitment->until_ns = INT64_MAX;
    commitment->rate_nano_usd = nano_usd(config->usd_per_month);
    commitment->name =
        arena_printf(resolver->arena, "minimum_spend %g USD/month", config->usd_per_month);
}

static bool resolve(const struct resolver *resolver, const struct commitment_config *config,
                    struct commitment *commitment)
{
    const void *value = config->of.value;
    *commitment =
        (struct commitment){.kind = (enum commitment_kind)config->of.index, .discount = NAN};
    if (commitment->kind == COMMITMENT_RESERVED || commitment->kind == COMMITMENT_COMMITTED_USE) {
        bool reserved = commitment->kind == COMMITMENT_RESERVED;
        enum purchase_option year = reserved ? PURCHASE_RESERVED_1Y : PURCHASE_CUD_1Y;
        const struct instance_commitment *instances = value;
        return resolve_instances(resolver, instances, year + (instances->term == TERM_3Y ? 1 : 0),
                                 commitment);
    }
    switch (commitment->kind) {
    case COMMITMENT_OWNED:
        return resolve_owned(resolver, value, commitment);
    case COMMITMENT_CAPACITY_BLOCK:
        return resolve_block(resolver, value, commitment);
    case COMMITMENT_MINIMUM_SPEND:
        resolve_minimum(resolver, value, commitment);
        return true;
    default:
        return resolve_spend(resolver, commitment->kind, value, commitment);
    }
}

bool commitments_resolve(const struct config_list *list, const struct json_document *document,
                         const char *pointer, const struct usage *usage,
                         const struct price_book *book, struct arena *arena,
                         struct commitments *commitments, struct error *error)
{
    const struct commitment_config *configs = list->items;
    *commitments =
        (struct commitments){ARENA_ARRAY(arena, list->count + 1, struct commitment), list->count};
    for (size_t i = 0; i < list->count; i++) {
        struct resolver resolver = {
            .document = document, .usage = usage, .book = book, .arena = arena, .error = error};
        json_pointer_index(resolver.pointer, sizeof resolver.pointer, pointer, i);
        if (!resolve(&resolver, &configs[i], &commitments->items[i]))
            return false;
    }
    return true;
}
