#include "analysis/point_clients.h"

#include <math.h>

#include "analysis/protocol.h"
#include "workloads/closed_loop.h"
#include "workloads/transform.h"

/* What stands behind the pointers of a closed loop's settings. */
struct clients {
    struct length_uniform prompt, output;
    struct think_time pause;
    struct closed_loop_config loop;
    struct length_pair_config lengths;
};

static void set_up_clients(struct clients *clients, const struct measured_point *point)
{
    struct length_range prompt = point_lengths(point->isl, point->len_ratio_min);
    struct length_range output = point_lengths(point->osl, point->len_ratio_min);
    struct protocol_pause pause = protocol_pause(point);
    *clients = (struct clients){.prompt = {prompt.min_tok, prompt.max_tok},
                                .output = {output.min_tok, output.max_tok},
                                .pause = {.min_s = pause.min_s, .max_s = pause.max_s},
                                .loop = {.clients = protocol_clients(point),
                                         .cached_prompt_share = protocol_cached_share(point),
                                         .think = {THINK_UNIFORM, &clients->pause}},
                                .lengths = {.prompt = {LENGTH_UNIFORM, &clients->prompt},
                                            .output = {LENGTH_UNIFORM, &clients->output}}};
}

struct source *point_clients_open(const struct measured_point *point, struct arena *arena,
                                  struct error *error)
{
    struct clients *clients = ARENA_NEW(arena, struct clients);
    set_up_clients(clients, point);
    const struct stream_seed seed = {
        .seed = 1,
        .stream = arena_printf(arena, "%lldx%lld, %.10g, %lld clients", (long long)point->isl,
                               (long long)point->osl, point->len_ratio_min,
                               (long long)point->concurrency)};
    const struct place nowhere = {0};
    struct source *source =
        closed_loop_open(&clients->loop, &clients->lengths, &seed, arena, &nowhere, error);
    return source ? transform_limit(source, (uint64_t)protocol_requests(point), INFINITY, arena)
                  : NULL;
}
