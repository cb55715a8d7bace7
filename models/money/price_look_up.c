/* Finding prices in a book, and saying what there is where the one that is asked for is not. */
#include <stdlib.h>
#include <string.h>

#include "models/money/price_book.h"

#define ANY "any"

/* The series that starts at the entry of that index. */
static struct price_series series_at(const struct price_book *book, size_t first)
{
    size_t end = first + 1;
    while (end < book->price_count &&
           price_compare_series(&book->prices[first], &book->prices[end]) == 0)
        end++;
    return (struct price_series){&book->prices[first], end - first};
}

/* How well a series answers a query: in the region itself, or where the price is the same
 * everywhere. */
enum match { MATCH_NONE, MATCH_ANY_REGION, MATCH_REGION };

static enum match match_query(const struct price_entry *entry, const struct price_query *query)
{
    if (strcmp(entry->sku, query->sku) != 0 || entry->purchase != (int)query->purchase)
        return MATCH_NONE;
    if (query->provider[0] && strcmp(entry->provider, query->provider) != 0)
        return MATCH_NONE;
    if (!query->region[0] || strcmp(entry->region, query->region) == 0)
        return MATCH_REGION;
    return strcmp(entry->region, ANY) == 0 ? MATCH_ANY_REGION : MATCH_NONE;
}

/* The best series, and another that is as good (count 0: none). */
struct candidates {
    struct price_series best, rival;
};

static struct candidates find_candidates(const struct price_book *book,
                                         const struct price_query *query)
{
    struct candidates found = {0};
    enum match best = MATCH_NONE;
    for (size_t i = 0; i < book->price_count;) {
        struct price_series series = series_at(book, i);
        enum match match = match_query(&book->prices[i], query);
        i += series.count;
        if (match > best) {
            best = match;
            found = (struct candidates){.best = series};
        } else if (match != MATCH_NONE && match == best) {
            found.rival = series;
        }
    }
    return found;
}

struct price_series price_book_find(const struct price_book *book, const struct price_query *query)
{
    struct candidates found = find_candidates(book, query);
    return found.rival.count ? (struct price_series){0} : found.best;
}

/* An entry of the same sku: bought the same way elsewhere, or else in any way; NULL: none. */
static const struct price_entry *find_other(const struct price_book *book,
                                            const struct price_query *query)
{
    const struct price_entry *other = NULL;
    for (size_t i = 0; i < book->price_count; i++) {
        const struct price_entry *entry = &book->prices[i];
        if (strcmp(entry->sku, query->sku) != 0)
            continue;
        if (entry->purchase == (int)query->purchase)
            return entry;
        other = other ? other : entry;
    }
    return other;
}

static void hint_others(const struct price_book *book, const struct price_query *query,
                        struct error *error)
{
    const struct price_entry *other = find_other(book, query);
    if (other) {
        error_hint(error, "it has a price for it as %s of %s, %s",
                   purchase_option_names[other->purchase], other->provider, other->region);
        return;
    }
    const char **names = malloc((book->price_count + 1) * sizeof *names);
    if (!names)
        out_of_memory();
    for (size_t i = 0; i < book->price_count; i++)
        names[i] = book->prices[i].sku;
    const char *nearest = config_nearest(query->sku, names, book->price_count);
    if (nearest)
        error_hint(error, "did you mean \"%s\"?", nearest);
    free(names);
    error_hint(error, "a price book of its own (\"price_book\") or \"prices\" can add it");
}

bool price_book_series(const struct price_book *book, const struct price_query *query,
                       struct price_series *series, struct error *error)
{
    struct candidates found = find_candidates(book, query);
    *series = found.best;
    if (found.best.count == 0) {
        error_at(error, ERROR_BAD_INPUT, book->name, 0, NULL,
                 "there is no %s price of \"%s\"%s%s%s%s", purchase_option_names[query->purchase],
                 query->sku, query->provider[0] ? " of " : "", query->provider,
                 query->region[0] ? " in " : "", query->region);
        hint_others(book, query, error);
        return false;
    }
    if (found.rival.count == 0)
        return true;
    const struct price_entry *one = found.best.entries, *other = found.rival.entries;
    error_at(error, ERROR_BAD_INPUT, book->name, 0, NULL,
             "several prices answer for \"%s\" as %s: of %s in %s, of %s in %s", query->sku,
             purchase_option_names[query->purchase], one->provider, one->region, other->provider,
             other->region);
    return error_hint(error, "name the provider and the region of the market");
}

const struct price_entry *price_series_at(const struct price_series *series, int64_t unix_s,
                                          int64_t *next)
{
    for (size_t i = 0; i < series->count; i++) {
        const struct price_entry *entry = &series->entries[i];
        if (unix_s >= entry->until_unix_s)
            continue;
        bool holds = unix_s >= entry->from_unix_s;
        *next = holds ? entry->until_unix_s : entry->from_unix_s;
        return holds ? entry : NULL;
    }
    *next = UTC_NEVER;
    return NULL;
}

const struct api_price *price_book_api(const struct price_book *book, const char *name,
                                       int64_t unix_s, struct error *error)
{
    bool named = false;
    for (size_t i = 0; i < book->api_count; i++) {
        const struct api_price *api = &book->api[i];
        if (strcmp(api->name, name) != 0)
            continue;
        if (unix_s >= api->from_unix_s && unix_s < api->until_unix_s)
            return api;
        named = true;
    }
    error_at(error, ERROR_BAD_INPUT, book->name, 0, NULL, "there is no API price \"%s\"%s", name,
             named ? " at that date" : "");
    const char **names = malloc((book->api_count + 1) * sizeof *names);
    if (!names)
        out_of_memory();
    for (size_t i = 0; i < book->api_count; i++)
        names[i] = book->api[i].name;
    config_hint_names(error, name, names, book->api_count);
    free(names);
    return NULL;
}
