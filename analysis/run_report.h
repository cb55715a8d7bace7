/* What a run leaves behind: the result directory of one simulation.
 *
 *   manifest.json                  what it takes to run it again (analysis/manifest.h)
 *   summary.json, summary.csv      the numbers (analysis/summary.h)
 *   timeline.csv                   every pool over time (analysis/timeline.h)
 *   requests.h5, trace.json        every request, every iteration; when asked for
 *   plots/NAME.{gp,dat,svg}        when asked for (analysis/plots.h)
 *
 * Open it before the simulation: an unwritable folder is then known at once. It observes the
 * simulation, and run_report_finish writes. Files are whole or absent; manifest.json of an earlier
 * run is removed first and the new one is written last, so a folder with a manifest is complete. */
#ifndef TOKENYARD_ANALYSIS_RUN_REPORT_H
#define TOKENYARD_ANALYSIS_RUN_REPORT_H

#include "analysis/manifest.h"
#include "scenarios/scenario.h"

/* Everything it points to outlives the report. */
struct run_report_request {
    const char *folder; /* made when absent */
    struct run_facts facts;
    bool requests, trace, plots;
    double timeline_interval_s; /* NaN: chosen so that there are 200 to 400 rows */
    const char *const *command; /* argv, for the manifest */
    size_t command_count;
    const cJSON *scenario;         /* as resolved */
    const struct scenario *billed; /* what says how it is billed; NULL: it is not */
    const struct catalogue_note *notes;
    size_t note_count;
    /* As simulation_observer.proceed, with a context of its own; NULL: never stops. */
    bool (*proceed)(void *context, double time_s, uint64_t completed);
    void *proceed_context;
};

struct run_report;

/* NULL on error. */
struct run_report *run_report_open(const struct run_report_request *request, struct error *error);

/* Sets the observer and the sample interval of the spec that is about to be simulated (the one that
 * request.facts names). */
void run_report_observe(struct run_report *report, struct simulation_spec *spec);

/* Writes everything, also of an interrupted simulation. Once only. */
bool run_report_finish(struct run_report *report, const struct simulation_result *result,
                       const struct simulator_figures *figures, struct error *error);

/* After run_report_finish; owned by the report. */
const struct summary *run_report_summary(const struct run_report *report);

/* What the user should be told beside the numbers ("gnuplot is not installed ..."), one by one from
 * 0; NULL after the last. */
const char *run_report_notice(const struct run_report *report, size_t index);

void run_report_close(struct run_report *report); /* discards what is unfinished; NULL is allowed */

#endif
