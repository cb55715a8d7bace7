/* Shared links: answers by hand, and what max-min fairness says of any set of flows. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/fleet/links.h"
#include "sim/random.h"

enum { FLOWS_MAX = 60 };

/* Lets everything flow to its end; writes when each flow arrived, by its number, in seconds. */
static void run_out(struct links *links, double *arrived_s)
{
    while (links_next(links) != TICK_NEVER) {
        tick_t now = links_next(links);
        links_advance(links, now);
        struct link_arrival arrival;
        while (links_take_arrival(links, now, &arrival))
            arrived_s[arrival.flow] = tick_to_s(now);
    }
}

static uint32_t begin(struct links *links, uint32_t from, uint32_t to, double bytes, double at_s)
{
    uint32_t path[] = {from, to};
    return links_begin(links, path, 2, bytes, tick_from_s(at_s));
}

Test(links, one_flow_takes_its_slowest_link_and_the_latencies)
{
    struct links links;
    links_init(&links);
    uint32_t fast = links_add(&links, 400, 0.25), slow = links_add(&links, 100, 0.5);
    uint32_t flow = begin(&links, fast, slow, 200, 1);
    struct link_arrival arrival;
    tick_t sent = tick_from_s(3), end = tick_from_s(3.75);
    cr_assert_eq(links_next(&links), sent);
    links_advance(&links, sent);
    cr_assert_not(links_take_arrival(&links, sent, &arrival));
    cr_assert_eq(links_next(&links), end);
    links_advance(&links, end);
    cr_assert(links_take_arrival(&links, end, &arrival));
    cr_assert_eq(arrival.flow, flow);
    cr_assert_eq(arrival.took, tick_from_s(2.75));
    cr_assert_eq(arrival.alone, arrival.took);
    cr_assert_eq(links_next(&links), TICK_NEVER);
    links_free(&links);
}

/* 100 bytes/s for both: until the shorter ends at 4 s each has 50, then the other has all. */
Test(links, two_flows_share_a_nic)
{
    struct links links;
    links_init(&links);
    uint32_t nic = links_add(&links, 100, 0);
    uint32_t a = links_add(&links, 1000, 0), b = links_add(&links, 1000, 0);
    uint32_t longer = begin(&links, nic, a, 500, 0), shorter = begin(&links, nic, b, 200, 0);
    double arrived_s[FLOWS_MAX];
    run_out(&links, arrived_s);
    cr_expect_float_eq(arrived_s[shorter], 4, 1e-9);
    cr_expect_float_eq(arrived_s[longer], 7, 1e-9);
    links_free(&links);
}

/* A byte a second, for more seconds than the clock has left: the flow is still on its way then. */
Test(links, what_would_end_after_the_clock_never_ends_before_it)
{
    struct links links;
    links_init(&links);
    uint32_t nic = links_add(&links, 1, 0);
    links_begin(&links, &nic, 1, 1e12, tick_from_s(1e6));
    links_begin(&links, &nic, 1, 1e12, tick_from_s(2e6));
    cr_assert_geq(links_next(&links), tick_from_s(CLOCK_MAX_S));
    cr_assert_neq(links_next(&links), TICK_NEVER);
    links_free(&links);
}

Test(links, waiting_is_what_it_takes_beyond_links_of_its_own)
{
    struct links links;
    links_init(&links);
    uint32_t nic = links_add(&links, 100, 0.5);
    links_begin(&links, &nic, 1, 100, 0);
    links_begin(&links, &nic, 1, 100, 0);
    tick_t sent = links_next(&links);
    links_advance(&links, sent);
    tick_t end = links_next(&links);
    links_advance(&links, end);
    struct link_arrival arrival;
    cr_assert(links_take_arrival(&links, end, &arrival));
    cr_expect_eq(arrival.took, tick_from_s(2.5));
    cr_expect_eq(arrival.alone, tick_from_s(1.5));
    links_free(&links);
}

/* The textbook's line of two links: one flow over both, one over the first (100 bytes/s), two over
 * the second (90): the second gives 30 each, the first's own flow has the 70 that are left. */
Test(links, what_a_flow_cannot_use_goes_to_others)
{
    struct links links;
    links_init(&links);
    uint32_t first = links_add(&links, 100, 0), second = links_add(&links, 90, 0);
    uint32_t both = begin(&links, first, second, 60, 0);
    uint32_t alone = links_begin(&links, &first, 1, 140, 0);
    uint32_t pair[] = {links_begin(&links, &second, 1, 60, 0),
                       links_begin(&links, &second, 1, 60, 0)};
    double arrived_s[FLOWS_MAX];
    run_out(&links, arrived_s);
    cr_expect_float_eq(arrived_s[both], 2, 1e-9);
    cr_expect_float_eq(arrived_s[alone], 2, 1e-9);
    cr_expect_float_eq(arrived_s[pair[0]], 2, 1e-9);
    cr_expect_float_eq(arrived_s[pair[1]], 2, 1e-9);
    links_free(&links);
}

