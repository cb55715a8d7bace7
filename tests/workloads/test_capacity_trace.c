#include "workloads/capacity_trace.h"

#include <math.h>

#include "tests/support.h"

static struct arena *arena;
static struct step_series series;
static struct error error;

static void begin(void)
{
    arena = arena_create();
}

static void end(void)
{
    arena_destroy(arena);
}

TestSuite(capacity_trace, .init = begin, .fini = end);

static bool read_text(const char *text, const char *column)
{
    char path[128];
    test_write_file("capacity.csv", text, strlen(text), path, sizeof path);
    struct capacity_trace_options options = {path, CAPACITY_AUTO, column, NULL, INFINITY, false};
    error = (struct error){0};
    return capacity_trace_read(&options, arena, &series, &error);
}

static bool read_prices(const char *text, const char *zone, const char *type)
{
    char path[128];
    test_write_file("prices.csv", text, strlen(text), path, sizeof path);
    struct price_trace_options options = {path, zone, type};
    error = (struct error){0};
    return price_trace_read(&options, arena, &series, &error);
}

static double at_s(double time_s)
{
    return series.points[step_series_find(&series, tick_from_s(time_s))].value;
}

static void expect_refused(bool read, long line, const char *part)
{
    cr_assert_not(read);
    cr_expect_eq(error.code, ERROR_BAD_INPUT);
    cr_expect_eq(error.line, line, "%s", test_error_text(&error));
    cr_expect(strstr(error.message, part), "%s", test_error_text(&error));
    cr_expect(error.file[0]);
}

/* --- what is read --- */

Test(capacity_trace, a_column_is_a_series_that_ends_a_step_after_its_last_row)
{
    const char *text = "offset_s,a,b\n0,4,1\n300,4,2\n600,2,2\n700,0,2\n";
    cr_assert(read_text(text, "a"), "%s", test_error_text(&error));
    cr_expect_eq(series.count, 3);
    cr_expect_eq(at_s(0), 4);
    cr_expect_eq(at_s(599.99), 4);
    cr_expect_eq(at_s(600), 2);
    cr_expect_eq(at_s(1e6), 0);
    cr_expect_eq(series.end, tick_from_s(800));
    cr_expect_not(series.dated);
}

Test(capacity_trace, a_zone_has_its_column_or_the_only_one)
{
    char path[128];
    const char *one = "offset_s,instances\n0,4\n", *two = "offset_s,a,b\n0,4,5\n";
    test_write_file("one.csv", one, strlen(one), path, sizeof path);
    struct capacity_trace_options options = {path, CAPACITY_AUTO, NULL, "b", INFINITY, false};
    cr_assert(capacity_trace_read(&options, arena, &series, &error));
    cr_expect_eq(at_s(0), 4);
    test_write_file("two.csv", two, strlen(two), path, sizeof path);
    cr_assert(capacity_trace_read(&options, arena, &series, &error));
    cr_expect_eq(at_s(0), 5);
    options.zone = "c";
    expect_refused(capacity_trace_read(&options, arena, &series, &error), 1, "no column \"c\"");
}

Test(capacity_trace, dates_count_from_the_first_and_an_offset_goes_first)
{
    cr_assert(read_text("time_utc,z\n2025-10-04T00:10:00Z,1\n2025-10-04T00:20:00Z,3\n", NULL));
    cr_expect_eq(at_s(599), 1);
    cr_expect_eq(at_s(600), 3);
    cr_expect(series.dated);
    cr_expect_eq(series.zero_ns, 1759536600000000000);
    cr_assert(read_text("time_utc,offset_s,z\n2025-10-04T00:10:00Z,50,1\n"
                        "2025-10-04T00:20:00Z,60,3\n",
                        NULL));
    cr_expect_eq(at_s(59), 1);
    cr_expect_eq(at_s(60), 3);
    cr_expect_eq(series.zero_ns, 1759536550000000000);
}

Test(capacity_trace, an_empty_cell_ends_the_series)
{
    cr_assert(read_text("offset_s,a,b\n0,4,1\n300,3,2\n600,,2\n900,,2\n", "a"));
    cr_expect_eq(series.end, tick_from_s(600));
    cr_assert(read_text("offset_s,a,b\n0,4,1\n300,3,2\n600,,2\n900,,2\n", "b"));
    cr_expect_eq(series.end, tick_from_s(1200));
    expect_refused(read_text("offset_s,a,b\n0,4,1\n300,,2\n600,3,2\n", "a"), 4, "goes on");
    expect_refused(read_text("offset_s,a,b\n0,,1\n300,,2\n", "a"), 0, "no rows");
}

