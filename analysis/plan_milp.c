/* The program is built once per question, over the columns theta, y, z, u in that order, and solved
 * by GLPK. Time is measured in a unit fit for the question (the time limit, or what one replica of
 * the best kind for each class would take), money in budgets, so that numbers are near 1.
 *
 * The integer search answers only with whole numbers: y and z. What they are worth is then computed
 * afresh: the assignment is solved as a small LP for the fleet found, its shares are normalised to
 * sum to 1, and T follows from them in closed form. So rounding inside the search never shows in a
 * result. */
#include "analysis/plan_milp.h"

#include <assert.h>
#include <glpk.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Replicas of one kind are capped here, far above any fleet, to keep the program bounded. */
#define PLAN_REPLICAS_MAX 1000000

/* Two fleets whose throughput differs by less than this part are equally good. */
#define PLAN_EQUAL 1e-9

/* How far rounding inside the search may stretch a bound. */
#define PLAN_TRUSTED 1e-6

struct program {
    const struct plan_problem *problem;
    glp_prob *lp;
    double time_unit_s, money_usd_h; /* the units of all numbers in it */
    double bound;                    /* of the objective, last reported by the search */
    int *index;                      /* scratch for one row */
    double *value;
    int length;
};

/* --- columns and rows: GLPK counts from 1 --- */

static int theta_column(void)
{
    return 1;
}

static int replica_column(size_t config)
{
    return 2 + (int)config;
}

static int unit_column(const struct plan_problem *problem, size_t offer)
{
    return 2 + (int)(problem->config_count + offer);
}

static int share_column(const struct plan_problem *problem, size_t config, size_t class_index)
{
    return 2 + (int)(problem->config_count + problem->offer_count + config * problem->class_count +
                     class_index);
}

static int column_count(const struct plan_problem *problem)
{
    return share_column(problem, problem->config_count, 0) - 1;
}

static double throughput(const struct plan_problem *problem, size_t config, size_t class_index)
{
    return problem->throughput[config * problem->class_count + class_index];
}

static double best_throughput(const struct plan_problem *problem, size_t class_index)
{
    double best = 0;
    for (size_t c = 0; c < problem->config_count; c++)
        best = fmax(best, throughput(problem, c, class_index));
    return best;
}

/* Can a configuration be given requests of this class? */
static bool carries(const struct plan_problem *problem, size_t config, size_t class_index)
{
    return problem->classes[class_index].demand > 0 && throughput(problem, config, class_index) > 0;
}

static void row_term(struct program *program, int column, double value)
{
    program->length++;
    program->index[program->length] = column;
    program->value[program->length] = value;
}

static void row_end(struct program *program, int kind, double bound)
{
    int row = glp_add_rows(program->lp, 1);
    glp_set_mat_row(program->lp, row, program->length, program->index, program->value);
    glp_set_row_bnds(program->lp, row, kind, bound, bound);
    program->length = 0;
}

/* sum_c u_cw = theta */
static void add_class_row(struct program *program, size_t class_index)
{
    const struct plan_problem *problem = program->problem;
    for (size_t c = 0; c < problem->config_count; c++)
        if (carries(problem, c, class_index))
            row_term(program, share_column(problem, c, class_index), 1);
    row_term(program, theta_column(), -1);
    row_end(program, GLP_FX, 0);
}

/* sum_w lambda_w u_cw / h_cw <= y_c */
static void add_config_row(struct program *program, size_t config)
{
    const struct plan_problem *problem = program->problem;
    for (size_t w = 0; w < problem->class_count; w++)
        if (carries(problem, config, w))
            row_term(program, share_column(problem, config, w),
                     problem->classes[w].demand / throughput(problem, config, w) /
                         program->time_unit_s);
    row_term(program, replica_column(config), -1);
    row_end(program, GLP_UP, 0);
}

/* sum_c gpus_c y_c <= gpus_i z_i */
static void add_offer_row(struct program *program, size_t offer)
{
    const struct plan_problem *problem = program->problem;
    double unit_gpus = (double)problem->offers[offer].gpus;
    for (size_t c = 0; c < problem->config_count; c++)
        if (problem->configs[c].offer == offer)
            row_term(program, replica_column(c), (double)problem->configs[c].gpus / unit_gpus);
    row_term(program, unit_column(problem, offer), -1);
    row_end(program, GLP_UP, 0);
}

