/* Ten thousand random storms of interruptions, failures and scaling: no request is lost, nothing is
 * held that is not there, no budget is passed, and every second is billed once. */
#include <malloc.h>

#include "tests/models/storm_checks.h"

enum { STORMS = 2500 }; /* of each of the four tests, which run side by side */

/* How often what happened. */
struct tally {
    uint64_t requests, nodes, refused, interruptions, failures, notices;
    uint64_t drained, lost_replicas, budget_refusals, shed;
    uint64_t held, moved, lost, retries, in_flight, roles, models, sides;
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
        tally->sides += totals->nodes_moved_in;
    }
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
    static struct storm storm;
    static struct trail trails[2];
    struct arena *arena = arena_create();
    draw_storm(rng, arena, &storm);
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

/* A storm is its number: one that fails can be tried alone. */
static struct tally try_storms(uint64_t first)
{
    struct tally tally = {0};
    mallopt(M_MMAP_THRESHOLD, 1 << 28); /* histograms of one run are those of the next: */
    mallopt(M_TRIM_THRESHOLD, 1 << 28); /* half of the time would be the kernel's otherwise */
    gsl_rng *records = random_stream(20261121, 0, "test/storms records");
    storm_write_records(records);
    gsl_rng_free(records);
    for (uint64_t i = first; i < first + STORMS; i++) {
        gsl_rng *rng = random_stream(20261121, i, "test/storms");
        try_storm(rng, &tally);
        gsl_rng_free(rng);
    }
    return tally;
}

/* The storms must have been worth it. */
static void expect_rough_weather(const struct tally *tally)
{
    cr_assert_gt(tally->requests, 50000);
    cr_assert_gt(tally->nodes, 10000);
    cr_assert_gt(tally->refused, 20000);
    cr_assert_gt(tally->interruptions, 2000);
    cr_assert_gt(tally->notices, 2000);
    cr_assert_gt(tally->failures, 3000);
    cr_assert_gt(tally->drained, 3000);
    cr_assert_gt(tally->lost_replicas, 4000);
    cr_assert_gt(tally->budget_refusals, 30000);
    cr_assert_gt(tally->shed, 100);
    cr_assert_gt(tally->held, 15000);
    cr_assert_gt(tally->moved, 1000);
    cr_assert_gt(tally->lost, 100);
    cr_assert_gt(tally->retries, 7000);
    cr_assert_gt(tally->in_flight, 5000);
    cr_assert_gt(tally->roles, 500);
    cr_assert_gt(tally->models, 100);
}

#define STORM_TEST(number, name)                                                                   \
    Test(storms, name)                                                                             \
    {                                                                                              \
        struct tally tally = try_storms((number)*STORMS);                                          \
        expect_rough_weather(&tally);                                                              \
    }

STORM_TEST(0, first_quarter)
STORM_TEST(1, second_quarter)
STORM_TEST(2, third_quarter)
STORM_TEST(3, last_quarter)
