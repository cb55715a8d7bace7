#include "models/money/price_book.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/money/utc_date.h"
#include "sim/json.h"

#define LIST_MAX 20000

/* --- field tables --- */

#define MEMBER(type, kind_, member, doc_, ...)                                                     \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(type, member), .doc = doc_, __VA_ARGS__ \
    }
#define TEXT(type, member, doc, ...)   MEMBER(type, CONFIG_STRING, member, doc, __VA_ARGS__)
#define NUMBER(type, member, doc, ...) MEMBER(type, CONFIG_NUMBER, member, doc, __VA_ARGS__)
#define DATES(type)                                                                                \
    TEXT(type, from, "first day (or instant) at which it holds, UTC; null: since ever",            \
         .optional = true),                                                                        \
        TEXT(type, until, "first at which it holds no more; null: for good", .optional = true)
#define SOURCES(type)                                                                              \
    TEXT(type, as_of, "when it was read", .preset = "\"\""),                                       \
        TEXT(type, source, "where it comes from", .preset = "\"not stated\""),                     \
        TEXT(type, known, "confidence in it", .preset = "\"not stated\"")

static const struct config_field rule_fields[] = {
    TEXT(struct billing_rule, provider, "whose rule it is"),
    NUMBER(struct billing_rule, granularity_s, "a life is rounded up to whole multiples of this",
           .min = 0, .max = 86400, .above_min = true),
    NUMBER(struct billing_rule, minimum_s, "a life counts for at least this", .min = 0,
           .max = 86400),
    NUMBER(struct billing_rule, free_if_interrupted_s,
           "Spot that is taken back before this costs nothing", .preset = "0", .min = 0,
           .max = 86400),
    TEXT(struct billing_rule, source, "where it comes from", .preset = "\"not stated\""),
    TEXT(struct billing_rule, known, "confidence in it", .preset = "\"not stated\""),
    {0},
};
static const struct config_type rule_type = {"billing_rule", "how a provider meters instances",
                                             sizeof(struct billing_rule), rule_fields};

#define PRICE(member, doc, ...) NUMBER(struct price_entry, member, doc, __VA_ARGS__)

static const struct config_field price_fields[] = {
    TEXT(struct price_entry, sku, "instance type, or GPU where GPUs are rented one by one"),
    TEXT(struct price_entry, provider, "who rents it out"),
    TEXT(struct price_entry, region, "where the price holds; \"any\": everywhere",
         .preset = "\"any\""),
    MEMBER(struct price_entry, CONFIG_ENUM, purchase, "how it is bought",
           .names = purchase_option_names),
    PRICE(usd_per_hour, "of one instance", .min = 0, .max = 1e6),
    DATES(struct price_entry),
    PRICE(granularity_s, "a life is rounded up to whole multiples of this; null: the provider's",
          .optional = true, .min = 0, .max = 86400, .above_min = true),
    PRICE(minimum_s, "a life counts for at least this; null: the provider's", .optional = true,
          .min = 0, .max = 86400),
    PRICE(free_if_interrupted_s, "Spot that is taken back before this costs nothing", .preset = "0",
          .min = 0, .max = 86400),
    PRICE(upfront_usd, "of one instance for the whole term, beside the hourly price", .preset = "0",
          .min = 0, .max = 1e9),
    SOURCES(struct price_entry),
    {0},
};
static const struct config_type price_type = {"price", "what an instance costs",
                                              sizeof(struct price_entry), price_fields};

#define RATE(member, doc, ...)                                                                     \
    NUMBER(struct api_price, member, doc, .min = 0, .max = 1e6, __VA_ARGS__)