static void add_budget_row(struct program *program)
{
    const struct plan_problem *problem = program->problem;
    for (size_t i = 0; i < problem->offer_count; i++)
        row_term(program, unit_column(problem, i), problem->offers[i].usd_h / program->money_usd_h);
    row_end(program, GLP_UP, problem->budget_usd_h / program->money_usd_h);
}

static void add_limit_row(struct program *program, const struct plan_limit *limit)
{
    const struct plan_problem *problem = program->problem;
    for (size_t c = 0; c < problem->config_count; c++)
        if (limit->replicas[c] != 0)
            row_term(program, replica_column(c), limit->replicas[c]);
    for (size_t i = 0; i < problem->offer_count; i++)
        if (limit->units[i] != 0)
            row_term(program, unit_column(problem, i), limit->units[i]);
    row_end(program, GLP_UP, limit->most);
}

/* --- bounds --- */

/* Units of an offer that the budget can pay for, and that there are. */
static int64_t units_max(const struct plan_problem *problem, size_t offer)
{
    const struct plan_offer *o = &problem->offers[offer];
    double payable = o->usd_h > 0 ? floor(problem->budget_usd_h / o->usd_h * (1 + PLAN_EQUAL))
                                  : PLAN_REPLICAS_MAX;
    double units = fmin(payable, (double)o->available);
    return (int64_t)fmin(units, PLAN_REPLICAS_MAX);
}

static int64_t replicas_max(const struct plan_problem *problem, size_t config)
{
    const struct plan_config *c = &problem->configs[config];
    return units_max(problem, c->offer) * problem->offers[c->offer].gpus / c->gpus;
}

/* An integer column with 0 <= value <= max. */
static void bound_count(struct program *program, int column, int64_t max)
{
    glp_set_col_kind(program->lp, column, GLP_IV);
    glp_set_col_bnds(program->lp, column, max > 0 ? GLP_DB : GLP_FX, 0, (double)max);
}

static void bound_counts(struct program *program, size_t gpu_type)
{
    const struct plan_problem *problem = program->problem;
    for (size_t i = 0; i < problem->offer_count; i++) {
        bool usable = gpu_type == PLAN_ANY_TYPE || problem->offers[i].gpu_type == gpu_type;
        bound_count(program, unit_column(problem, i), usable ? units_max(problem, i) : 0);
    }
    for (size_t c = 0; c < problem->config_count; c++) {
        size_t type = problem->offers[problem->configs[c].offer].gpu_type;
        bool usable = gpu_type == PLAN_ANY_TYPE || type == gpu_type;
        bound_count(program, replica_column(c), usable ? replicas_max(problem, c) : 0);
    }
}

/* --- the program as a whole --- */

/* What one replica of the best kind for each class would take for the whole demand. */
static double reference_s(const struct plan_problem *problem)
{
    double sum_s = 0;
    for (size_t w = 0; w < problem->class_count; w++)
        if (problem->classes[w].demand > 0)
            sum_s += problem->classes[w].demand / best_throughput(problem, w);
    return sum_s;
}

static void program_build(struct program *program, const struct plan_problem *problem,
                          double time_unit_s)
{
    int columns = column_count(problem);
    glp_term_out(GLP_OFF);
    *program = (struct program){
        .problem = problem,
        .lp = glp_create_prob(),
        .time_unit_s = time_unit_s,
        .money_usd_h = problem->budget_usd_h > 0 ? problem->budget_usd_h : 1,
        .index = calloc((size_t)columns + 1, sizeof(int)),
        .value = calloc((size_t)columns + 1, sizeof(double)),
    };
    glp_add_cols(program->lp, columns);
    for (int column = 1; column <= columns; column++)
        glp_set_col_bnds(program->lp, column, GLP_LO, 0, 0);
    for (size_t w = 0; w < problem->class_count; w++)
        if (problem->classes[w].demand > 0)
            add_class_row(program, w);
    for (size_t c = 0; c < problem->config_count; c++)
        add_config_row(program, c);
    for (size_t i = 0; i < problem->offer_count; i++)
        add_offer_row(program, i);
    add_budget_row(program);
    for (size_t i = 0; i < problem->limit_count; i++)
        add_limit_row(program, &problem->limits[i]);
}

