/* Plans with markets, on cases that can be worked out by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/plan_spot.h"
#include "analysis/plan_spot_answer.h"
#include "tests/support.h"

/* Nodes of one GPU at 1 USD on demand and 0.25 USD on Spot; two hours; ' stands for ". */
#define SCENARIO                                                                                   \
    "{'name': 'case', 'model': '%s', 'horizon_s': 7200,"                                           \
    " 'workload': {'generator': {'arrivals': {'kind': 'poisson', 'rate_per_s': 0.2},"              \
    "              'prompt_tok': {'kind': 'constant', 'tok': 100},"                                \
    "              'output_tok': {'kind': 'constant', 'tok': 20}}},"                               \
    " 'markets': [{'name': 'zone', 'instance': 'node', 'notice_s': 0, 'capacity': %s,"             \
    "              'price': {'kind': 'fixed', 'usd_per_hour': 0.25}}],"                            \
    " 'hardware': {'instances': [{'name': 'node', 'gpu': 'chip', 'usd_per_hour': 1}],"             \
    "              'gpus': [{'name': 'chip', 'memory_gib': 16, 'bandwidth_gb_s': 900,"             \
    "                        'bf16_tflops': 120, 'link_gb_s': 16, 'tdp_w': 300}]},"                \
    " 'plan': {'budget_usd_h': 2, 'sample_requests': 100, 'measure_requests': 20,"                 \
    "          'layouts': {'tensor_parallel': [1]}, 'cut': {'prompt_bins': 1, 'output_bins': 1},"  \
    "          'offers': [{'instance': 'node', 'elastic': {'markets': ['zone'],"                   \
    "                      'start_up': {'kind': 'instant'}}}]}}"

struct test_case {
    struct scenario *scenario;
    struct plan_question question;
    struct plan_spot spot;
};

static struct test_case begin(const char *capacity, const char *set)
{
    char text[4096], path[256], *model = realpath("tests/golden/run/tiny-model.json", NULL);
    int length = snprintf(text, sizeof text, SCENARIO, model, capacity);
    free(model);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    test_write_file("scenario.json", text, (size_t)length, path, sizeof path);
    struct error error = {0};
    struct test_case test = {.scenario = scenario_read(path, &set, set != NULL, &error)};
    cr_assert_not_null(test.scenario, "%s", test_error_text(&error));
    cr_assert(plan_question_build(test.scenario, &test.question, &error), "%s",
              test_error_text(&error));
    return test;
}

static void prepare(struct test_case *test)
{
    struct error error = {0};
    cr_assert(plan_spot_prepare(&test->question, &test->spot, &error), "%s",
              test_error_text(&error));
}

static void end(struct test_case *test)
{
    plan_question_clear(&test->question);
    scenario_free(test->scenario);
}

static void is_bought(const struct plan_proposal *proposal, int64_t on_demand, int64_t spot)
{
    cr_assert_not_null(proposal);
    cr_assert_eq(proposal->bought[0].on_demand, on_demand, "%lld on demand",
                 (long long)proposal->bought[0].on_demand);
    cr_assert_eq(proposal->bought[0].spot, spot, "%lld on Spot",
                 (long long)proposal->bought[0].spot);
    cr_assert_eq(proposal->solution.replicas[0], on_demand + spot);
}

Test(plan_spot, measures_what_a_market_supplies)
{
    struct test_case test = begin("{'kind': 'fixed', 'nodes': 2}", NULL);
    prepare(&test);
    const struct plan_supply *supply = &test.spot.ways[0].supply;
    cr_assert_eq(supply->nodes, 8); /* that 2 USD pay for */
    const double there[] = {1, 1, 0};
    for (int k = 0; k < 3; k++)
        cr_assert_float_eq(supply->there[k], there[k], 1e-9);
    cr_assert_float_eq(supply->mean_usd, 0.25, 1e-9);
    cr_assert_float_eq(plan_supply_available(supply, 2), 1, 1e-9);
    cr_assert_float_eq(plan_supply_available(supply, 3), 2.0 / 3, 1e-9);
    cr_assert_eq(test.spot.ways[0].spot_most, 2);
    end(&test);
}

/* Two nodes for an hour, one for the other: the second costs 0.5 USD for each hour that it serves.
 */
Test(plan_spot, a_node_that_is_seldom_there_is_not_worth_its_price)
{
    char path[256];
    const char rows[] = "offset_s,zone\n0,2\n3600,1\n7200,1\n";
    test_write_file("capacity.csv", rows, sizeof rows - 1, path, sizeof path);
    struct test_case test = begin("{'kind': 'recorded', 'path': 'capacity.csv'}", NULL);
    prepare(&test);
    const struct plan_supply *supply = &test.spot.ways[0].supply;
    cr_assert_float_eq(supply->there[0], 1, 1e-9);
    cr_assert_float_eq(supply->there[1], 0.5, 1e-9);
    cr_assert_float_eq(supply->interruptions_per_node_hour, 1.0 / 3, 1e-9);
    cr_assert_eq(plan_supply_worth(supply, 0.51), 2);
    cr_assert_eq(plan_supply_worth(supply, 0.49), 1);
    end(&test);
}