Test(capacity_trace, events_add_and_remove_nodes)
{
    cr_assert(read_text("0,add,node1\n0,add,node2\n1500,remove,node1\n2500,add,node1\n", NULL));
    cr_expect_eq(at_s(0), 2);
    cr_expect_eq(at_s(1.5), 1);
    cr_expect_eq(at_s(2.5), 2);
    cr_expect_eq(series.end, tick_from_s(2.5));
    cr_assert(read_text("1000,add,node1\n", NULL));
    cr_expect_eq(at_s(0.5), 0, "nothing is there before the first event");
    expect_refused(read_text("0,add,a\n5,add,a\n", NULL), 2, "\"a\" is added");
    expect_refused(read_text("0,add,a\n5,remove,b\n", NULL), 2, "\"b\" is removed");
    expect_refused(read_text("0,add,a\n5,drop,a\n", NULL), 2, "\"drop\"");
    expect_refused(read_text("0,add,a\n5,add\n", NULL), 2, "2 cells, not 3");
}

Test(capacity_trace, counts_hold_until_the_next_and_the_last_of_one_time_counts)
{
    cr_assert(read_text("0,1\n0,2\n0,3\n60000,2\n", NULL));
    cr_expect_eq(series.count, 2);
    cr_expect_eq(at_s(0), 3);
    cr_expect_eq(at_s(60), 2);
    expect_refused(read_text("0,1\n5,-2\n", NULL), 2, "\"-2\"");
    expect_refused(read_text("0,1\n5,1.5\n", NULL), 2, "\"1.5\"");
    expect_refused(read_text("0,1\n-5,1\n", NULL), 2, "\"-5\"");
}

Test(capacity_trace, a_gap_holds_unless_the_longest_is_given)
{
    char path[128];
    const char *text = "offset_s,a\n0,4\n300,3\n7200,2\n";
    test_write_file("gap.csv", text, strlen(text), path, sizeof path);
    struct capacity_trace_options options = {path, CAPACITY_AUTO, NULL, NULL, INFINITY, false};
    cr_assert(capacity_trace_read(&options, arena, &series, &error));
    cr_expect_eq(at_s(7199), 3);
    options.max_gap_s = 600;
    expect_refused(capacity_trace_read(&options, arena, &series, &error), 4, "6900 s after");
}

Test(capacity_trace, what_is_wrong_is_said_with_its_line)
{
    expect_refused(read_text("", NULL), 0, "empty");
    expect_refused(read_text("offset_s,a\n", "a"), 0, "no rows");
    expect_refused(read_text("offset_s,a\n0,1\n300,2\n200,1\n", "a"), 4, "100 s before");
    expect_refused(read_text("offset_s,a\n0,1\n300,-2\n", "a"), 3, "\"-2\"");
    expect_refused(read_text("offset_s,a\n0,1\n300,2.5\n", "a"), 3, "\"2.5\"");
    expect_refused(read_text("offset_s,a\n0,1\n300\n", "a"), 3, "1 cells");
    expect_refused(read_text("time_utc,a\nyesterday,1\n", "a"), 2, "\"yesterday\"");
    expect_refused(read_text("offset_s,a\n,1\n", "a"), 2, "neither");
    expect_refused(read_text("a,b\n1,2\n", "a"), 1, "no column \"offset_s\"");
    expect_refused(read_text("offset_s,us-east-1a,us-east-1b\n0,1,1\n", "us-east-1c"), 1,
                   "no column \"us-east-1c\"");
    cr_expect(strstr(error.hint, "us-east-1"), "%s", error.hint);
    expect_refused(read_text("offset_s,a,b\n0,1,1\n", NULL), 1, "2 columns");
    expect_refused(read_text("offset_s\n0\n", NULL), 1, "0 columns");
}

/* --- prices --- */

#define PRICES "zone,offset_s,spot_usd_per_hour\na,0,1.5\na,100,1.6\nb,50,2.5\nb,60,2.5\nb,300,2\n"

Test(capacity_trace, prices_hold_until_the_zones_next_row)
{
    cr_assert(read_prices(PRICES, "b", "p3.2xlarge"), "%s", test_error_text(&error));
    cr_expect_eq(series.count, 2);
    cr_expect_eq(at_s(0), 2.5, "the first price holds before it, too");
    cr_expect_eq(at_s(299), 2.5);
    cr_expect_eq(at_s(300), 2);
    cr_assert(read_prices(PRICES, "a", NULL));
    cr_expect_eq(at_s(100), 1.6);
    cr_expect_eq(series.end, tick_from_s(300), "the file's last row ends every zone's record");
}

