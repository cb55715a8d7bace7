/* Usages: hours, and what is refused in their files. */
#include "tests/models/money/support.h"

#include <sys/stat.h>

TestSuite(usage, .init = set_up, .fini = tear_down);

Test(usage, hours_are_those_of_the_clock)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02T10:45:00Z");
    cr_expect_eq(usage_hour_of(&usage, 0), 0);
    cr_expect_eq(usage_hour_of(&usage, tick_from_s(900) - 1), 0);
    cr_expect_eq(usage_hour_of(&usage, tick_from_s(900)), 1);
    cr_expect_eq(usage_hour_start(&usage, 1), tick_from_s(900));
    usage_hour(&usage, 0, tick_from_s(900 + 3600))->busy_ticks = 7;
    cr_assert_eq(usage.hour_count, 3);
    cr_expect_eq(usage.hours[1].busy_ticks, 0);
    cr_expect_eq(usage.hours[2].busy_ticks, 7);
    usage_free(&usage);
}

Test(usage, nanoseconds_survive_the_way_there_and_back)
{
    int64_t ns = 1;
    for (int i = 0; i < 60; i++, ns = (ns * 13 + 7) % 134179200000000000)
        cr_expect_eq(usage_ns(usage_tick_of_ns(ns)), ns);
}

Test(usage, the_same_price_again_is_no_step)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage_set_spot_price(&usage, 0, 0, 1);
    usage_set_spot_price(&usage, 0, 5, 1);
    usage_set_spot_price(&usage, 0, 9, 2);
    usage_set_spot_price(&usage, 0, 9, 3);
    cr_assert_eq(usage.spot[0].count, 2);
    cr_expect_eq(usage.spot[0].steps[1].usd_per_hour, 3);
    usage_free(&usage);
}

/* --- files --- */

static void save_sample(void)
{
    struct usage usage;
    struct error error = {0};
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    add_life(&usage, 0, PURCHASE_SPOT, 1.5, 3600, NODE_END_INTERRUPTED);
    add_life(&usage, 1, PURCHASE_ON_DEMAND, 0, 7200, NODE_END_HORIZON);
    usage.nodes[0].carried = tick_from_s(0.5);
    usage_set_spot_price(&usage, 0, 0, 1.25);
    usage_hour(&usage, 0, 0)->busy_ticks = tick_from_s(10);
    usage_class_hour(&usage, 0, 1, 0)->requests = 3;
    cr_assert(usage_write(&usage, test_folder(), &error), "%s", test_error_text(&error));
    usage_free(&usage);
}

static void in_folder(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", test_folder(), name);
}

/* Puts another text in the place of one in a file of the sample, and expects it to be refused. */
static void expect_refused(const char *name, const char *text, const char *other, long line,
                           const char *message)
{
    char path[256], written[256];
    save_sample();
    in_folder(name, path);
    char *bytes = test_read_file(path, NULL), *at = strstr(bytes, text);
    cr_assert_not_null(at, "no %s in %s", text, bytes);
    char *changed = malloc(strlen(bytes) + strlen(other) + 1);
    sprintf(changed, "%.*s%s%s", (int)(at - bytes), bytes, other, at + strlen(text));
    test_write_file(name, changed, strlen(changed), written, sizeof written);
    free(bytes);
    free(changed);
    struct usage usage;
    struct error error = {0};
    cr_expect_not(usage_read(&usage, test_folder(), &error));
    cr_expect_eq(error.line, line, "line %ld: %s", error.line, error.message);
    cr_expect(strstr(error.message, message), "%s", error.message);
}

Test(usage, files_say_what_was_saved)
{
    struct usage usage;
    struct error error = {0};
    save_sample();
    cr_assert(usage_read(&usage, test_folder(), &error), "%s", test_error_text(&error));
    cr_expect_eq(usage.start_unix_s, unix_of("2025-06-02"));
    cr_expect_eq(usage.end, tick_from_s(7200));
    cr_assert_eq(usage.node_count, 2);
    cr_expect_eq(usage.nodes[0].billed_from, tick_from_s(1.5));
    cr_expect_eq(usage.nodes[0].why, NODE_END_INTERRUPTED);
    cr_expect_eq(usage.nodes[0].carried, tick_from_s(0.5));
    cr_expect_str_eq(usage.markets[1].sku, "small");
    cr_expect(isnan(usage.markets[1].on_demand_usd_per_hour));
    cr_expect_eq(usage.hours[0].busy_ticks, tick_from_s(10));
    cr_expect_eq(usage.class_hours[1].requests, 3);
    cr_expect_eq(usage.spot[0].steps[0].usd_per_hour, 1.25);
    usage_free(&usage);
}

Test(usage, bad_files_are_refused_where_they_are_bad)
{
    expect_refused("usage_nodes.csv", "0,0,1,spot", "0,2,1,spot", 2, "no such pool or market");
    expect_refused("usage_nodes.csv", "spot", "reserved_1y", 2, "not bought in such a way");
    expect_refused("usage_nodes.csv", "interrupted", "bored", 2, "no reason");
    expect_refused("usage_nodes.csv", "1.500000000", "9.5,9", 2, "cells");
    expect_refused("usage_nodes.csv", "0.000000000,0.000000000", "8.0,0.0", 3, "out of order");
    expect_refused("usage_nodes.csv", "7200.000000000,horizon", "7201,horizon", 3, "out of order");
    expect_refused("usage_nodes.csv", "1.500000000", "soon", 2, "not a number of seconds");
    expect_refused("usage_nodes.csv", "0.500000000", "1.6", 2, "out of order");
    expect_refused("usage_hours.csv", "0,0,10", "5,0,10", 2, "no such pool or hour");
    expect_refused("usage_served.csv", "0,0,1,3", "0,0,2,3", 2, "no such pool, class or hour");
    expect_refused("usage_served.csv", "0,0,1,3,0", "0,0,1,3,4", 2, "more than the whole");
    expect_refused("usage_spot.csv", "1.25", "-1.25", 2, "usd_per_hour");
    expect_refused("usage.json", "\"2025-06-02T00:00:00Z\"", "\"Monday\"", 2, "not a date");
    expect_refused("usage.json", "\"nodes\": 2", "\"nodes\": 3", 0, "2 rows");
}

Test(usage, a_table_that_is_missing_is_missed)
{
    char path[256];
    struct usage usage;
    struct error error = {0};
    save_sample();
    in_folder("usage_served.csv", path);
    cr_assert_eq(remove(path), 0);
    cr_expect_not(usage_read(&usage, test_folder(), &error));
    cr_expect(strstr(error.file, "usage_served.csv"), "%s", error.file);
}
