/* A replica that is predicted to keep the class's SLO.
 *
 * "slo_aware" is llm-d's predicted-latency scheduling (gateway-api-inference-extension, the
 * slo-aware router): replicas with headroom first, by the most or the least of it (the least packs
 * requests where they just fit); without any, the least bad. llm-d learns its predictions online
 * and assumes equal replicas; here each pool has an estimate of its own (router_predict.h).
 * "cheapest" takes the cheapest pool that has a replica with headroom, and in it the one with the
 * most. A class without bounds strains nobody: it goes where it is predicted to end first. */
#include <math.h>

#include "models/fleet/router_predict.h"

static const char *const headroom_names[] = {"most", "least", NULL};

static const struct config_field slo_fields[] = {
    {.name = "margin",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_slo_config, margin),
     .preset = "1",
     .min = 0,
     .above_min = true,
     .max = 10,
     .doc = "share of the SLO's bounds that predicted latencies must keep"},
    {.name = "headroom",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_slo_config, headroom),
     .names = headroom_names,
     .preset = "\"most\"",
     .doc = "of the replicas that keep it, the one with the most headroom (spreads), or with the "
            "least (packs)"},
    {0}};

const struct config_type router_slo_type = {.name = "router_slo_aware",
                                            .doc = "Parameters of SLO-aware routing",
                                            .size = sizeof(struct router_slo_config),
                                            .fields = slo_fields};

static const char *const price_names[] = {"per_hour", "per_request", NULL};

static const struct config_field cheapest_fields[] = {
    {.name = "margin",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_cheapest_config, margin),
     .preset = "1",
     .min = 0,
     .above_min = true,
     .max = 10,
     .doc = "share of the SLO's bounds that predicted latencies must keep"},
    {.name = "price",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_cheapest_config, price),
     .names = price_names,
     .preset = "\"per_hour\"",
     .doc = "what is cheap: an hour of a replica, or the share of one that the request would take "
            "of a full replica"},
    {0}};

const struct config_type router_cheapest_type = {.name = "router_cheapest",
                                                 .doc = "Parameters of routing by price",
                                                 .size = sizeof(struct router_cheapest_config),
                                                 .fields = cheapest_fields};

/* Of two replicas the better has the lower rank, read from the first member on. */
struct rank {
    bool misses; /* the SLO, as predicted */
    double first, second;
};

static bool better(const struct rank *a, const struct rank *b)
{
    if (a->misses != b->misses)
        return b->misses;
    return a->first != b->first ? a->first < b->first : a->second < b->second;
}

struct slo_chooser {
    struct chooser chooser;
    struct predictor predictor;
    double margin;
    bool packs;      /* slo_aware */
    bool by_request; /* cheapest: the price of the request, not of an hour */
};

static void close_slo(struct chooser *chooser)
{
    predictor_free(&((struct slo_chooser *)chooser)->predictor);
}

static bool open_slo_aware(struct chooser *chooser, const void *config)
{
    const struct router_slo_config *given = config;
    struct slo_chooser *slo = (struct slo_chooser *)chooser;
    slo->margin = given->margin;
    slo->packs = given->headroom == HEADROOM_LEAST;
    return predictor_init(&slo->predictor, chooser->router);
}

static bool open_cheapest(struct chooser *chooser, const void *config)
{
    const struct router_cheapest_config *given = config;
    struct slo_chooser *slo = (struct slo_chooser *)chooser;
    slo->margin = given->margin;
    slo->by_request = given->price == PRICE_PER_REQUEST;
    return predictor_init(&slo->predictor, chooser->router);
}

static void forget_prompts(struct chooser *chooser, uint32_t slot)
{
    predictor_forget(&((struct slo_chooser *)chooser)->predictor, slot);
}

static struct rank rank_by_headroom(const struct slo_chooser *slo, double strain, double e2e_s)
{
    bool misses = strain > slo->margin;
    return (struct rank){misses, slo->packs && !misses ? -strain : strain, e2e_s};
}

static struct rank rank_by_price(const struct slo_chooser *slo, uint32_t slot,
                                 const struct router_request *request, double strain)
{
    if (strain > slo->margin)
        return (struct rank){true, strain, 0};
    const struct router *router = slo->chooser.router;
    const struct router_pool *pool = &router->pools[router->slots[slot].pool];
    double hours =
        slo->by_request ? router_work_s(pool, request->prompt_tok, request->output_tok) : 1;
    return (struct rank){false, pool->usd_per_hour * hours, strain};
}

static struct rank rank_of(const struct slo_chooser *slo, uint32_t slot,
                           const struct router_request *request)
{
    struct prediction prediction = predictor_ask(&slo->predictor, slot, request);
    const struct router_bounds *bounds = &slo->chooser.router->bounds[request->class_index];
    double strain = prediction_strain(&prediction, bounds);
    return slo->chooser.policy == &router_cheapest
               ? rank_by_price(slo, slot, request, strain)
               : rank_by_headroom(slo, strain, prediction.e2e_s);
}

static uint32_t choose_best(struct chooser *chooser, const struct router_request *request)
{
    struct slo_chooser *slo = (struct slo_chooser *)chooser;
    uint32_t best = chooser->slots[0];
    struct rank best_rank = rank_of(slo, best, request);
    for (uint32_t i = 1; i < chooser->slot_count; i++) {
        struct rank rank = rank_of(slo, chooser->slots[i], request);
        if (better(&rank, &best_rank)) {
            best = chooser->slots[i];
            best_rank = rank;
        }
    }
    predictor_sent(&slo->predictor, best, request->now, request->prompt_tok);
    return best;
}

const struct router_policy router_slo_aware = {.size = sizeof(struct slo_chooser),
                                               .open = open_slo_aware,
                                               .close = close_slo,
                                               .choose = choose_best,
                                               .availability_changed = forget_prompts};

const struct router_policy router_cheapest = {.size = sizeof(struct slo_chooser),
                                              .open = open_cheapest,
                                              .close = close_slo,
                                              .choose = choose_best,
                                              .availability_changed = forget_prompts};