static const struct config_field api_fields[] = {
    TEXT(struct api_price, name, "how commands call it"),
    TEXT(struct api_price, provider, "who sells it"),
    TEXT(struct api_price, model, "that answers"),
    RATE(input_usd_per_mtok, "of a million prompt tokens"),
    RATE(cached_usd_per_mtok, "of a million prompt tokens that a prefix cache held; null: as input",
         .optional = true),
    RATE(output_usd_per_mtok, "of a million output tokens"),
    NUMBER(struct api_price, batch_discount_percent, "off all of it for requests that can wait",
           .preset = "0", .min = 0, .max = 100),
    DATES(struct api_price),
    SOURCES(struct api_price),
    {0},
};
static const struct config_type api_type = {"api_price", "what a managed API costs",
                                            sizeof(struct api_price), api_fields};

static const struct config_field rule_element = {.kind = CONFIG_OBJECT, .object = &rule_type};
static const struct config_field price_element = {.kind = CONFIG_OBJECT, .object = &price_type};
static const struct config_field api_element = {.kind = CONFIG_OBJECT, .object = &api_type};

#define LIST(member, doc, elements)                                                                \
    MEMBER(struct price_entries, CONFIG_LIST, member, doc, .preset = "[]", .element = &(elements), \
           .max = LIST_MAX)

static const struct config_field entries_fields[] = {
    LIST(billing, "how providers meter instances, where a price says nothing else", rule_element),
    LIST(prices, "of instances and GPUs, dated", price_element),
    LIST(api, "prices of managed APIs, by the token", api_element),
    {0},
};
const struct config_type price_entries_config_type = {"price_book", "dated prices",
                                                      sizeof(struct price_entries), entries_fields};

/* --- dates and rules of the entries as read --- */

/* Where a list of entries was read, for messages. */
struct place {
    const struct json_document *document;
    const char *pointer; /* to the object that holds the list */
    const char *list;
};

static void entry_pointer(const struct place *place, size_t index, char *pointer, size_t size)
{
    char list[256];
    json_pointer_key(list, sizeof list, place->pointer, place->list);
    json_pointer_index(pointer, size, list, index);
}

static bool read_date(const char *text, const char *key, const struct place *place, size_t index,
                      int64_t open, int64_t *unix_s, struct error *error)
{
    *unix_s = open;
    if (!text || utc_date_read(text, unix_s))
        return true;
    char pointer[256];
    entry_pointer(place, index, pointer, sizeof pointer);
    json_member_error(place->document, pointer, key, error, "\"%s\" is not a date", text);
    return error_hint(error, "dates look like \"2025-06-01\" or \"2025-06-01T12:00:00Z\"");
}

static bool read_dates(const char *from, const char *until, const struct place *place, size_t index,
                       int64_t *from_s, int64_t *until_s, struct error *error)
{
    if (!read_date(from, "from", place, index, INT64_MIN, from_s, error) ||
        !read_date(until, "until", place, index, UTC_NEVER, until_s, error))
        return false;
    if (*from_s < *until_s)
        return true;
    char pointer[256];
    entry_pointer(place, index, pointer, sizeof pointer);
    return json_member_error(place->document, pointer, "until", error,
                             "the price ends on %s, which is not after %s, where it begins", until,
                             from);
}

/* Rules of the large clouds, where a file says nothing else. AWS: per second with a minimum of 60 s
 * (Linux; EC2 User Guide, "On-Demand Instances"). Google: per second after a minimum of one minute
 * ("Compute Engine pricing"). Azure: per second, from memory. Spot that AWS takes back within its
 * first hour is free (EC2 User Guide, "Billing for interrupted Spot Instances"), and what Google
 * does within the first minute (Compute Engine, "Spot VMs"). */
static const struct billing_rule known_rules[] = {
    {.provider = "AWS", .granularity_s = 1, .minimum_s = 60, .free_if_interrupted_s = 3600},
    {.provider = "GCP", .granularity_s = 1, .minimum_s = 60, .free_if_interrupted_s = 60},
    {.provider = "Azure", .granularity_s = 1, .minimum_s = 0},
};
/* Others are metered by the second for an hour at least: cautious, as marketplaces differ. */
static const struct billing_rule rule_of_others = {.granularity_s = 1, .minimum_s = 3600};