/* The first sends 100 of its 200 bytes before the second comes. */
Test(links, who_comes_later_slows_those_before)
{
    struct links links;
    links_init(&links);
    uint32_t nic = links_add(&links, 100, 0);
    uint32_t early = links_begin(&links, &nic, 1, 200, 0);
    uint32_t late = links_begin(&links, &nic, 1, 200, tick_from_s(1));
    double arrived_s[FLOWS_MAX];
    run_out(&links, arrived_s);
    cr_expect_float_eq(arrived_s[early], 3, 1e-9);
    cr_expect_float_eq(arrived_s[late], 4, 1e-9);
    links_free(&links);
}

/* Both have 50 bytes/s until one is cut after 2 s: the other has all from then on. */
Test(links, a_flow_that_is_stopped_leaves_its_part_to_others)
{
    struct links links;
    links_init(&links);
    uint32_t nic = links_add(&links, 100, 0);
    uint32_t a = links_add(&links, 1000, 0), b = links_add(&links, 1000, 0);
    uint32_t stays = begin(&links, nic, a, 500, 0), cut = begin(&links, nic, b, 300, 0);
    links_stop(&links, cut, tick_from_s(2));
    double arrived_s[FLOWS_MAX] = {0};
    run_out(&links, arrived_s);
    cr_expect_float_eq(arrived_s[stays], 6, 1e-9);
    cr_expect_eq(arrived_s[cut], 0);
    links_free(&links);
}

Test(links, no_bytes_take_the_latency)
{
    struct links links;
    links_init(&links);
    uint32_t nic = links_add(&links, 100, 0.5);
    uint32_t flow = links_begin(&links, &nic, 1, 0, tick_from_s(1));
    double arrived_s[FLOWS_MAX];
    run_out(&links, arrived_s);
    cr_expect_float_eq(arrived_s[flow], 1.5, 1e-9);
    links_free(&links);
}

static double rate_over(const struct links *links, uint32_t link, double *largest)
{
    double sum = 0;
    *largest = 0;
    for (uint32_t i = 0; i < links->active_count; i++) {
        const struct link_flow *flow = &links->flows[links->active[i]];
        for (uint32_t hop = 0; flow->sending && hop < flow->hops; hop++)
            if (flow->path[hop] == link) {
                sum += flow->rate;
                *largest = fmax(*largest, flow->rate);
            }
    }
    return sum;
}

/* Max-min fair: no link carries more than it can, and each flow crosses a full one on which nobody
 * has more than it. */
static void check_fair(const struct links *links)
{
    for (uint32_t i = 0; i < links->active_count; i++) {
        const struct link_flow *flow = &links->flows[links->active[i]];
        bool held_back = !flow->sending;
        for (uint32_t hop = 0; hop < flow->hops; hop++) {
            double capacity = links->links[flow->path[hop]].bytes_per_tick, largest;
            double carried = rate_over(links, flow->path[hop], &largest);
            cr_assert_leq(carried, capacity * (1 + 1e-9));
            held_back |= carried >= capacity * (1 - 1e-9) && flow->rate >= largest * (1 - 1e-9);
        }
        cr_assert(held_back, "flow %u could have more", links->active[i]);
    }
}

Test(links, random_flows_are_shared_fairly_and_all_arrive)
{
    gsl_rng *rng = random_stream(1, 0, "test/links");
    for (int scene = 0; scene < 200; scene++) {
        struct links links;
        links_init(&links);
        for (int i = 0; i < 12; i++)
            links_add(&links, 10 + (double)gsl_rng_uniform_int(rng, 90),
                      0.1 * (double)gsl_rng_uniform_int(rng, 3));
        uint32_t begun = 0, arrived = 0;
        tick_t now = 0;
        while (begun < FLOWS_MAX || links_next(&links) != TICK_NEVER) {
            if (begun < FLOWS_MAX &&
                (links_next(&links) == TICK_NEVER || gsl_rng_uniform_int(rng, 3) > 0)) {
                uint32_t path[LINKS_PATH_MAX], hops = 1 + (uint32_t)gsl_rng_uniform_int(rng, 4);
                for (uint32_t hop = 0; hop < hops; hop++)
                    path[hop] = 3 * hop + (uint32_t)gsl_rng_uniform_int(rng, 3);
                links_begin(&links, path, hops, (double)gsl_rng_uniform_int(rng, 300), now);
                begun++;
            } else {
                cr_assert_geq(links_next(&links), now);
                now = links_next(&links);
                links_advance(&links, now);
            }
            check_fair(&links);
            struct link_arrival arrival;
            while (links_take_arrival(&links, now, &arrival)) {
                cr_assert_leq(arrival.alone, arrival.took);
                arrived++;
            }
        }
        cr_assert_eq(arrived, begun);
        links_free(&links);
    }
    gsl_rng_free(rng);
}
