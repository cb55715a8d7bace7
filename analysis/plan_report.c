#include "analysis/plan_report.h"

#include <math.h>

#include "analysis/basis_report.h"
#include "analysis/human.h"
#include "analysis/plan_spot_report.h"

static const struct plan_problem *problem_of(const struct plan_report *report)
{
    return &report->answer->question->problem;
}

static const char *objective_name(const struct plan_report *report)
{
    struct plan_options options = plan_question_options(report->answer->question);
    return options.objective == PLAN_MIN_COST ? "cost_usd_h" : "makespan_s";
}

static double demand_requests(const struct plan_problem *problem)
{
    double requests = 0;
    for (size_t w = 0; w < problem->class_count; w++)
        requests += problem->classes[w].demand;
    return requests;
}

/* --- money --- */

/* Expected, where some nodes are on Spot. */
static double config_usd_h(const struct plan_report *report, const struct plan_solution *solution,
                           size_t config)
{
    const struct plan_spot_answer *spot = report->spot;
    const struct plan_way *way = spot ? plan_spot_way(&spot->spot, config) : NULL;
    return way ? plan_way_usd_h(way, &spot->chosen->bought[config])
               : plan_config_usd_h(problem_of(report), solution, config);
}

static double offer_usd_h(const struct plan_report *report, const struct plan_solution *solution,
                          size_t offer)
{
    const struct plan_problem *problem = problem_of(report);
    double usd_h = 0;
    if (!report->spot)
        return (double)solution->units[offer] * problem->offers[offer].usd_h;
    for (size_t c = 0; c < problem->config_count; c++)
        if (problem->configs[c].offer == offer && solution->replicas[c] > 0)
            usd_h += config_usd_h(report, solution, c);
    return usd_h;
}

/* --- plan.json --- */

static const char *status_of(const struct plan_solution *solution)
{
    return solution->optimal ? "optimal" : "feasible";
}

static void put_objective(struct json_writer *writer, const struct plan_report *report,
                          const struct plan_solution *solution)
{
    json_begin_object(writer, "objective");
    json_put_string(writer, "name", objective_name(report));
    json_put_number(writer, "value", solution->value);
    json_put_number(writer, "bound", solution->bound);
    json_put_number(writer, "gap", solution->gap);
    json_end_object(writer);
}

static void put_deployment(struct json_writer *writer, const struct plan_candidate *candidate)
{
    const struct deployment *deployment = &candidate->deployment;
    json_put_string(writer, "instance", candidate->instance ? candidate->instance->name : NULL);
    json_put_integer(writer, "tensor_parallel", deployment->tensor_parallel);
    json_put_integer(writer, "pipeline_parallel", deployment->pipeline_parallel);
    json_put_string(writer, "weights", precision_names[deployment->weights]);
    json_put_string(writer, "expert_weights", precision_names[deployment->expert_weights]);
    json_put_integer(writer, "gpus_per_replica", deployment->gpus);
    basis_put(writer, "step_times", &deployment->basis);
}