static void program_free(struct program *program)
{
    glp_delete_prob(program->lp);
    free(program->index);
    free(program->value);
    glp_free_env();
}

static void maximise_theta(struct program *program)
{
    glp_set_obj_dir(program->lp, GLP_MAX);
    glp_set_obj_coef(program->lp, theta_column(), 1);
    program->bound = INFINITY;
}

static void minimise_cost(struct program *program, double within_s)
{
    const struct plan_problem *problem = program->problem;
    glp_set_obj_dir(program->lp, GLP_MIN);
    for (size_t i = 0; i < problem->offer_count; i++)
        glp_set_obj_coef(program->lp, unit_column(problem, i),
                         problem->offers[i].usd_h / program->money_usd_h);
    glp_set_col_bnds(program->lp, theta_column(), GLP_LO, program->time_unit_s / within_s, 0);
    program->bound = 0;
}

/* --- solving --- */

static void note_bound(glp_tree *tree, void *context)
{
    struct program *program = context;
    int node = glp_ios_best_node(tree);
    if (node != 0)
        program->bound = glp_ios_node_bound(tree, node);
}

enum search_end { SEARCH_OPTIMAL, SEARCH_FEASIBLE, SEARCH_NOTHING, SEARCH_OUT_OF_TIME };

static enum search_end search(struct program *program, const struct plan_options *options)
{
    glp_iocp settings;
    glp_init_iocp(&settings);
    settings.msg_lev = GLP_MSG_OFF;
    settings.presolve = GLP_ON;
    settings.mir_cuts = GLP_ON;
    settings.gmi_cuts = GLP_ON;
    settings.mip_gap = options->mip_gap;
    settings.tm_lim = (int)fmin(ceil(options->time_limit_s * 1e3), 1e9);
    settings.cb_func = note_bound;
    settings.cb_info = program;
    int code = glp_intopt(program->lp, &settings);
    int status = glp_mip_status(program->lp);
    if (status == GLP_OPT && code == 0)
        program->bound = glp_mip_obj_val(program->lp);
    if (status == GLP_OPT || (status == GLP_FEAS && code == GLP_EMIPGAP))
        return SEARCH_OPTIMAL;
    if (status == GLP_FEAS)
        return SEARCH_FEASIBLE;
    return code == GLP_ETMLIM ? SEARCH_OUT_OF_TIME : SEARCH_NOTHING;
}

static void take_fleet(const struct program *program, int64_t *replicas, int64_t *units)
{
    const struct plan_problem *problem = program->problem;
    for (size_t c = 0; c < problem->config_count; c++)
        replicas[c] = llround(glp_mip_col_val(program->lp, replica_column(c)));
    for (size_t i = 0; i < problem->offer_count; i++)
        units[i] = llround(glp_mip_col_val(program->lp, unit_column(problem, i)));
}

/* --- what a fleet is worth --- */

/* Shares u_cw of the LP, made to sum to 1 over the configurations. */
static void take_shares(const struct program *program, double *share)
{
    const struct plan_problem *problem = program->problem;
    size_t classes = problem->class_count;
    for (size_t w = 0; w < classes; w++) {
        double sum = 0;
        for (size_t c = 0; c < problem->config_count; c++) {
            double u = glp_get_col_prim(program->lp, share_column(problem, c, w));
            /* What the simplex left as dust would become a route for stray requests. */
            share[c * classes + w] = carries(problem, c, w) && u > PLAN_EQUAL ? u : 0;
            sum += share[c * classes + w];
        }
        for (size_t c = 0; sum > 0 && c < problem->config_count; c++)
            share[c * classes + w] /= sum;
    }
}

