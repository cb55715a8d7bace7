/* Scheduled actions by weekday, time and offset from UTC; time 0 is a Monday, 00:00 UTC. */
#include "tests/models/scaler_support.h"

#define H        3600.0
#define WORKDAYS "['monday', 'tuesday', 'wednesday', 'thursday', 'friday']"

#define NINE_TO_FIVE(offset)                                                                       \
    "{'policy': 'schedule', 'utc_offset_h': " offset ", 'actions': ["                              \
    " {'days': " WORKDAYS ", 'time': '09:00', 'min_replicas': 8, 'desired_replicas': 10},"         \
    " {'days': " WORKDAYS ", 'time': '17:00', 'min_replicas': 1, 'max_replicas': 2},"              \
    " {'days': " WORKDAYS ", 'time': '08:59', 'max_replicas': 20}]}"

/* The Friday before has left 1 to 2 replicas at time 0. */
Test(scaler_schedule, from_nine_to_five_on_workdays)
{
    struct world world = make_world(NINE_TO_FIVE("0"), 1, 20, 4);
    cr_expect_eq(next_s(&world), 0);
    cr_expect_eq(decide_next(&world), 2);
    cr_expect_eq(run_to(&world, 9 * H - 1), 2);
    cr_expect_eq(run_to(&world, 9 * H), 10);
    cr_expect_eq(run_to(&world, 17 * H - 1), 10);
    cr_expect_eq(run_to(&world, 17 * H), 2);
    cr_expect_eq(run_to(&world, (4 * 24 + 12) * H), 10); /* Friday noon */
    cr_expect_eq(run_to(&world, (5 * 24 + 12) * H), 2);  /* Saturday noon */
    cr_expect_eq(run_to(&world, (7 * 24 + 12) * H), 10); /* Monday noon */
    end_world(&world);
}

/* 09:00 in Tokyo (UTC+9) is midnight UTC; in New York (UTC-5) it is 14:00 UTC. */
Test(scaler_schedule, times_are_local)
{
    struct world world = make_world(NINE_TO_FIVE("9"), 1, 20, 4);
    cr_expect_eq(decide_next(&world), 10);
    cr_expect_eq(run_to(&world, 8 * H), 2);
    end_world(&world);
    world = make_world(NINE_TO_FIVE("-5"), 1, 20, 4);
    cr_expect_eq(run_to(&world, 14 * H - 1), 2);
    cr_expect_eq(run_to(&world, 14 * H), 10);
    end_world(&world);
}

/* It starts on another day: Wednesday 2026-01-07, 12:30 UTC. */
Test(scaler_schedule, starts_in_the_middle_of_a_week)
{
    struct world world = make_world(NINE_TO_FIVE("0"), 1, 20, 4);
    scaler_destroy(world.scaler);
    world.limits.start_epoch_s = A_MONDAY + 2 * 86400 + 45000;
    world.scaler = scaler_create(&world.config, &world.limits, NULL);
    cr_expect_eq(decide_next(&world), 10);
    cr_expect_eq(run_to(&world, 4.5 * H - 1), 10);
    cr_expect_eq(run_to(&world, 4.5 * H), 2);
    end_world(&world);
}

/* Every day, and a bound that the other one stands in the way of. */
Test(scaler_schedule, the_newer_bound_wins)
{
    struct world world =
        make_world("{'policy': 'schedule', 'actions': [{'time': '06:00', 'min_replicas': 6},"
                   " {'time': '18:00', 'max_replicas': 3}]}",
                   1, 20, 4);
    cr_expect_eq(decide_next(&world), 3);
    cr_expect_eq(run_to(&world, 6 * H), 6);
    cr_expect_eq(run_to(&world, 18 * H), 3);
    cr_expect_eq(run_to(&world, 30 * H), 6);
    end_world(&world);
}

Test(scaler_schedule, actions_that_make_no_sense)
{
    expect_scaler_refused("{'policy': 'schedule', 'actions': [{'time': '24:00'}]}", 1, 9,
                          "/actions/0/time", "not a time");
    expect_scaler_refused("{'policy': 'schedule', 'actions': [{'time': '9:000'}]}", 1, 9,
                          "/actions/0/time", "not a time");
    expect_scaler_refused("{'policy': 'schedule', 'actions': [{'time': '09:00', 'min_replicas': 5,"
                          " 'max_replicas': 4}]}",
                          1, 9, "/actions/0/min_replicas", "above the action's max_replicas");
    expect_scaler_refused("{'policy': 'schedule', 'actions': [{'time': '09:00', 'max_replicas': 10"
                          "}]}",
                          1, 9, "/actions/0/max_replicas", "outside the pool's limits");
    expect_scaler_refused("{'policy': 'schedule', 'actions': [{'time': '09:00'},"
                          " {'time': '09:00', 'days': ['sunday']}]}",
                          1, 9, "/actions/1/time", "same time");
}