static void put_fleet(struct json_writer *writer, const struct plan_report *report,
                      const struct plan_solution *solution)
{
    const struct plan_problem *problem = problem_of(report);
    const struct plan_candidates *candidates = &report->answer->question->candidates;
    json_begin_list(writer, "fleet");
    for (size_t c = 0; c < problem->config_count; c++) {
        if (solution->replicas[c] == 0)
            continue;
        const struct plan_offer *offer = &problem->offers[problem->configs[c].offer];
        json_begin_object(writer, NULL);
        json_put_string(writer, "config", problem->configs[c].name);
        json_put_string(writer, "gpu", candidates->gpu_types[offer->gpu_type]);
        if (candidates->candidates)
            put_deployment(writer, &candidates->candidates[c]);
        else
            json_put_integer(writer, "gpus_per_replica", problem->configs[c].gpus);
        json_put_integer(writer, "replicas", solution->replicas[c]);
        json_put_number(writer, "usd_h", config_usd_h(report, solution, c));
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_rented(struct json_writer *writer, const struct plan_report *report,
                       const struct plan_solution *solution)
{
    const struct plan_problem *problem = problem_of(report);
    json_begin_list(writer, "rented");
    for (size_t i = 0; i < problem->offer_count; i++) {
        if (solution->units[i] == 0)
            continue;
        json_begin_object(writer, NULL);
        json_put_string(writer, "offer", problem->offers[i].name);
        json_put_integer(writer, "units", solution->units[i]);
        json_put_number(writer, "usd_h", offer_usd_h(report, solution, i));
        json_end_object(writer);
    }
    json_end_list(writer);
}

/* What is to be served, and the time in which the workload asks for it. */
static void put_demand(struct json_writer *writer, const struct plan_report *report)
{
    const struct plan_question *question = report->answer->question;
    json_begin_object(writer, "demand");
    json_put_number(writer, "requests", demand_requests(&question->problem));
    json_put_number(writer, "span_s", question->rules ? question->sample.span_s : NAN);
    json_end_object(writer);
}

static void put_classes(struct json_writer *writer, const struct plan_report *report)
{
    const struct plan_problem *problem = problem_of(report);
    const struct plan_group *groups = report->answer->question->groups;
    double requests = demand_requests(problem);
    json_begin_list(writer, "classes");
    for (size_t w = 0; w < problem->class_count; w++) {
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", problem->classes[w].name);
        json_put_number(writer, "requests", problem->classes[w].demand);
        json_put_number(writer, "share", problem->classes[w].demand / requests);
        if (groups) {
            json_put_number(writer, "mean_prompt_tok", groups[w].mean_prompt_tok);
            json_put_number(writer, "mean_output_tok", groups[w].mean_output_tok);
        }
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_throughput(struct json_writer *writer, const struct plan_problem *problem)
{
    json_begin_object(writer, "throughput");
    for (size_t c = 0; c < problem->config_count; c++) {
        json_begin_object(writer, problem->configs[c].name);
        for (size_t w = 0; w < problem->class_count; w++)
            json_put_number(writer, problem->classes[w].name,
                            problem->throughput[c * problem->class_count + w]);
        json_end_object(writer);
    }
    json_end_object(writer);
}

static void put_assignment(struct json_writer *writer, const struct plan_problem *problem,
                           const struct plan_solution *solution)
{
    json_begin_object(writer, "assignment");
    for (size_t w = 0; w < problem->class_count; w++) {
        json_begin_object(writer, problem->classes[w].name);
        for (size_t c = 0; c < problem->config_count; c++)
            if (solution->share[c * problem->class_count + w] > 0)
                json_put_number(writer, problem->configs[c].name,
                                solution->share[c * problem->class_count + w]);
        json_end_object(writer);
    }
    json_end_object(writer);
}

/* The fleet in the simulator: on the workload as it arrives, and with more requests at once than it
 * can take, which is what the objective predicts. */
static void put_replay(struct json_writer *writer, const struct plan_replay *replay)
{
    if (!replay) {
        json_put_null(writer, "simulated");
        return;
    }
    summary_put(writer, "simulated", replay->summary, NULL);
    json_put_number(writer, "saturated_requests_per_s", replay->saturated_requests_per_s);
}

static void put_solution(struct json_writer *writer, const struct plan_report *report,
                         const struct plan_solution *solution)
{
    const struct plan_problem *problem = problem_of(report);
    json_put_string(writer, "status", status_of(solution));
    put_objective(writer, report, solution);
    json_put_number(writer, "cost_usd_h", solution->cost_usd_h);
    json_put_number(writer, "throughput_requests_per_s",
                    demand_requests(problem) / solution->makespan_s);
    put_fleet(writer, report, solution);
    put_rented(writer, report, solution);
    put_assignment(writer, problem, solution);
}

static void put_single_types(struct json_writer *writer, const struct plan_report *report)
{
    const struct plan_answer *answer = report->answer;
    const char **names = answer->question->candidates.gpu_types;
    bool any = answer->best_type != PLAN_ANY_TYPE;
    json_begin_object(writer, "single_type");
    json_put_string(writer, "best", any ? names[answer->best_type] : NULL);
    put_replay(writer, report->single);
    json_begin_list(writer, "types");
    for (size_t type = 0; type < problem_of(report)->gpu_type_count; type++) {
        json_begin_object(writer, NULL);
        json_put_string(writer, "gpu", names[type]);
        if (answer->types[type].feasible)
            put_solution(writer, report, &answer->types[type].solution);
        else
            json_put_string(writer, "status", "infeasible");
        json_end_object(writer);
    }
    json_end_list(writer);
    json_end_object(writer);
}

void plan_report_put(struct json_writer *writer, const struct plan_report *report)
{
    const struct plan_problem *problem = problem_of(report);
    json_begin_object(writer, NULL);
    json_put_string(writer, "scenario", report->answer->question->scenario->config.name);
    json_put_number(writer, "budget_usd_h", problem->budget_usd_h);
    put_solution(writer, report, &report->answer->mix);
    put_demand(writer, report);
    put_classes(writer, report);
    put_throughput(writer, problem);
    put_replay(writer, report->mix);
    if (report->spot)
        plan_spot_report_put(writer, report->spot);
    else
        put_single_types(writer, report);
    json_put_number(writer, "gain", report->answer->gain);
    json_put_number(writer, "seconds", report->seconds);
    json_end_object(writer);
}

void plan_report_put_infeasible(struct json_writer *writer, double budget_usd_h,
                                const struct error *reason, double seconds)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "status", "infeasible");
    json_put_string(writer, "reason", reason->message);
    json_put_string(writer, "hint", reason->hint[0] ? reason->hint : NULL);
    json_put_number(writer, "budget_usd_h", budget_usd_h);
    json_put_number(writer, "seconds", seconds);
    json_end_object(writer);
}

/* --- the table --- */

enum { NAME_COLUMNS = 34, NAME_SIZE = 4 * NAME_COLUMNS + 1 };

static void print_name(const char *name, FILE *out)
{
    char text[NAME_SIZE];
    human_name(name, NAME_COLUMNS, text, sizeof text);
    fprintf(out, "  ");
    human_put_left(out, text, NAME_COLUMNS);
}

static void print_fleet(const struct plan_report *report, const struct plan_solution *solution,
                        FILE *out)
{
    const struct plan_problem *problem = problem_of(report);
    fprintf(out, "  %-*s %8s %6s %10s\n", NAME_COLUMNS, "deployment", "replicas", "GPUs", "USD/h");
    for (size_t c = 0; c < problem->config_count; c++) {
        if (solution->replicas[c] == 0)
            continue;
        print_name(problem->configs[c].name, out);
        fprintf(out, " %8lld %6lld %10.2f\n", (long long)solution->replicas[c],
                (long long)(solution->replicas[c] * problem->configs[c].gpus),
                config_usd_h(report, solution, c));
    }
}

static void print_step_times(const struct plan_report *report, const struct plan_solution *solution,
                             FILE *out)
{
    const struct plan_problem *problem = problem_of(report);
    const struct plan_candidate *candidates = report->answer->question->candidates.candidates;
    if (!candidates)
        return;
    fprintf(out, "  %-*s step times\n", NAME_COLUMNS, "deployment");
    for (size_t c = 0; c < problem->config_count; c++) {
        if (solution->replicas[c] == 0)
            continue;
        print_name(problem->configs[c].name, out);
        fprintf(out, " ");
        basis_print(&candidates[c].deployment.basis, out);
        fprintf(out, "\n");
    }
}

static void print_assignment(const struct plan_problem *problem,
                             const struct plan_solution *solution, FILE *out)
{
    char percent[HUMAN_SIZE], name[NAME_SIZE];
    double requests = demand_requests(problem);
    fprintf(out, "  %-*s %8s  served by\n", NAME_COLUMNS, "class", "requests");
    for (size_t w = 0; w < problem->class_count; w++) {
        if (problem->classes[w].demand <= 0)
            continue;
        print_name(problem->classes[w].name, out);
        fprintf(out, " %8s ", human_percent(problem->classes[w].demand / requests, percent));
        const char *separator = "";
        for (size_t c = 0; c < problem->config_count; c++) {
            double share = solution->share[c * problem->class_count + w];
            if (share <= 0)
                continue;
            human_name(problem->configs[c].name, NAME_COLUMNS, name, sizeof name);
            fprintf(out, "%s %s", separator, name);
            if (share < 1)
                fprintf(out, " %s", human_percent(share, percent));
            separator = ",";
        }
        fprintf(out, "\n");
    }
}

static void print_worth(const char *what, const struct plan_problem *problem,
                        const struct plan_solution *solution, FILE *out)
{
    char time[HUMAN_SIZE], rate[HUMAN_SIZE], price[HUMAN_SIZE];
    double per_s = demand_requests(problem) / solution->makespan_s;
    fprintf(out, "%s: %s requests/s (the demand in %s) for %.2f USD/h, %s per 1,000 requests\n",
            what, human_number(per_s, rate), human_duration(solution->makespan_s, time),
            solution->cost_usd_h, human_usd(solution->cost_usd_h / 3600 / per_s * 1000, price));
}

static void print_replay(const struct plan_replay *replay, FILE *out)
{
    char ttft[HUMAN_SIZE], tpot[HUMAN_SIZE], e2e[HUMAN_SIZE], rate[HUMAN_SIZE], slo[HUMAN_SIZE];
    const struct summary *summary = replay->summary;
    fprintf(out, "  simulated as it arrives: p99 TTFT %s, TPOT %s, E2E %s",
            human_duration(summary->ttft_s.p99, ttft), human_duration(summary->tpot_s.p99, tpot),
            human_duration(summary->e2e_s.p99, e2e));
    if (!isnan(summary->attainment))
        fprintf(out, "; SLO %s (%s)", human_percent(summary->attainment, slo),
                summary->slo_kept ? "kept" : "MISSED");
    fprintf(out, "\n");
    if (!isnan(replay->saturated_requests_per_s))
        fprintf(out, "  simulated all at once:   %s requests/s\n",
                human_number(replay->saturated_requests_per_s, rate));
}

static void print_single_type(const struct plan_report *report, FILE *out)
{
    const struct plan_answer *answer = report->answer;
    if (answer->best_type == PLAN_ANY_TYPE) {
        fprintf(out, "\nNo single GPU type can serve the demand within the budget.\n");
        return;
    }
    char title[128], gain[HUMAN_SIZE];
    snprintf(title, sizeof title, "\nbest of one GPU type, %s",
             answer->question->candidates.gpu_types[answer->best_type]);
    const struct plan_solution *single = &answer->types[answer->best_type].solution;
    print_worth(title, problem_of(report), single, out);
    print_fleet(report, single, out);
    if (report->single)
        print_replay(report->single, out);
    bool by_cost = plan_question_options(answer->question).objective == PLAN_MIN_COST;
    fprintf(out, "\ngain of mixing: %s %s\n", human_percent(answer->gain, gain),
            by_cost ? "on the price" : "more requests/s under the same budget");
}

void plan_report_print(const struct plan_report *report, FILE *out)
{
    const struct plan_problem *problem = problem_of(report);
    const struct plan_solution *mix = &report->answer->mix;
    char gap[HUMAN_SIZE], count[HUMAN_SIZE], span[HUMAN_SIZE];
    if (report->mix)
        fprintf(out, "demand: %s requests, which arrive in %s\n",
                human_count((uint64_t)demand_requests(problem), count),
                human_duration(report->answer->question->sample.span_s, span));
    print_worth("best fleet", problem, mix, out);
    print_fleet(report, mix, out);
    print_assignment(problem, mix, out);
    print_step_times(report, mix, out);
    if (report->mix)
        print_replay(report->mix, out);
    if (!mix->optimal)
        fprintf(out, "  the search ran out of time; the best possible is at most %s better\n",
                human_percent(mix->gap, gap));
    if (report->spot)
        plan_spot_report_print(report->spot, out);
    else
        print_single_type(report, out);
}
