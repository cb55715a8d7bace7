#include <criterion/criterion.h>
#include <math.h>

#include "analysis/timeline.h"
#include "tests/analysis/sample_run.h"
#include "tests/support.h"

static const char *csv_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/timeline.csv", test_folder());
    return path;
}

static struct timeline *open_timeline(struct sample_run *run, double interval_s)
{
    struct error error = {0};
    struct timeline *timeline = timeline_open(csv_path(), &run->spec, interval_s, &error);
    cr_assert_not_null(timeline, "%s", test_error_text(&error));
    return timeline;
}

/* Samples a run of 3 arrivals and 2 completions per second and pool, whose power is its time;
 * returns the number of samples. */
static size_t sample_until(struct timeline *timeline, double end_s)
{
    size_t samples = 0;
    double time_s = timeline_first_sample_s(timeline), last_s = 0;
    while (time_s <= end_s) {
        struct pool_sample pool = {.waiting = (uint32_t)samples,
                                   .running = 5,
                                   .arrived = (uint64_t)floor(3 * time_s),
                                   .completed = (uint64_t)floor(2 * time_s),
                                   .kv_used = 0.5,
                                   .power_w = (last_s + time_s) / 2,
                                   .busy = 0.25};
        const struct pool_sample pools[2] = {pool, pool};
        last_s = time_s;
        time_s += timeline_sample(timeline, time_s, pools);
        samples++;
    }
    return samples;
}

Test(timeline, keeps_few_rows_and_takes_few_samples_however_long_the_run)
{
    struct sample_run *run = sample_run_create_empty();
    static const double ends_s[] = {10, 1000, 1e6};
    for (size_t i = 0; i < 3; i++) {
        struct timeline *timeline = open_timeline(run, NAN);
        size_t samples = sample_until(timeline, ends_s[i]), rows;
        timeline_rows(timeline, &rows);
        cr_assert(rows >= TIMELINE_ROWS / 2 && rows < TIMELINE_ROWS, "%zu rows for %g s", rows,
                  ends_s[i]);
        cr_assert_lt((double)samples, TIMELINE_ROWS / 2 * (2 + log2(ends_s[i] / 4)));
        timeline_close(timeline);
    }
    sample_run_destroy(run);
}

/* What merging must keep: rows that follow each other without gaps, counts that add up, means that
 * are means of their interval. */
Test(timeline, merging_loses_nothing)
{
    struct sample_run *run = sample_run_create_empty();
    struct timeline *timeline = open_timeline(run, NAN);
    sample_until(timeline, 1000);
    size_t count;
    const struct timeline_row *rows = timeline_rows(timeline, &count);
    double arrived = 0, start_s = 0;
    for (size_t i = 0; i < count; i++) {
        const struct timeline_cell *cell = &rows[i].pools[1];
        cr_assert_eq(rows[i].start_s, start_s);
        cr_assert_float_eq(cell->busy, 0.25, 1e-12);
        cr_assert_float_eq(cell->power_w, (rows[i].start_s + rows[i].end_s) / 2, 1e-6);
        arrived += cell->arrived;
        start_s = rows[i].end_s;
    }
    cr_assert_eq(arrived, floor(3 * start_s));
    cr_assert_gt(start_s, 990);
    timeline_close(timeline);
    sample_run_destroy(run);
}

static size_t count_lines(const char *path)
{
    char *text = test_read_file(path, NULL);
    size_t lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    free(text);
    return lines;
}

Test(timeline, an_interval_that_was_asked_for_is_kept)
{
    struct sample_run *run = sample_run_create_empty();
    struct timeline *timeline = open_timeline(run, 0.5);
    cr_assert_eq(sample_until(timeline, 1000), 2000);
    size_t rows;
    timeline_rows(timeline, &rows);
    cr_assert_lt(rows, TIMELINE_ROWS, "those for the plots are bounded all the same");
    struct error error = {0};
    cr_assert(timeline_commit(timeline, &error), "%s", test_error_text(&error));
    timeline_close(timeline);
    cr_assert_eq(count_lines(csv_path()), 1 + 2000);
    sample_run_destroy(run);
}

Test(timeline, csv_names_every_column_and_counts_both_pools)
{
    struct sample_run *run = sample_run_create_empty();
    run->pools[0].name = "a, \"b\"";
    struct timeline *timeline = open_timeline(run, 1);
    sample_until(timeline, 2);
    cr_assert(timeline_commit(timeline, NULL));
    timeline_close(timeline);
    char line[1024];
    FILE *file = fopen(csv_path(), "r");
    cr_assert_str_eq(fgets(line, sizeof line, file),
                     "time_s,waiting,running,power_w,arrivals_per_s,completions_per_s,"
                     "\"a, \"\"b\"\".waiting\",\"a, \"\"b\"\".running\",\"a, \"\"b\"\".kv_used\","
                     "\"a, \"\"b\"\".busy\",\"a, \"\"b\"\".power_w\","
                     "\"a, \"\"b\"\".arrivals_per_s\",\"a, \"\"b\"\".completions_per_s\","
                     "cheap.waiting,cheap.running,cheap.kv_used,cheap.busy,cheap.power_w,"
                     "cheap.arrivals_per_s,cheap.completions_per_s\n");
    cr_assert_str_eq(fgets(line, sizeof line, file),
                     "1,0,10,1,6,4,0,5,0.5,0.25,0.5,3,2,0,5,0.5,0.25,0.5,3,2\n");
    fclose(file);
    sample_run_destroy(run);
}