/* T: the busiest configuration sets it. */
static double makespan_s(const struct plan_problem *problem, const int64_t *replicas,
                         const double *share)
{
    double longest_s = 0;
    for (size_t c = 0; c < problem->config_count; c++) {
        double busy_s = 0;
        for (size_t w = 0; w < problem->class_count; w++)
            if (share[c * problem->class_count + w] > 0)
                busy_s += problem->classes[w].demand * share[c * problem->class_count + w] /
                          throughput(problem, c, w);
        if (busy_s > 0)
            longest_s = fmax(longest_s, busy_s / (double)replicas[c]);
    }
    return longest_s;
}

static void fix_replicas(struct program *program, size_t config, int64_t replicas)
{
    const struct plan_problem *problem = program->problem;
    glp_set_col_bnds(program->lp, replica_column(config), GLP_FX, (double)replicas, 0);
    for (size_t w = 0; w < problem->class_count && replicas == 0; w++)
        glp_set_col_bnds(program->lp, share_column(problem, config, w), GLP_FX, 0, 0);
}

/* What is bought already is bought, whatever the budget and other limits say: the last rows. */
static void free_limits(struct program *program)
{
    int rows = glp_get_num_rows(program->lp);
    for (int row = rows - (int)program->problem->limit_count; row <= rows; row++)
        glp_set_row_bnds(program->lp, row, GLP_FR, 0, 0);
}

/* The fleet's best assignment; false when it cannot serve every class. */
static bool assign(const struct plan_problem *problem, const int64_t *replicas, double *share,
                   double *longest_s)
{
    struct program program;
    program_build(&program, problem, reference_s(problem));
    maximise_theta(&program);
    free_limits(&program);
    for (size_t c = 0; c < problem->config_count; c++)
        fix_replicas(&program, c, replicas[c]);
    glp_scale_prob(program.lp, GLP_SF_AUTO);
    glp_smcp settings;
    glp_init_smcp(&settings);
    settings.msg_lev = GLP_MSG_OFF;
    bool solved = glp_simplex(program.lp, &settings) == 0 &&
                  glp_get_status(program.lp) == GLP_OPT &&
                  glp_get_col_prim(program.lp, theta_column()) > PLAN_EQUAL;
    if (solved) {
        take_shares(&program, share);
        *longest_s = makespan_s(problem, replicas, share);
    }
    program_free(&program);
    return solved;
}

static double fleet_cost(const struct plan_problem *problem, const int64_t *units)
{
    double usd_h = 0;
    for (size_t i = 0; i < problem->offer_count; i++)
        usd_h += (double)units[i] * problem->offers[i].usd_h;
    return usd_h;
}

static void count_units(const struct plan_problem *problem, const int64_t *replicas, int64_t *units)
{
    memset(units, 0, problem->offer_count * sizeof *units);
    for (size_t c = 0; c < problem->config_count; c++)
        units[problem->configs[c].offer] += replicas[c] * problem->configs[c].gpus;
    for (size_t i = 0; i < problem->offer_count; i++)
        units[i] = (units[i] + problem->offers[i].gpus - 1) / problem->offers[i].gpus;
}

/* --- why nothing is possible --- */

static double replica_usd_h(const struct plan_problem *problem, size_t config)
{
    const struct plan_config *c = &problem->configs[config];
    const struct plan_offer *offer = &problem->offers[c->offer];
    return (double)((c->gpus + offer->gpus - 1) / offer->gpus) * offer->usd_h;
}

/* The cheapest way to serve a class at all, among the GPUs that may be used; config_count when
 * there is none. */
static size_t cheapest_for(const struct plan_problem *problem, size_t class_index, size_t gpu_type)
{
    size_t best = problem->config_count;
    for (size_t c = 0; c < problem->config_count; c++) {
        const struct plan_offer *offer = &problem->offers[problem->configs[c].offer];
        if (!carries(problem, c, class_index) ||
            (gpu_type != PLAN_ANY_TYPE && offer->gpu_type != gpu_type) ||
            (double)offer->available * (double)offer->gpus < (double)problem->configs[c].gpus)
            continue;
        if (best == problem->config_count ||
            replica_usd_h(problem, c) < replica_usd_h(problem, best))
            best = c;
    }
    return best;
}

