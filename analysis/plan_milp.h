/* Which fleet to rent, and which requests to send where: one mixed-integer linear program.
 *
 * After Jiang et al., "Demystifying Cost-Efficiency in LLM Serving over Heterogeneous GPUs", ICML
 * 2025, section 4. A class w of requests has a demand of lambda_w requests; one replica of
 * configuration c serves h_cw requests of it per second. With theta = 1/T, T the time in which the
 * whole demand is served, the problem is linear:
 *
 *   maximise theta       with  sum_c u_cw = theta                    each class w with demand
 *                              sum_w lambda_w u_cw / h_cw <= y_c     each configuration c
 *                              sum_(c on i) gpus_c y_c <= gpus_i z_i  each offer i
 *                              sum_i usd_h_i z_i <= budget,  z_i <= available_i
 *
 * over whole replicas y_c, whole rented units (instances) z_i, and u_cw = theta x_cw, where x_cw is
 * the share of class w that goes to configuration c. This module knows no GPUs and no simulator.
 * The problem is borrowed; what a solution points to lives in the arena given. GLPK keeps state per
 * process: solve from one thread at a time. The same problem gives the same solution, unless the
 * time limit cuts the search short. */
#ifndef TOKENYARD_ANALYSIS_PLAN_MILP_H
#define TOKENYARD_ANALYSIS_PLAN_MILP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/arena.h"
#include "sim/error.h"

#define PLAN_ANY_TYPE  SIZE_MAX
#define PLAN_UNLIMITED INT64_MAX

/* Something that can be rented, in whole units: an instance type, or single GPUs. */
struct plan_offer {
    const char *name;
    size_t gpu_type;   /* below gpu_type_count: offers of one GPU type share it */
    int64_t gpus;      /* in one unit */
    int64_t available; /* units; PLAN_UNLIMITED */
    double usd_h;      /* of one unit */
};

/* A way of deploying the model on one offer. */
struct plan_config {
    const char *name;
    size_t offer;
    int64_t gpus; /* that a replica occupies */
};

struct plan_class {
    const char *name;
    double demand; /* requests; 0: the class does not matter */
};

/* sum_c replicas_c y_c + sum_i units_i z_i <= most */
struct plan_limit {
    const double *replicas; /* [config_count] */
    const double *units;    /* [offer_count] */
    double most;
};

struct plan_problem {
    const struct plan_class *classes;
    size_t class_count;
    const struct plan_config *configs;
    size_t config_count;
    const struct plan_offer *offers;
    size_t offer_count;
    size_t gpu_type_count;
    const double *throughput; /* requests/s, [config * class_count + class]; 0: cannot serve */
    double budget_usd_h;
    const struct plan_limit *limits; /* what a fleet must keep besides */
    size_t limit_count;
};

enum plan_objective {
    PLAN_MIN_MAKESPAN, /* the least T within the budget */
    PLAN_MIN_COST      /* the least cost that keeps T <= within_s, within the budget */
};

struct plan_options {
    enum plan_objective objective;
    double within_s;     /* PLAN_MIN_COST */
    size_t gpu_type;     /* use only this one, or PLAN_ANY_TYPE */
    double time_limit_s; /* of the search */
    double mip_gap;      /* stop when the value is within this relative distance of the bound */
};

struct plan_solution {
    bool optimal;      /* within mip_gap; false: the best found when the time ran out */
    int64_t *replicas; /* by config */
    int64_t *units;    /* rented, by offer */
    double *share;     /* x_cw, [config * class_count + class]; sums to 1 for a class with demand */
    double makespan_s; /* T */
    double cost_usd_h;
    double value; /* of the objective: makespan_s or cost_usd_h */
    double bound; /* no fleet has a smaller value */
    double gap;   /* (value - bound) / value */
};

/* false with ERROR_INFEASIBLE, and the reason in the message, when no fleet serves the demand. Of
 * equally good fleets contained in the best one found, the cheapest is returned. */
bool plan_solve(const struct plan_problem *problem, const struct plan_options *options,
                struct arena *arena, struct plan_solution *solution, struct error *error);

/* The best assignment for a fleet that is given (replicas by config), whatever it costs. */
bool plan_assign(const struct plan_problem *problem, const int64_t *replicas, struct arena *arena,
                 struct plan_solution *solution, struct error *error);

/* GPUs of one unit that a replica of `gpus` GPUs keeps others from using: the smallest divisor of
 * the unit that holds it, or whole units. Sizes that divide each other (1, 2, 4, 8) pack without
 * loss, so that counting GPUs is enough to know that replicas fit their instances. */
int64_t plan_occupied_gpus(int64_t gpus, int64_t unit_gpus);

#endif
