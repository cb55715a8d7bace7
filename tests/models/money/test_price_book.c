/* Dated prices: what holds when, and which books are refused. */
#include "tests/models/money/support.h"

#include "models/catalog_path.h"
#include "models/hardware/hardware.h"

TestSuite(price_book, .init = set_up, .fini = tear_down);

#define PRICE(sku, dates)                                                                          \
    "{\"sku\": \"" sku "\", \"provider\": \"AWS\", \"region\": \"east\","                          \
    " \"purchase\": \"on_demand\", \"usd_per_hour\": 2" dates "}"

static const struct price_entry *price_at(const struct price_book *book,
                                          const struct price_query *query, const char *date,
                                          int64_t *next)
{
    struct error error = {0};
    struct price_series series;
    cr_assert(price_book_series(book, query, &series, &error), "%s", test_error_text(&error));
    return price_series_at(&series, unix_of(date), next);
}

static struct price_book *shipped_book(void)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    struct price_book *book =
        price_book_read(arena_printf(arena, "%s/prices.json", folder), arena, &error);
    cr_assert_not_null(book, "%s", test_error_text(&error));
    return book;
}

Test(price_book, the_shipped_one_knows_the_cut_of_june_2025)
{
    struct price_book *book = shipped_book();
    static const struct {
        const char *sku;
        double before, after;
    } cuts[] = {{"p5.48xlarge", 98.32, 55.04},
                {"p5en.48xlarge", 84.80, 63.296},
                {"p4d.24xlarge", 32.7726, 21.957642},
                {"p4de.24xlarge", 40.96579, 27.44705}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct price_query query = {cuts[i].sku, "AWS", "us-east-1", PURCHASE_ON_DEMAND};
        int64_t next;
        cr_expect_eq(price_at(book, &query, "2025-05-31T23:59:59Z", &next)->usd_per_hour,
                     cuts[i].before);
        cr_expect_eq(next, unix_of("2025-06-01"));
        cr_expect_eq(price_at(book, &query, "2025-06-01", &next)->usd_per_hour, cuts[i].after);
        cr_expect_eq(next, UTC_NEVER);
    }
}

Test(price_book, entries_of_the_shipped_one_name_their_source)
{
    struct price_book *book = shipped_book();
    cr_expect_gt(book->price_count, 100);
    cr_expect_gt(book->api_count, 10);
    for (size_t i = 0; i < book->price_count; i++) {
        const struct price_entry *entry = &book->prices[i];
        cr_expect_str_neq(entry->source, "not stated", "%s", entry->sku);
        cr_expect_str_neq(entry->known, "not stated", "%s", entry->sku);
        cr_expect_str_neq(entry->as_of, "", "%s", entry->sku);
        cr_expect_gt(entry->usd_per_hour, 0);
    }
    for (size_t i = 0; i < book->api_count; i++)
        cr_expect_str_neq(book->api[i].known, "not stated", "%s", book->api[i].name);
}

Test(price_book, meters_are_those_of_the_provider)
{
    struct price_book *book = shipped_book();
    static const struct {
        struct price_query query;
        double granularity_s, minimum_s, free_s;
    } meters[] = {
        {{"p5.48xlarge", "AWS", "us-east-1", PURCHASE_SPOT}, 1, 60, 3600},
        {{"g2-standard-4", "GCP", "us-central1", PURCHASE_SPOT}, 1, 60, 60},
        {{"lambda-h100-sxm", "Lambda", "", PURCHASE_ON_DEMAND}, 60, 60, 0},
    };
    for (size_t i = 0; i < sizeof meters / sizeof *meters; i++) {
        int64_t next;
        const struct price_entry *entry = price_at(book, &meters[i].query, "2026-01-01", &next);
        cr_expect_eq(entry->granularity_s, meters[i].granularity_s);
        cr_expect_eq(entry->minimum_s, meters[i].minimum_s);
        cr_expect_eq(entry->free_if_interrupted_s, meters[i].free_s);
    }
    cr_expect_eq(price_book_rule(book, "somebody").minimum_s, 3600);
}

Test(price_book, a_gap_is_no_price_and_says_when_it_ends)
{
    struct price_book *book =
        good_book("{\"prices\": [" PRICE("x", ", \"from\": \"2025-03-01\"") "," PRICE(
            "x", ", \"from\": \"2025-01-01\", \"until\": \"2025-02-01\"") "]}");
    struct price_query query = {"x", "", "", PURCHASE_ON_DEMAND};
    int64_t next;
    cr_expect_null(price_at(book, &query, "2024-12-31", &next));
    cr_expect_eq(next, unix_of("2025-01-01"));
    cr_expect_not_null(price_at(book, &query, "2025-01-31T23:59:59Z", &next));
    cr_expect_null(price_at(book, &query, "2025-02-01", &next));
    cr_expect_eq(next, unix_of("2025-03-01"));
    cr_expect_not_null(price_at(book, &query, "2025-03-01", &next));
}