static bool cannot_serve(const struct plan_problem *problem, size_t class_index,
                         struct error *error)
{
    return error_set(error, ERROR_INFEASIBLE,
                     "nothing that is offered and available can serve class \"%s\"",
                     problem->classes[class_index].name);
}

/* false for a class that nothing can serve, or whose cheapest server is beyond the budget. */
static bool check_classes(const struct plan_problem *problem, size_t gpu_type, struct error *error)
{
    for (size_t w = 0; w < problem->class_count; w++) {
        if (problem->classes[w].demand <= 0)
            continue;
        size_t c = cheapest_for(problem, w, gpu_type);
        if (c == problem->config_count)
            return cannot_serve(problem, w, error);
        double usd_h = replica_usd_h(problem, c);
        if (usd_h <= problem->budget_usd_h * (1 + PLAN_EQUAL))
            continue;
        error_set(error, ERROR_INFEASIBLE,
                  "a budget of %g USD/h rents nothing that can serve class \"%s\"",
                  problem->budget_usd_h, problem->classes[w].name);
        return error_hint(error, "the cheapest deployment is %s: one replica costs %g USD/h",
                          problem->configs[c].name, usd_h);
    }
    return true;
}

static bool no_fleet(const struct plan_problem *problem, const struct plan_options *options,
                     enum search_end end, struct error *error)
{
    if (end == SEARCH_OUT_OF_TIME || end == SEARCH_FEASIBLE) {
        error_set(error, ERROR_FAILED, "no fleet was found within %g s", options->time_limit_s);
        return error_hint(error, "raise time_limit_s, or offer fewer instances and layouts");
    }
    if (options->objective == PLAN_MIN_COST)
        return error_set(error, ERROR_INFEASIBLE,
                         "no fleet under %g USD/h serves the demand within %g s",
                         problem->budget_usd_h, options->within_s);
    return error_set(error, ERROR_INFEASIBLE,
                     "a budget of %g USD/h does not rent a fleet that serves every class",
                     problem->budget_usd_h);
}

/* --- the two questions --- */

static void check_problem(const struct plan_problem *problem)
{
    assert(isfinite(problem->budget_usd_h) && problem->budget_usd_h >= 0);
    for (size_t i = 0; i < problem->offer_count; i++) {
        const struct plan_offer *offer = &problem->offers[i];
        assert(offer->gpus > 0 && offer->available >= 0);
        assert(isfinite(offer->usd_h) && offer->usd_h >= 0);
        assert(offer->gpu_type < problem->gpu_type_count);
    }
    for (size_t c = 0; c < problem->config_count; c++)
        assert(problem->configs[c].offer < problem->offer_count && problem->configs[c].gpus > 0);
    for (size_t i = 0; i < problem->config_count * problem->class_count; i++)
        assert(isfinite(problem->throughput[i]) && problem->throughput[i] >= 0);
}

static void solution_alloc(const struct plan_problem *problem, struct arena *arena,
                           struct plan_solution *solution)
{
    *solution = (struct plan_solution){
        .replicas = ARENA_ARRAY(arena, problem->config_count, int64_t),
        .units = ARENA_ARRAY(arena, problem->offer_count, int64_t),
        .share = ARENA_ARRAY(arena, problem->config_count * problem->class_count, double),
    };
}

/* The cheapest part of the fleet that is as fast as the whole: a fleet that is bought with what
 * the budget had left, but carries nothing, is given back. */