static const struct billing_rule *rule_among(const struct billing_rule *rules, size_t count,
                                             const char *provider)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rules[i].provider, provider) == 0)
            return &rules[i];
    return NULL;
}

struct billing_rule price_book_rule(const struct price_book *book, const char *provider)
{
    const struct billing_rule *rule = rule_among(book->rules, book->rule_count, provider);
    if (!rule)
        rule = rule_among(known_rules, sizeof known_rules / sizeof *known_rules, provider);
    return rule ? *rule : rule_of_others;
}

static void apply_rule(struct price_entry *entry, const struct price_book *book)
{
    struct billing_rule rule = price_book_rule(book, entry->provider);
    if (isnan(entry->granularity_s))
        entry->granularity_s = rule.granularity_s;
    if (isnan(entry->minimum_s))
        entry->minimum_s = rule.minimum_s;
}

/* --- series --- */

int price_compare_series(const struct price_entry *a, const struct price_entry *b)
{
    int order = strcmp(a->sku, b->sku);
    if (order == 0)
        order = strcmp(a->provider, b->provider);
    if (order == 0)
        order = strcmp(a->region, b->region);
    return order ? order : a->purchase - b->purchase;
}

/* An entry to be sorted, and where it stood. */
struct placed_entry {
    struct price_entry entry;
    size_t index;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed_entry *left = a, *right = b;
    int order = price_compare_series(&left->entry, &right->entry);
    if (order)
        return order;
    int64_t from[2] = {left->entry.from_unix_s, right->entry.from_unix_s};
    if (from[0] != from[1])
        return from[0] < from[1] ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static bool overlap_error(const struct placed_entry *before, const struct placed_entry *after,
                          const struct place *place, struct error *error)
{
    char earlier[256], later[256];
    entry_pointer(place, before->index, earlier, sizeof earlier);
    entry_pointer(place, after->index, later, sizeof later);
    const struct price_entry *entry = &after->entry;
    json_error(place->document, later, error,
               "the %s price of \"%s\" (%s, %s) overlaps that on line %ld, which holds %s%s",
               purchase_option_names[entry->purchase], entry->sku, entry->provider, entry->region,
               json_line(place->document, earlier), before->entry.until ? "until " : "for good",
               before->entry.until ? before->entry.until : "");
    return error_hint(error, "give the earlier one an \"until\"; \"from\" is the first day, "
                             "\"until\" the first day after");
}

/* Sorts the entries into series, and refuses those that overlap. */
static bool sort_entries(struct placed_entry *placed, size_t count, const struct place *place,
                         struct error *error)
{
    if (count > 0)
        qsort(placed, count, sizeof *placed, compare_placed);
    for (size_t i = 1; i < count; i++) {
        const struct placed_entry *before = &placed[i - 1], *after = &placed[i];
        if (price_compare_series(&before->entry, &after->entry) == 0 &&
            before->entry.until_unix_s > after->entry.from_unix_s)
            return overlap_error(before, after, place, error);
    }
    return true;
}

static bool place_entries(const struct price_book *book, const struct price_entries *entries,
                          const struct place *place, struct placed_entry *placed,
                          struct error *error)
{
    const struct price_entry *prices = entries->prices.items;
    for (size_t i = 0; i < entries->prices.count; i++) {
        struct price_entry *entry = &placed[i].entry;
        *entry = prices[i];
        placed[i].index = i;
        if (!read_dates(entry->from, entry->until, place, i, &entry->from_unix_s,
                        &entry->until_unix_s, error))
            return false;
        apply_rule(entry, book);
    }
    return sort_entries(placed, entries->prices.count, place, error);
}

/* --- putting books together --- */

static bool has_series(const struct placed_entry *placed, size_t count,
                       const struct price_entry *entry)
{
    for (size_t i = 0; i < count; i++)
        if (price_compare_series(&placed[i].entry, entry) == 0)
            return true;
    return false;
}

/* The sorted entries of both; what is new goes first where the series is the same. */
static void merge_prices(struct price_book *book, const struct price_book *base,
                         const struct placed_entry *placed, size_t count)
{
    size_t left = 0, right = 0, base_count = base ? base->price_count : 0;
    while (left < count || right < base_count) {
        const struct price_entry *old = right < base_count ? &base->prices[right] : NULL;
        if (old && has_series(placed, count, old))
            right++;
        else if (!old || (left < count && price_compare_series(&placed[left].entry, old) < 0))
            book->prices[book->price_count++] = placed[left++].entry;
        else
            book->prices[book->price_count++] = base->prices[right++];
    }
}

/* The first list, then the second, as one. */
static void *join(struct arena *arena, const struct config_list *first, const void *second,
                  size_t second_count, size_t size)
{
    char *all = arena_alloc(arena, first->count + second_count + 1, size);
    if (first->count > 0)
        memcpy(all, first->items, first->count * size);
    if (second_count > 0)
        memcpy(all + first->count * size, second, second_count * size);
    return all;
}

static bool check_api_once(const struct api_price *api, size_t index, const struct place *place,
                           struct error *error)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(api[i].name, api[index].name) != 0 ||
            api[i].until_unix_s <= api[index].from_unix_s ||
            api[index].until_unix_s <= api[i].from_unix_s)
            continue;
        char pointer[256];
        entry_pointer(place, index, pointer, sizeof pointer);
        return json_error(place->document, pointer, error,
                          "the API price \"%s\" is given twice for the same time", api[index].name);
    }
    return true;
}

