/* Moves between prefill and decode, against sequences by hand. */
#include <criterion/criterion.h>
#include <string.h>

#include "models/elastic/rebalance.h"

static struct arena *arena;
static struct rebalance_settings settings;

static bool read_settings(const char *json)
{
    struct error error = {0};
    arena = arena_create();
    struct json_document *document = json_read_text("test", json, strlen(json), &error);
    bool ok = config_read(&rebalance_settings_type, document, json_root(document), "", arena,
                          &settings, &error);
    json_free(document);
    arena_destroy(arena);
    return ok;
}

static void read_defaults(void)
{
    cr_assert(read_settings("{}"));
}

TestSuite(rebalance, .init = read_defaults);

static const struct rebalance_sample quiet = {
    .prefill_replicas = 4, .decode_replicas = 4, .prefill_queue = 1, .decode_kv = 0.7};
static const struct rebalance_sample prefill_short = {
    .prefill_replicas = 4, .decode_replicas = 4, .prefill_queue = 8, .decode_kv = 0.3};
static const struct rebalance_sample decode_short = {
    .prefill_replicas = 4, .decode_replicas = 4, .prefill_queue = 0, .decode_kv = 0.95};

/* Steps through all times that it asks for, up to and with that second; the last move, and when. */
struct outcome {
    enum rebalance_move move;
    double at_s;
    int moves;
};

static struct outcome run(struct rebalance *rebalance, double until_s,
                          const struct rebalance_sample *sample)
{
    struct outcome outcome = {0};
    while (rebalance_next(rebalance) <= tick_from_s(until_s)) {
        tick_t now = rebalance_next(rebalance);
        enum rebalance_move move = rebalance_step(rebalance, now, sample);
        cr_assert_gt(rebalance_next(rebalance), now);
        if (move != MOVE_NONE)
            outcome = (struct outcome){move, tick_to_s(now), outcome.moves + 1};
    }
    return outcome;
}

static struct outcome run_from_start(double until_s, const struct rebalance_sample *sample)
{
    struct rebalance rebalance;
    rebalance_start(&rebalance, &settings, 0);
    return run(&rebalance, until_s, sample);
}

Test(rebalance, defaults_are_dynamos)
{
    cr_assert_eq(settings.metric_interval_s, 10);
    cr_assert_eq(settings.adjustment_interval_s, 180);
    cr_assert_eq(settings.prefill_queue_up, 5);
    cr_assert_eq(settings.prefill_queue_down, 0.2);
    cr_assert_eq(settings.decode_kv_up, 0.9);
    cr_assert_eq(settings.decode_kv_down, 0.5);
    cr_assert_eq(settings.min_replicas, 1);
}

Test(rebalance, one_replica_moves_in_an_interval)
{
    cr_assert_eq(run_from_start(1000, &quiet).moves, 0);
    cr_assert_eq(run_from_start(179, &prefill_short).moves, 0);
    struct outcome first = run_from_start(180, &prefill_short);
    cr_assert_eq(first.move, MOVE_TO_PREFILL);
    cr_assert_eq(first.at_s, 180);
    cr_assert_eq(run_from_start(900, &prefill_short).moves, 5);
    cr_assert_eq(run_from_start(180, &decode_short).move, MOVE_TO_DECODE);
}

/* Both pools have to agree. */
Test(rebalance, one_side_alone_moves_nothing)
{
    struct rebalance_sample sample = prefill_short;
    sample.decode_kv = 0.5; /* not below */
    cr_assert_eq(run_from_start(1000, &sample).moves, 0);
    sample.decode_kv = 0.95; /* both are short */
    cr_assert_eq(run_from_start(1000, &sample).moves, 0);
    sample.prefill_queue = 0.2; /* not below */
    cr_assert_eq(run_from_start(1000, &sample).moves, 0);
    sample.prefill_queue = 0;
    sample.decode_kv = 0.1; /* both are idle */
    cr_assert_eq(run_from_start(1000, &sample).moves, 0);
}

/* 0.8 of the cache, and 0.02 for each of six that wait. */
Test(rebalance, waiting_requests_count_as_use)
{
    struct rebalance_sample sample = decode_short;
    sample.decode_kv = 0.8;
    cr_assert_eq(run_from_start(180, &sample).moves, 0);
    sample.decode_waiting = 6;
    cr_assert_eq(run_from_start(180, &sample).move, MOVE_TO_DECODE);
}

Test(rebalance, each_pool_keeps_its_least)
{
    struct rebalance_sample sample = prefill_short;
    sample.decode_replicas = 1;
    cr_assert_eq(run_from_start(1000, &sample).moves, 0);
    sample = decode_short;
    sample.prefill_replicas = 1;
    cr_assert_eq(run_from_start(1000, &sample).moves, 0);
    cr_assert(read_settings("{\"min_replicas\": 4}"));
    cr_assert_eq(run_from_start(1000, &decode_short).moves, 0);
    cr_assert(read_settings("{\"min_replicas\": 3}"));
    cr_assert_eq(run_from_start(180, &decode_short).moves, 1);
}