Test(price_book, an_own_series_takes_the_place_of_the_shipped_one)
{
    struct price_book *base = good_book("{\"prices\": [" PRICE("x", "") "," PRICE("z", "") "]}");
    const char *text = "{\"prices\": ["
                       "{\"sku\": \"x\", \"provider\": \"AWS\", \"region\": \"east\","
                       " \"purchase\": \"on_demand\", \"usd_per_hour\": 7,"
                       " \"from\": \"2025-01-01\"}," PRICE("y", "") "]}";
    struct error error = {0};
    struct json_document *document = json_read_text("own.json", text, strlen(text), &error);
    struct price_entries entries;
    cr_assert(config_read(&price_entries_config_type, document, json_root(document), "", arena,
                          &entries, &error));
    struct price_book *book = price_book_extend(base, &entries, document, "", arena, &error);
    json_free(document);
    cr_assert_not_null(book);
    cr_expect_eq(book->price_count, 3);
    struct price_query query = {"x", "AWS", "east", PURCHASE_ON_DEMAND};
    int64_t next;
    cr_expect_null(price_at(book, &query, "2024-12-31", &next));
    cr_expect_eq(price_at(book, &query, "2025-01-01", &next)->usd_per_hour, 7);
    query.sku = "z";
    cr_expect_not_null(price_at(book, &query, "2025-01-01", &next));
}

/* --- what is refused --- */

static void expect_refused(const char *text, const char *path, const char *message)
{
    struct error error = {0};
    cr_expect_null(book_from(text, &error));
    cr_expect_str_eq(error.json_path, path);
    cr_expect(strstr(error.message, message), "%s", error.message);
}

Test(price_book, bad_books_are_refused_where_they_are_bad)
{
    expect_refused(
        "{\"prices\": [" PRICE("x", "") ",\n" PRICE("x", ", \"from\": \"2025-01-01\"") "]}",
        "/prices/1", "overlaps that on line 1, which holds for good");
    expect_refused("{\"prices\": [" PRICE("x", ", \"from\": \"2025-01-01\"") "," PRICE(
                       "x", ", \"until\": \"2025-01-02\"") "]}",
                   "/prices/0", "overlaps");
    expect_refused(
        "{\"prices\": [" PRICE("x", ", \"from\": \"2025-02-01\", \"until\": \"2025-01-01\"") "]}",
        "/prices/0/until", "not after");
    expect_refused("{\"prices\": [" PRICE("x", ", \"from\": \"2025-02-30\"") "]}", "/prices/0/from",
                   "not a date");
    expect_refused("{\"prices\": [{\"sku\": \"x\", \"provider\": \"AWS\","
                   " \"purchase\": \"on_demand\", \"usd_per_hour\": -1}]}",
                   "/prices/0/usd_per_hour", "0");
    expect_refused("{\"prices\": [{\"sku\": \"x\", \"provider\": \"AWS\","
                   " \"purchase\": \"ondemand\", \"usd_per_hour\": 1}]}",
                   "/prices/0/purchase", "ondemand");
}

Test(price_book, prices_that_touch_do_not_overlap)
{
    good_book("{\"prices\": [" PRICE("x", ", \"from\": \"2025-01-01\"") "," PRICE(
        "x", ", \"until\": \"2025-01-01\"") "]}");
}

Test(price_book, what_is_not_there_is_said_with_what_is)
{
    struct price_book *book = shipped_book();
    struct price_series series;
    struct error error = {0};
    struct price_query query = {"p5.49xlarge", "AWS", "us-east-1", PURCHASE_ON_DEMAND};
    cr_expect_not(price_book_series(book, &query, &series, &error));
    cr_expect(strstr(error.hint, "p5.48xlarge"), "%s", error.hint);
    error = (struct error){0};
    query = (struct price_query){"p5.48xlarge", "AWS", "eu-north-1", PURCHASE_ON_DEMAND};
    cr_expect_not(price_book_series(book, &query, &series, &error));
    cr_expect(strstr(error.hint, "AWS, us"), "%s", error.hint);
    error = (struct error){0};
    book = good_book("{\"prices\": [" PRICE(
        "x", "") ","
                 "{\"sku\": \"x\", \"provider\": \"GCP\", \"purchase\": \"on_demand\","
                 " \"usd_per_hour\": 1}]}");
    query = (struct price_query){"x", "", "", PURCHASE_ON_DEMAND};
    cr_expect_not(price_book_series(book, &query, &series, &error));
    cr_expect(strstr(error.message, "several prices"), "%s", error.message);
    cr_expect_eq(price_book_find(book, &query).count, 0);
}

/* Two files of the catalogue say what an instance costs on demand. */
Test(price_book, instances_cost_what_the_catalogue_of_instances_says)
{
    struct error error = {0};
    struct price_book *book = shipped_book();
    const struct hardware *hardware = hardware_read(catalog_path(arena, &error), arena, &error);
    for (size_t i = 0; i < hardware->instance_count; i++) {
        const struct instance *instance = &hardware->instances[i];
        struct price_query query = {instance->name, instance->provider, instance->region,
                                    PURCHASE_ON_DEMAND};
        struct price_series series = price_book_find(book, &query);
        int64_t next;
        const struct price_entry *entry = price_series_at(&series, unix_of("2026-10-01"), &next);
        cr_assert_not_null(entry, "no price of %s", instance->name);
        cr_expect_eq(entry->usd_per_hour, instance->usd_per_hour, "%s of %s: %g, and %g",
                     instance->name, instance->provider, entry->usd_per_hour,
                     instance->usd_per_hour);
    }
}
