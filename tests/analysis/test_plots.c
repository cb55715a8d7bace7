#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "analysis/plots.h"
#include "sim/out_file.h"
#include "tests/analysis/sample_run.h"
#include "tests/support.h"

/* Draws the run's plots, without a timeline, into the test's folder. */
static struct plots_outcome draw(struct sample_run *run)
{
    struct summary *summary = summary_create(&run->facts, &run->result);
    const struct plot_input input = {.summary = summary, .result = &run->result};
    struct plots_outcome outcome;
    struct error error = {0};
    cr_assert(plots_write(test_folder(), &input, &outcome, &error), "%s", test_error_text(&error));
    summary_destroy(summary);
    return outcome;
}

static bool exists(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return access(path, F_OK) == 0;
}

static void need_gnuplot(void)
{
    if (system("command -v gnuplot >/dev/null 2>&1") != 0)
        cr_skip_test("no gnuplot here");
}

Test(plots, draws_what_there_is)
{
    need_gnuplot();
    struct sample_run *run = sample_run_create();
    struct plots_outcome outcome = draw(run);
    cr_assert(outcome.drawn, "%s", outcome.why);
    cr_assert_eq(outcome.count, 4, "three distributions and the pools");
    cr_assert(exists("ttft.svg") && exists("tpot.svg") && exists("e2e.svg") && exists("pools.svg"));
    cr_assert_not(exists("load.gp"), "no timeline, no plot of it");
    sample_run_destroy(run);
}

/* Latencies that leave a logarithmic axis little to show: all equal, none, all zero. */
Test(plots, draws_degenerate_latencies)
{
    need_gnuplot();
    struct sample_run *run = sample_run_create_empty();
    run->spec.slo_count = 0;
    struct latency_set *set = &run->result.by_class[0];
    histogram_add(&set->ttft, tick_from_s(1), 5);
    histogram_add(&set->e2e, 0, 5);
    set->completed = run->result.completed = 5;
    run->result.end_s = run->result.measured_s = 1;
    struct plots_outcome outcome = draw(run);
    cr_assert(outcome.drawn, "%s", outcome.why);
    cr_assert(exists("ttft.svg") && exists("e2e.svg"));
    cr_assert_not(exists("tpot.gp"), "no request had a second token");
    sample_run_destroy(run);
}

Test(plots, draws_more_pools_and_classes_than_can_be_told_apart)
{
    need_gnuplot();
    enum { MANY = 40 };
    struct sample_run *one = sample_run_create();
    struct pool_spec pools[MANY];
    struct pool_facts facts[MANY];
    struct class_rule classes[MANY];
    struct timeline_cell cells[2][MANY] = {0};
    struct timeline_row rows[2] = {{0, 1, cells[0]}, {1, 2, cells[1]}};
    struct simulation_result result = one->result;
    result.by_class = calloc(MANY, sizeof *result.by_class);
    result.pools = calloc(MANY, sizeof *result.pools);
    for (int i = 0; i < MANY; i++) {
        pools[i] = one->pools[i % 2];
        facts[i] = one->facts_of_pools[i % 2];
        classes[i] = one->classes[i % 2];
        result.by_class[i] = one->result.by_class[i % 2];
        result.pools[i] = one->result.pools[i % 2];
    }
    struct simulation_spec spec = one->spec;
    spec.pools = pools, spec.pool_count = MANY, spec.classes = classes, spec.class_count = MANY;
    const struct run_facts run_facts = {"many", &spec, facts};
    struct summary *summary = summary_create(&run_facts, &result);
    const struct plot_input input = {summary, &result, rows, 2};
    struct plots_outcome outcome;
    cr_assert(plots_write(test_folder(), &input, &outcome, NULL));
    cr_assert(outcome.drawn, "%s", outcome.why);
    cr_assert_eq(outcome.count, 6);
    summary_destroy(summary);
    free(result.by_class);
    free(result.pools);
    sample_run_destroy(one);
}

/* gnuplot itself does not notice that its picture was cut. */
Test(plots, a_picture_that_was_cut_does_not_appear)
{
    need_gnuplot();
    struct sample_run *run = sample_run_create();
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){16000, RLIM_INFINITY});
    struct plots_outcome outcome = draw(run);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    cr_assert_not(outcome.drawn);
    cr_assert_not(exists("ttft.svg"));
    char temporary[64];
    out_file_temporary("ttft.svg", temporary, sizeof temporary);
    cr_assert_not(exists(temporary));
    cr_assert(exists("ttft.gp"));
    sample_run_destroy(run);
}