/* The mean is far above the threshold. From 20 to 14 requests: in three more intervals there would
 * be 14 - 18 = -4. From 20 to 18: 18 - 6 = 12. */
Test(rebalance, a_queue_that_goes_away_does_not_count)
{
    for (int end = 14; end <= 18; end += 4) {
        struct rebalance rebalance;
        struct rebalance_sample sample = prefill_short;
        rebalance_start(&rebalance, &settings, 0);
        sample.prefill_queue = 20;
        run(&rebalance, 90, &sample);
        sample.prefill_queue = end;
        cr_assert_eq(run(&rebalance, 180, &sample).moves, end == 18, "%d at the end", end);
    }
}

/* 17 samples of 2 requests and two of 20 are 3.9 on average, though more are to come. */
Test(rebalance, a_queue_that_has_just_come_does_not_count)
{
    struct rebalance rebalance;
    struct rebalance_sample sample = prefill_short;
    rebalance_start(&rebalance, &settings, 0);
    sample.prefill_queue = 2;
    run(&rebalance, 160, &sample);
    sample.prefill_queue = 20;
    cr_assert_eq(run(&rebalance, 180, &sample).moves, 0);
    cr_assert_eq(run(&rebalance, 360, &sample).moves, 1);
}

Test(rebalance, intervals_need_not_be_multiples)
{
    cr_assert(read_settings("{\"adjustment_interval_s\": 25}"));
    cr_assert_eq(run_from_start(25, &prefill_short).at_s, 25);
    cr_assert_eq(run_from_start(50, &prefill_short).at_s, 50);
}

/* Means over 19 samples: 9 with 1.0 and 10 with 0.8 are 0.894, 10 and 9 are 0.905. */
Test(rebalance, the_mean_over_the_interval_counts)
{
    for (int full = 9; full <= 10; full++) {
        struct rebalance rebalance;
        struct rebalance_sample sample = decode_short;
        rebalance_start(&rebalance, &settings, 0);
        sample.decode_kv = 1;
        run(&rebalance, 10.0 * (full - 1), &sample);
        sample.decode_kv = 0.8;
        cr_assert_eq(run(&rebalance, 180, &sample).moves, full == 10, "%d full samples", full);
    }
}

/* After a move to decode at 180 s, the first one back is at 720 s: three intervals later. */
Test(rebalance, decode_keeps_a_new_replica_for_a_while)
{
    struct rebalance rebalance;
    rebalance_start(&rebalance, &settings, 0);
    cr_assert_eq(run(&rebalance, 180, &decode_short).move, MOVE_TO_DECODE);
    struct outcome back = run(&rebalance, 720, &prefill_short);
    cr_assert_eq(back.move, MOVE_TO_PREFILL);
    cr_assert_eq(back.at_s, 720);
    cr_assert_eq(back.moves, 1);
}

Test(rebalance, nothing_is_measured_while_a_replica_moves)
{
    struct rebalance rebalance;
    struct rebalance_sample moving = prefill_short;
    moving.moving = true;
    rebalance_start(&rebalance, &settings, 0);
    run(&rebalance, 175, &prefill_short);
    cr_assert_eq(run(&rebalance, 300, &moving).moves, 0);
    struct outcome after = run(&rebalance, 500, &prefill_short);
    cr_assert_eq(after.moves, 1);
    cr_assert_eq(after.at_s, 310 + 180); /* 310: the first sample after it */
}

Test(rebalance, nothing_moves_when_others_scale)
{
    struct rebalance rebalance;
    struct rebalance_sample grown = prefill_short;
    grown.decode_replicas++;
    rebalance_start(&rebalance, &settings, 0);
    run(&rebalance, 100, &prefill_short);
    cr_assert_eq(run(&rebalance, 180, &grown).moves, 0);
    cr_assert_eq(run(&rebalance, 360, &grown).moves, 1);
}

static void refused(const char *json, const char *pointer)
{
    struct error error = {0};
    cr_assert(read_settings(json));
    cr_assert_not(rebalance_check(&settings, &error), "%s", json);
    cr_assert_str_eq(error.json_path, pointer);
}

Test(rebalance, settings_that_fight_each_other_are_refused)
{
    cr_assert(rebalance_check(&settings, NULL));
    refused("{\"prefill_queue_down\": 5}", "/prefill_queue_down");
    refused("{\"decode_kv_up\": 0.4}", "/decode_kv_down");
    refused("{\"metric_interval_s\": 181}", "/metric_interval_s");
    cr_assert_not(read_settings("{\"decode_kv_up\": 1.1}"));
    cr_assert_not(read_settings("{\"min_replicas\": 0}"));
}
