/* Price books: what things cost, and when.
 *
 * A book is a file like models/catalog/prices.json: dated prices of instances, the billing rules of
 * providers, and prices of managed APIs by the token. A price holds from a date until another
 * (half-open, UTC; null: since ever, for good). Prices with the same sku, provider, region and
 * purchase form a series, which may have gaps, but no overlaps: those are refused when the book is
 * read. That usage falls into a gap is for billing to say.
 *
 * Everything is owned by the arena the book was read into. Finding a series walks the sorted
 * series, a price in it the few entries: callers keep the series. */
#ifndef TOKENYARD_MODELS_MONEY_PRICE_BOOK_H
#define TOKENYARD_MODELS_MONEY_PRICE_BOOK_H

#include <stddef.h>
#include <stdint.h>

#include "models/money/purchase_option.h"
#include "sim/config.h"

/* An instant that never comes: a series without a next change, a price without an end. */
#define UTC_NEVER INT64_MAX

struct price_entry {
    const char *sku;          /* instance type, or GPU where GPUs are rented one by one */
    const char *provider;     /* "AWS" */
    const char *region;       /* "any": the same everywhere */
    int purchase;             /* enum purchase_option */
    double usd_per_hour;      /* of one instance */
    const char *from, *until; /* dates; NULL: open */
    /* How a node's life is metered; NaN in the file: the provider's rule. */
    double granularity_s;         /* its length is rounded up to whole multiples of this */
    double minimum_s;             /* and is at least this */
    double free_if_interrupted_s; /* Spot taken back before this costs nothing */
    double upfront_usd;           /* of one instance for the term; commitments only */
    const char *as_of;            /* when somebody read the price */
    const char *source, *known;
    int64_t from_unix_s, until_unix_s; /* the dates; INT64_MIN and UTC_NEVER where open */
};

/* What a managed API takes for a million tokens. */
struct api_price {
    const char *name; /* how commands call it: "openai/gpt-4o-mini" */
    const char *provider, *model;
    double input_usd_per_mtok, cached_usd_per_mtok, output_usd_per_mtok;
    double batch_discount_percent; /* off all three for requests that can wait */
    const char *from, *until;
    const char *as_of, *source, *known;
    int64_t from_unix_s, until_unix_s;
};

/* How a provider meters the life of an instance that no entry says more about. */
struct billing_rule {
    const char *provider;
    double granularity_s, minimum_s;
    double free_if_interrupted_s; /* Spot taken back before this costs nothing */
    const char *source, *known;
};

/* The words of a file: what config_read fills. */
struct price_entries {
    struct config_list billing; /* struct billing_rule */
    struct config_list prices;  /* struct price_entry */
    struct config_list api;     /* struct api_price */
};
extern const struct config_type price_entries_config_type;

/* Consecutive entries of one sku, provider, region and purchase, by date. */
struct price_series {
    const struct price_entry *entries;
    size_t count;
};

struct price_book {
    const char *name;           /* of the file it was read from */
    struct price_entry *prices; /* sorted by sku, provider, region, purchase, date */
    size_t price_count;
    const struct api_price *api;
    size_t api_count;
    const struct billing_rule *rules; /* of the files; what they do not say is in price_book.c */
    size_t rule_count;
};

/* By sku, provider, region and purchase: 0 for entries of the same series. */
int price_compare_series(const struct price_entry *a, const struct price_entry *b);

/* NULL on error. */
struct price_book *price_book_read(const char *path, struct arena *arena, struct error *error);

/* A book with these entries, which were read at the pointer of the document, before those of base
 * (NULL: none): a series that is given anew takes the place of base's. NULL on error. */
struct price_book *price_book_extend(const struct price_book *base,
                                     const struct price_entries *entries,
                                     const struct json_document *document, const char *pointer,
                                     struct arena *arena, struct error *error);

struct price_query {
    const char *sku, *provider, *region; /* "" for the last two: the only one that there is */
    enum purchase_option purchase;
};

/* The series that is asked for: of the region, else of "any". What is not there, or not unique, is
 * an error that says what is. */
bool price_book_series(const struct price_book *book, const struct price_query *query,
                       struct price_series *series, struct error *error);
/* The same; an empty series where there is none, or more than one. */
struct price_series price_book_find(const struct price_book *book, const struct price_query *query);

/* How the provider meters instances whose prices say nothing else: the book's rule, or what
 * price_book.c knows. */
struct billing_rule price_book_rule(const struct price_book *book, const char *provider);

/* The price that holds at the instant, NULL in a gap; next is the instant at which that changes. */
const struct price_entry *price_series_at(const struct price_series *series, int64_t unix_s,
                                          int64_t *next);

/* The API price of that name that holds at the instant. NULL on error. */
const struct api_price *price_book_api(const struct price_book *book, const char *name,
                                       int64_t unix_s, struct error *error);

#endif