Test(capacity_trace, aws_prices_are_told_apart_by_zone_and_type)
{
    const char *text = "time_utc,zone,instance_type,spot_usd_per_hour\n"
                       "2019-12-22T08:57:19.000Z,a,p2,10\n2019-12-22T08:57:29.000Z,a,p2,11\n"
                       "2019-12-22T08:57:09.000Z,a,p3,20\n2019-12-22T08:57:39.500Z,a,p3,21\n";
    cr_assert(read_prices(text, "a", "p2"));
    cr_expect_eq(at_s(19), 10);
    cr_expect_eq(at_s(20), 11);
    cr_assert(read_prices(text, NULL, "p3"));
    cr_expect_eq(at_s(30), 20);
    cr_expect_eq(at_s(30.5), 21);
    expect_refused(read_prices(text, "a", NULL), 0, "2 of \"instance_type\"");
    expect_refused(read_prices(text, "a", "p4"), 0, "instance_type \"p4\"");
    expect_refused(read_prices(text, "c", "p2"), 0, "zone \"c\"");
}

Test(capacity_trace, wrong_prices_are_refused)
{
    expect_refused(read_prices("zone,offset_s,spot_usd_per_hour\na,0,-1\n", "a", NULL), 2,
                   "\"-1\"");
    expect_refused(read_prices("zone,offset_s,spot_usd_per_hour\na,0,\n", "a", NULL), 2, "empty");
    expect_refused(read_prices("zone,offset_s,price\na,0,1\n", "a", NULL), 1, "no column");
    expect_refused(read_prices("zone,spot_usd_per_hour\na,1\n", "a", NULL), 2, "neither");
    expect_refused(
        read_prices("zone,offset_s,spot_usd_per_hour\na,10,1\nb,0,1\na,5,2\n", "a", NULL), 4,
        "5 s before");
    expect_refused(read_prices("zone,offset_s,time_utc,spot_usd_per_hour\na,10,,1\n"
                               "a,,2020-01-01T00:00:00Z,1\n",
                               "a", NULL),
                   3, "time_utc");
}

/* --- the recorded files --- */

#define SPOT "traces/spot/"

/* Reads the file a second time, on its own: what was available of `capacity`, and what was lost. */
struct statistics {
    long samples, available, instances_lost;
    double fraction;
};

static struct statistics check_samples(const char *path, int column, int time_column,
                                       double capacity)
{
    struct statistics seen = {0};
    char line[1024];
    double last = -1;
    FILE *file = fopen(path, "r");
    cr_assert(file && fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *cell;
        double time_s = 0, value = NAN;
        for (int i = 0; (cell = strsep(&rest, ",")); i++) {
            if (i == time_column)
                time_s = strtod(cell, NULL);
            if (i == column && cell[0] && cell[0] != '\n')
                value = strtod(cell, NULL);
        }
        if (isnan(value)) {
            cr_expect_leq(series.end, tick_from_s(time_s));
            continue;
        }
        cr_expect_eq(at_s(time_s), value, "%s at %g s", path, time_s);
        cr_expect_gt(series.end, tick_from_s(time_s));
        seen.samples++;
        seen.available += value > 0;
        seen.fraction += value / capacity;
        seen.instances_lost += last > value ? (long)(last - value) : 0;
        last = value;
    }
    fclose(file);
    seen.fraction /= (double)seen.samples;
    return seen;
}

static void read_column(const char *path, const char *column)
{
    struct capacity_trace_options options = {path, CAPACITY_AUTO, column, NULL, INFINITY, false};
    error = (struct error){0};
    cr_assert(capacity_trace_read(&options, arena, &series, &error), "%s", test_error_text(&error));
}

/* How much the series falls in all, and how long it is above nothing, of its whole length. */
static long series_losses(void)
{
    long lost = 0;
    for (size_t i = 1; i < series.count; i++)
        if (series.points[i].value < series.points[i - 1].value)
            lost += (long)(series.points[i - 1].value - series.points[i].value);
    return lost;
}

static double series_available(void)
{
    tick_t available = 0;
    for (size_t i = 0; i < series.count; i++) {
        tick_t next = i + 1 < series.count ? series.points[i + 1].at : series.end;
        available += series.points[i].value > 0 ? next - series.points[i].at : 0;
    }
    return (double)available / (double)series.end;
}

struct recorded_zone {
    const char *file, *zone;
    int column, time_column;
    double capacity;
    long samples, instances_lost; /* as the data's statistics.csv has them */
    double available, fraction;
};

