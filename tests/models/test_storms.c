/* Ten thousand random storms of interruptions, failures and scaling: no request is lost, nothing is
 * held that is not there, no budget is passed, and every second is billed once. */
#include "tests/models/storm_checks.h"
#include <execinfo.h>
#include <signal.h>
static struct storm storm;
static void on_abort(int sig){ fprintf(stderr, "RULES %s\n", rules_of(&storm.scene)); void *b[40]; int n=backtrace(b,40); backtrace_symbols_fd(b,n,2); signal(sig, SIG_DFL); }

enum { STORMS = 10000, STORMS_PER_TEST = 2500 };

/* How often what happened. */
struct tally {
    uint64_t storms, requests, nodes, refused, interruptions, failures, notices;
    uint64_t drained, lost_replicas, budget_refusals, shed;
    uint64_t held, moved, lost, retries, in_flight, roles, models;
};

static void count(struct tally *tally, const struct storm *storm,
                  const struct simulation_result *result)
{
    for (size_t i = 0; i < storm->scene.pools; i++) {
        const struct plane_totals *totals = &result->elastic->pools[i];
        tally->nodes += totals->nodes_started;
        tally->refused += totals->nodes_refused;
        tally->interruptions += totals->interruptions;
        tally->failures += totals->failures;
        tally->notices += totals->notices;
        tally->drained += totals->replicas_drained;
        tally->lost_replicas += totals->replicas_lost;
        tally->budget_refusals += totals->budget_refusals;
        tally->shed += totals->budget_shed;
    }
    tally->storms++;
    tally->requests += result->arrived;
    tally->held += result->elastic->requests.held;
    tally->moved += result->elastic->requests.moved;
    tally->lost += result->elastic->requests.lost;
    tally->retries += result->clients ? result->clients->retries : 0;
    tally->in_flight += result->in_flight;
    tally->roles += storm->scene.has_roles;
    tally->models += storm->scene.models > 1;
}

static void destroy_scene(struct scene *scene)
{
    for (size_t pool = 0; pool < scene->pools; pool++) {
        steptime_destroy(scene->steptimes[pool]);
        steptime_destroy(scene->plain_steptimes[pool]);
        lora_config_destroy(scene->loras[pool]);
        destroy_graph(scene->graphs[pool]);
    }
}

static void try_storm(gsl_rng *rng, struct tally *tally)
{
    static struct trail trails[2];
    struct arena *arena = arena_create();
    draw_storm(rng, arena, &storm);
    if (getenv("DUMP")) { fprintf(stderr, "DUMP horizon %g pools %zu markets %u budget %g%s\n", storm.scene.horizon_s, storm.scene.pools, storm.market_count, storm.spec.budget_usd_per_hour, rules_of(&storm.scene)); for (size_t i=0;i<storm.scene.pools;i++) fprintf(stderr, "pool %zu model %u elastic %d replicas %u initial %u per_node %u\n", i, storm.scene.specs[i].model, storm.pools[i].settings!=NULL, storm.scene.specs[i].replicas, storm.pools[i].initial, storm.pools[i].replicas_per_node); }
    struct simulation_result jump = simulate(&storm.scene, false, &trails[0]);
    check_storm(&storm, &jump, &trails[0]);
    struct simulation_result again = simulate(&storm.scene, false, &trails[1]);
    expect_same_storm(&storm, &jump, &again, &trails[0], &trails[1]);
    simulation_result_free(&again);
    struct simulation_result step = simulate(&storm.scene, true, &trails[1]);
    expect_same_storm(&storm, &jump, &step, &trails[0], &trails[1]);
    simulation_result_free(&step);
    count(tally, &storm, &jump);
    simulation_result_free(&jump);
    destroy_scene(&storm.scene);
    arena_destroy(arena);
}

Test(storms, hold)
{
    struct tally tally = {0};
    signal(SIGABRT, on_abort); signal(SIGSEGV, on_abort); signal(SIGALRM, on_abort); if (getenv("ALARM")) alarm((unsigned)atoi(getenv("ALARM")));
    gsl_rng *records = random_stream(20261121, 0, "test/storms records");
    storm_write_records(records);
    const char *e = getenv("STORM");
    int from = e ? atoi(e) : 0, to = e ? from + 1 : STORMS;
    if (getenv("STORMS")) to = from + atoi(getenv("STORMS"));
    for (int i = from; i < to; i++) {
        gsl_rng *rng = random_stream(20261121, (uint64_t)i, "test/storms");
        if (getenv("SAY")) { fprintf(stderr, "storm %d\n", i); }
        try_storm(rng, &tally);
        gsl_rng_free(rng);
    }
    gsl_rng_free(records);
    for (size_t i = 0; i < sizeof tally / sizeof(uint64_t); i++)
        fprintf(stderr, "%lu ", (unsigned long)((uint64_t *)&tally)[i]);
}