static void drop_idle(const struct plan_problem *problem, const struct plan_options *options,
                      struct arena *arena, struct plan_solution *solution)
{
    struct plan_solution part;
    solution_alloc(problem, arena, &part);
    struct program program;
    program_build(&program, problem, solution->makespan_s);
    bound_counts(&program, options->gpu_type);
    for (size_t c = 0; c < problem->config_count; c++)
        bound_count(&program, replica_column(c), solution->replicas[c]);
    minimise_cost(&program, solution->makespan_s * (1 + PLAN_EQUAL));
    enum search_end end = search(&program, options);
    bool found = end == SEARCH_OPTIMAL || end == SEARCH_FEASIBLE;
    if (found)
        take_fleet(&program, part.replicas, part.units);
    program_free(&program);
    if (!found || !assign(problem, part.replicas, part.share, &part.makespan_s) ||
        part.makespan_s > solution->makespan_s * (1 + 2 * PLAN_EQUAL))
        return;
    count_units(problem, part.replicas, part.units);
    if (fleet_cost(problem, part.units) >= solution->cost_usd_h)
        return;
    part.cost_usd_h = fleet_cost(problem, part.units);
    part.optimal = solution->optimal;
    *solution = part;
}

/* The search's bound, in the objective's own unit. */
static double bound_of(const struct program *program, const struct plan_options *options)
{
    if (options->objective == PLAN_MIN_COST)
        return program->bound * program->money_usd_h;
    return program->time_unit_s / program->bound;
}

static void rate(const struct plan_options *options, double bound, struct plan_solution *solution)
{
    bool cost = options->objective == PLAN_MIN_COST;
    solution->value = cost ? solution->cost_usd_h : solution->makespan_s;
    solution->bound = fmin(bound, solution->value);
    solution->gap = solution->value > 0 ? 1 - solution->bound / solution->value : 0;
    if (solution->gap < PLAN_EQUAL) { /* rounding inside the search */
        solution->gap = 0;
        solution->bound = solution->value;
    }
}

bool plan_solve(const struct plan_problem *problem, const struct plan_options *options,
                struct arena *arena, struct plan_solution *solution, struct error *error)
{
    check_problem(problem);
    if (!check_classes(problem, options->gpu_type, error))
        return false;
    solution_alloc(problem, arena, solution);
    bool cost = options->objective == PLAN_MIN_COST;
    struct program program;
    program_build(&program, problem, cost ? options->within_s : reference_s(problem));
    bound_counts(&program, options->gpu_type);
    if (cost)
        minimise_cost(&program, options->within_s);
    else
        maximise_theta(&program);
    enum search_end end = search(&program, options);
    if (end == SEARCH_OPTIMAL || end == SEARCH_FEASIBLE)
        take_fleet(&program, solution->replicas, solution->units);
    double bound = bound_of(&program, options);
    program_free(&program);
    solution->optimal = end == SEARCH_OPTIMAL;
    if (!assign(problem, solution->replicas, solution->share, &solution->makespan_s))
        return no_fleet(problem, options, end, error);
    if (cost && solution->makespan_s > options->within_s * (1 + PLAN_TRUSTED))
        return error_set(error, ERROR_FAILED,
                         "the numbers of this plan are too far apart for the search to be exact");
    count_units(problem, solution->replicas, solution->units);
    solution->cost_usd_h = fleet_cost(problem, solution->units);
    if (!cost)
        drop_idle(problem, options, arena, solution);
    rate(options, bound, solution);
    return true;
}

bool plan_assign(const struct plan_problem *problem, const int64_t *replicas, struct arena *arena,
                 struct plan_solution *solution, struct error *error)
{
    check_problem(problem);
    for (size_t w = 0; w < problem->class_count; w++)
        if (problem->classes[w].demand > 0 && best_throughput(problem, w) <= 0)
            return cannot_serve(problem, w, error);
    solution_alloc(problem, arena, solution);
    memcpy(solution->replicas, replicas, problem->config_count * sizeof *replicas);
    count_units(problem, replicas, solution->units);
    solution->cost_usd_h = fleet_cost(problem, solution->units);
    solution->optimal = true;
    if (!assign(problem, replicas, solution->share, &solution->makespan_s))
        return error_set(error, ERROR_INFEASIBLE, "this fleet cannot serve every class");
    solution->value = solution->bound = solution->makespan_s;
    return true;
}

int64_t plan_occupied_gpus(int64_t gpus, int64_t unit_gpus)
{
    if (gpus > unit_gpus)
        return (gpus + unit_gpus - 1) / unit_gpus * unit_gpus;
    while (unit_gpus % gpus != 0)
        gpus++;
    return gpus;
}