/* 2 USD buy two nodes on Spot (0.5 USD, there are no more) and one on demand; on demand alone, two.
 * Below the first, at most half on Spot: one of each, for the second on Spot needs a second on
 * demand. */
Test(plan_spot, proposals_go_from_the_best_down_to_all_on_demand)
{
    struct test_case test = begin("{'kind': 'fixed', 'nodes': 2}", NULL);
    struct error error = {0};
    prepare(&test);
    struct plan_proposal *best = plan_spot_best(&test.spot, &error);
    is_bought(best, 1, 2);
    cr_assert_float_eq(best->solution.cost_usd_h, 1.5, 1e-9);
    is_bought(plan_spot_on_demand(&test.spot), 2, 0);
    plan_spot_reject(&test.spot, best, 1);
    struct plan_proposal *next = plan_spot_best(&test.spot, &error);
    cr_assert_not_null(next);
    cr_assert_float_eq(next->solution.makespan_s, best->solution.makespan_s * 1.5, 1e-6);
    for (int i = 0; next && i < 10; i++) {
        cr_assert_leq(next->bought[0].spot, next->bought[0].on_demand);
        plan_spot_reject(&test.spot, next, 1);
        next = plan_spot_best(&test.spot, &error);
    }
    cr_assert_null(next);
    end(&test);
}

/* Who overspent by a half is to spend two thirds on paper: 1.33 USD, one node of each kind. */
Test(plan_spot, who_overspends_gets_less_to_spend)
{
    struct test_case test = begin("{'kind': 'fixed', 'nodes': 2}", NULL);
    struct error error = {0};
    prepare(&test);
    struct plan_proposal *best = plan_spot_best(&test.spot, &error);
    size_t before = 0, after = 0;
    plan_spot_reject(&test.spot, best, 1.5);
    for (const struct plan_proposal *p = test.spot.proposals; p; p = p->next)
        if (p->budget_share < 1) {
            after++;
            cr_assert_float_eq(p->budget_share, 2.0 / 3, 1e-12);
            is_bought(p, 1, 1);
        } else {
            before++;
        }
    cr_assert_eq(after, 1);
    cr_assert_gt(before, 1);
    end(&test);
}

/* In its second hour Spot costs 1 USD as well, so that three nodes cost 3 USD. */
Test(plan_spot, a_dear_hour_counts_against_the_budget)
{
    char path[256];
    const char rows[] = "zone,offset_s,spot_usd_per_hour\nzone,0,0.25\nzone,3600,1\n";
    test_write_file("prices.csv", rows, sizeof rows - 1, path, sizeof path);
    struct test_case test =
        begin("{'kind': 'fixed', 'nodes': 2}",
              "markets[0].price={\"kind\": \"recorded\", \"path\": \"prices.csv\"}");
    struct error error = {0};
    prepare(&test);
    cr_assert_float_eq(test.spot.ways[0].supply.mean_usd, 0.625, 1e-9);
    cr_assert_float_eq(test.spot.ways[0].supply.high_usd, 1, 1e-9);
    struct plan_proposal *best = plan_spot_best(&test.spot, &error);
    cr_assert_eq(best->solution.replicas[0], 2);
    end(&test);
}

Test(plan_spot, the_answer_is_simulated_and_holds)
{
    struct test_case test = begin("{'kind': 'fixed', 'nodes': 2}", NULL);
    struct plan_spot_answer answer = {0};
    struct error error = {0};
    cr_assert(plan_spot_answer_find(&test.question, test_folder(), &answer, &error), "%s",
              test_error_text(&error));
    is_bought(answer.chosen, 1, 2);
    cr_assert(answer.trial.holds);
    cr_assert_eq(answer.trial.held, 20);
    cr_assert_float_eq(plan_trial_highest_usd(&answer.trial, 0.95), 1.5, 1e-9);
    cr_assert_float_eq(plan_trial_highest_usd(&answer.on_demand_trial, 0.95), 2, 1e-9);
    cr_assert_eq(answer.rejection_count, 0);
    plan_spot_answer_clear(&answer);
    end(&test);
}

/* On paper four nodes on Spot for half the time are worth two on demand, and 1 USD buys one of
 * those. But they are taken for good, and then nobody is served. */
Test(plan_spot, what_is_taken_for_good_is_no_answer)
{
    char path[256];
    const char rows[] = "offset_s,zone\n0,4\n3600,0\n7200,0\n";
    test_write_file("capacity.csv", rows, sizeof rows - 1, path, sizeof path);
    struct test_case test = begin("{'kind': 'recorded', 'path': 'capacity.csv'}",
                                  "slo=[{\"e2e_s\": 60, \"percentile\": 99}]");
    struct plan_spot_answer answer = {0};
    struct error error = {0};
    test.scenario->config.plan->budget_usd_h = 1;
    test.question.problem.budget_usd_h = 1;
    cr_assert(plan_spot_answer_find(&test.question, test_folder(), &answer, &error), "%s",
              test_error_text(&error));
    is_bought(answer.chosen, 1, 0);
    cr_assert(answer.trial.holds);
    cr_assert_gt(answer.rejection_count, 0);
    cr_assert_gt(answer.rejections[0].slo_missed, 1);
    plan_spot_answer_clear(&answer);
    end(&test);
}