static bool add_api(struct price_book *book, const struct price_book *base,
                    const struct price_entries *entries, const struct place *place,
                    struct arena *arena, struct error *error)
{
    size_t base_count = base ? base->api_count : 0, count = entries->api.count;
    struct api_price *api =
        join(arena, &entries->api, base ? base->api : NULL, base_count, sizeof *api);
    for (size_t i = 0; i < count; i++) {
        if (isnan(api[i].cached_usd_per_mtok))
            api[i].cached_usd_per_mtok = api[i].input_usd_per_mtok;
        if (!read_dates(api[i].from, api[i].until, place, i, &api[i].from_unix_s,
                        &api[i].until_unix_s, error) ||
            !check_api_once(api, i, place, error))
            return false;
    }
    book->api = api;
    book->api_count = count + base_count;
    return true;
}

struct price_book *price_book_extend(const struct price_book *base,
                                     const struct price_entries *entries,
                                     const struct json_document *document, const char *pointer,
                                     struct arena *arena, struct error *error)
{
    struct place prices = {document, pointer, "prices"}, api = {document, pointer, "api"};
    size_t count = entries->prices.count;
    struct placed_entry *placed = ARENA_ARRAY(arena, count + 1, struct placed_entry);
    struct price_book *book = ARENA_NEW(arena, struct price_book);
    book->name = base ? base->name : "the price book";
    book->prices =
        ARENA_ARRAY(arena, count + (base ? base->price_count : 0) + 1, struct price_entry);
    book->rule_count = entries->billing.count + (base ? base->rule_count : 0);
    book->rules = join(arena, &entries->billing, base ? base->rules : NULL,
                       base ? base->rule_count : 0, sizeof *book->rules);
    if (!place_entries(book, entries, &prices, placed, error) ||
        !add_api(book, base, entries, &api, arena, error))
        return NULL;
    merge_prices(book, base, placed, count);
    return book;
}

struct price_book *price_book_read(const char *path, struct arena *arena, struct error *error)
{
    struct json_document *document = json_read_file(path, error);
    if (!document)
        return NULL;
    struct price_entries entries;
    struct price_book *book = NULL;
    if (config_read(&price_entries_config_type, document, json_root(document), "", arena, &entries,
                    error))
        book = price_book_extend(NULL, &entries, document, "", arena, error);
    if (book)
        book->name = arena_strdup(arena, path);
    json_free(document);
    return book;
}
