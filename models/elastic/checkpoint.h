/* How often a batch job should save its state where it may be interrupted, and what that costs.
 *
 * Times in seconds: cost_s to write a checkpoint, restart_s to be back at work after a failure,
 * mtbf_s the mean time between failures (exponential), work_s of useful work, interval_s of work
 * between two checkpoints. All above 0, but cost and restart may be 0 (then the interval is 0: save
 * always), and mtbf_s may be INFINITY (then it is INFINITY: never save). Pure arithmetic.
 *
 * Sources: Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9),
 * 1974. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps",
 * Future Generation Computer Systems 22(3), 2006. */
#ifndef TOKENYARD_MODELS_ELASTIC_CHECKPOINT_H
#define TOKENYARD_MODELS_ELASTIC_CHECKPOINT_H

#include "sim/config.h"
#include "workloads/place.h"

enum checkpoint_rule { CHECKPOINT_YOUNG, CHECKPOINT_DALY, CHECKPOINT_FIXED };

struct checkpoint_settings {
    int rule;          /* enum checkpoint_rule */
    double interval_s; /* fixed: of work; null with the others */
    double cost_s;
    double restart_s;
};

extern const struct config_type checkpoint_config_type; /* struct checkpoint_settings */

/* place: of the settings themselves. */
bool checkpoint_check(const struct checkpoint_settings *settings, const struct place *place,
                      struct error *error);

/* sqrt(2 C M): Young. */
double checkpoint_young_s(double cost_s, double mtbf_s);
/* Daly's equation (37); M where a checkpoint costs 2 M or more. */
double checkpoint_daly_s(double cost_s, double mtbf_s);

/* By the rule of the settings. */
double checkpoint_interval_s(const struct checkpoint_settings *settings, double mtbf_s);

/* Expected time from start to end, with all failures, work done again and checkpoints: Daly's
 * complete formula, equation (20), which holds for failures during checkpoints and restarts too.
 * INFINITY where it is beyond all numbers: work between checkpoints of hundreds of mtbf_s. */
double checkpoint_run_time_s(double work_s, double interval_s, double cost_s, double restart_s,
                             double mtbf_s);

/* Share that a run takes longer than its work: 0.1 for ten hours' work done in eleven. */
double checkpoint_overhead(double interval_s, double cost_s, double restart_s, double mtbf_s);

/* Of the work done since the job began, what the last checkpoint holds. */
double checkpoint_saved_s(double worked_s, double interval_s);

#endif