static const struct recorded_zone zones[] = {
    {SPOT "gcp_h100_16x13zones_first75pct.csv", "asia-south2-b", 2, 1, 16, 1578, 13, 1, 0.9995},
    {SPOT "gcp_h100_16x13zones_first75pct.csv", "us-west1-b", 14, 1, 16, 1578, 1051, 0.1806,
     0.1269},
    {SPOT "gcp_h100_16x13zones_first75pct.csv", "us-east5-a", 12, 1, 16, 1578, 2905, 0.8606,
     0.4978},
    {SPOT "aws_v100_9zones_2023-02.csv", "us-east-1a", 1, 0, 1, 20158, 253, 0.1667, 0.1667},
    {SPOT "aws_v100_9zones_2023-02.csv", "us-west-2c", 9, 0, 1, 20158, 142, 0.8913, 0.8913},
    {SPOT "aws_v100_4node_2023-08.csv", "us-east-1f", 1, 0, 4, 3664, 195, 0.3826, 0.3439},
    {SPOT "aws_v100_4node_2023-08.csv", "us-west-2c", 3, 0, 4, 5131, 330, 0.8388, 0.8161}};

Test(capacity_trace, recorded_zones_are_read_back_exactly)
{
    char path[512];
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        const struct recorded_zone *zone = &zones[i];
        if (!test_data_path(zone->file, path, sizeof path))
            cr_skip_test("no shared data");
        read_column(path, zone->zone);
        struct statistics seen =
            check_samples(path, zone->column, zone->time_column, zone->capacity);
        cr_expect_eq(seen.samples, zone->samples);
        cr_expect_eq(seen.instances_lost, zone->instances_lost);
        cr_expect_float_eq(seen.fraction, zone->fraction, 5.1e-5);
        cr_expect_eq(series_losses(), zone->instances_lost);
        /* By time, not by sample: steps are of 194 to 197 s, and one gap is of eleven. */
        cr_expect_float_eq(series_available(), zone->available, 0.01);
    }
}

Test(capacity_trace, bamboos_events_and_parcaes_counts_are_the_same_record)
{
    char path[512];
    if (!test_data_path(SPOT "bamboo_aws_p3_events.csv", path, sizeof path))
        cr_skip_test("no shared data");
    read_column(path, NULL);
    struct step_series events = series;
    read_column(test_data_path(SPOT "parcae_aws_p3_counts.csv", path, sizeof path), NULL);
    cr_assert_eq(events.count, series.count);
    cr_expect_eq(events.end, series.end);
    double most = 0;
    for (size_t i = 0; i < series.count; i++) {
        cr_expect_eq(events.points[i].at, series.points[i].at);
        cr_expect_eq(events.points[i].value, series.points[i].value);
        most = fmax(most, series.points[i].value);
    }
    cr_expect_eq(most, 32);
}

Test(capacity_trace, bamboos_counts_are_read_back_exactly)
{
    char path[512];
    if (!test_data_path(SPOT "bamboo_gcp_a100_us-east1-b_counts.csv", path, sizeof path))
        cr_skip_test("no shared data");
    read_column(path, NULL);
    cr_expect_eq(check_samples(path, 1, 0, 64).samples, 268);
}

/* Where its rows go back in time, the later ones say better what was. */
Test(capacity_trace, a_record_out_of_order_is_sorted_if_asked_to)
{
    cr_assert(read_text("offset_s,instances\n0,80\n60,80\n120,80\n60,70\n180,70\n", NULL) == false);
    cr_expect_eq(error.line, 5);
    char path[512];
    if (!test_data_path(SPOT "bamboo_gcp_v100_us-east1-c_counts.csv", path, sizeof path))
        cr_skip_test("no shared data");
    struct capacity_trace_options options = {path, CAPACITY_AUTO, NULL, NULL, INFINITY, false};
    error = (struct error){0};
    expect_refused(capacity_trace_read(&options, arena, &series, &error), 5, "60 s before");
    options.sort = true;
    cr_assert(capacity_trace_read(&options, arena, &series, &error));
    cr_expect_eq(at_s(59), 80);
    cr_expect_eq(at_s(60), 70);
    cr_expect_eq(at_s(120), 60);
    cr_expect_eq(at_s(87013), 80);
}

Test(capacity_trace, recorded_prices_are_read)
{
    char path[512];
    if (!test_data_path(SPOT "aws_v100_9zones_2023-02_prices.csv", path, sizeof path))
        cr_skip_test("no shared data");
    struct price_trace_options options = {path, "us-east-1a", NULL};
    cr_assert(price_trace_read(&options, arena, &series, &error));
    cr_expect_eq(at_s(0), 1.6703);
    cr_expect_eq(at_s(33567), 1.6703);
    cr_expect_eq(at_s(33568), 1.6729);
    test_data_path(SPOT "aws_gpu_spot_prices_2019-12_2020-03.csv", path, sizeof path);
    options = (struct price_trace_options){path, "eu-central-1a", "p2.8xlarge"};
    cr_assert(price_trace_read(&options, arena, &series, &error), "%s", test_error_text(&error));
    cr_expect_eq(at_s(0), 10.608);
    cr_expect(series.dated);
}
