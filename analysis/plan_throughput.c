/* Completions come in waves where lengths are alike, so counting those that fall into a window is
 * wrong by up to a batch. Instead every request counts for the part of its stay in the engine, from
 * admission to last token, that lies in the window: summed over the window's length, that is the
 * throughput, whatever the phase of the waves. */
#include "analysis/plan_throughput.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/plan_batch.h"

/* Where even so many times the requests asked for do not fill the engine, the whole run counts. */
#define GROWTH_MAX 64

/* --- the observation: when each request was admitted and when it ended --- */

struct stay {
    double start_s, end_s;
};

struct stays {
    struct stay *all;
    size_t count;
};

static void note_stay(void *context, const struct request_record *record)
{
    struct stays *stays = context;
    stays->all[stays->count++] = (struct stay){record->queue_s, record->e2e_s};
}

static int compare_starts(const void *a, const void *b)
{
    double x = ((const struct stay *)a)->start_s, y = ((const struct stay *)b)->start_s;
    return (x > y) - (x < y);
}

static bool simulate(const struct engine_config *engine, const struct plan_group *group,
                     size_t requests, struct stays *stays, struct error *error)
{
    struct plan_batch batch = plan_batch(group->requests, group->count, requests);
    struct pool_spec pool = {.name = "replica", .engine = engine, .replicas = 1, .weight = 1};
    struct class_rule all = CLASS_RULE_ALL("all");
    struct router_config router = {{0}}; /* one replica: any policy */
    struct simulation_spec spec = {
        .source = &batch.source,
        .pools = &pool,
        .pool_count = 1,
        .router = &router,
        .classes = &all,
        .class_count = 1,
        .horizon_s = INFINITY,
        .observer = {.context = stays, .request = note_stay},
    };
    struct simulation_result result;
    if (!simulation_run(&spec, &result, error))
        return false;
    simulation_result_free(&result);
    qsort(stays->all, stays->count, sizeof *stays->all, compare_starts);
    return true;
}

/* --- reading it --- */

static double mean_stay_s(const struct stays *stays)
{
    double sum_s = 0;
    for (size_t i = 0; i < stays->count; i++)
        sum_s += stays->all[i].end_s - stays->all[i].start_s;
    return sum_s / (double)stays->count;
}

static double last_end_s(const struct stays *stays)
{
    double last_s = 0;
    for (size_t i = 0; i < stays->count; i++)
        last_s = fmax(last_s, stays->all[i].end_s);
    return last_s;
}

/* Requests' worth of stay between from_s and to_s, per second. */
static double rate_between(const struct stays *stays, double from_s, double to_s)
{
    double requests = 0;
    for (size_t i = 0; i < stays->count; i++) {
        const struct stay *stay = &stays->all[i];
        double inside_s = fmin(stay->end_s, to_s) - fmax(stay->start_s, from_s);
        if (inside_s > 0)
            requests += inside_s / (stay->end_s - stay->start_s);
    }
    return requests / (to_s - from_s);
}

/* From the admission of the request after the first quarter to that of the last: the engine is full
 * in between. false when that is shorter than a few stays. */
static bool find_window(const struct stays *stays, double *from_s, double *to_s)
{
    double stay_s = mean_stay_s(stays);
    *from_s = stays->all[stays->count / 4].start_s;
    *to_s = stays->all[stays->count - 1].start_s;
    return *from_s >= stay_s && *to_s - *from_s >= 2 * stay_s;
}

static bool accepts_all(const struct engine_config *engine, const struct plan_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (!engine_accepts(engine, group->requests[i].prompt_tok, group->requests[i].output_tok))
            return false;
    return true;
}

/* Simulates more and more requests until the window is wide enough. */
static bool fill(const struct engine_config *engine, const struct plan_group *group,
                 size_t requests, struct stays *stays, double *from_s, double *to_s,
                 struct error *error)
{
    for (size_t most = requests * GROWTH_MAX; requests <= most; requests *= 2) {
        struct stay *all = realloc(stays->all, requests * sizeof *all);
        if (!all)
            return error_set(error, ERROR_FAILED, "out of memory");
        *stays = (struct stays){all, 0};
        if (!simulate(engine, group, requests, stays, error))
            return false;
        if (find_window(stays, from_s, to_s))
            return true;
    }
    *from_s = 0;
    *to_s = last_end_s(stays);
    return true;
}

bool plan_throughput(const struct engine_config *engine, const struct plan_group *group,
                     size_t requests, double *requests_per_s, struct error *error)
{
    *requests_per_s = 0;
    if (!accepts_all(engine, group))
        return true;
    double from_s = 0, to_s = 0;
    struct stays stays = {0};
    bool ok = fill(engine, group, requests, &stays, &from_s, &to_s, error);
    if (ok)
        *requests_per_s = rate_between(&stays, from_s, to_s);
    free(stays.all);
    return ok;
}
