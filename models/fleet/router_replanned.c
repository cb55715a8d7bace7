/* Shares of pools by class, planned anew on a timer from what the last interval brought.
 *
 * Each class brought so many requests of a mean prompt and answer; each pool would spend so many
 * seconds of a full replica on one (router_work_s), and has so many replicas, less what they need
 * to work off what waits there already. The plan makes the busiest pool as little busy as can be:
 *
 *   minimise u  with  sum over classes of rate x share x work <= u x capacity   for each pool
 *
 * That linear program is solved by multiplicative weights (Garg, Koenemann, "Faster and simpler
 * algorithms for multicommodity flow and other fractional packing problems", 1998): each pool has a
 * price per second; each class goes to the pool that is cheapest for it; prices rise with the load
 * they draw; the mean of all rounds comes within a few percent of the optimum. No allocation and no
 * solver. So classes go where they are served best relative to the
 * others: long prompts to where prefill is fast, even if all classes would be faster there.
 *
 * Until the first interval has passed, pools get shares by replica count and weight.
 *
 * A plan counts replicas that are available when it is made. Between two plans a pool that goes
 * leaves its shares to the others (router_shares.h), and one that comes waits for the next plan to
 * get some. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/fleet/router_predict.h"
#include "models/fleet/router_shares.h"

#define ROUNDS         512
#define PRICE_STEP     0.05
/* A pool that is flooded with work still gets its share by this part of its replicas. */
#define LEAST_CAPACITY 0.02

static const struct config_field replanned_fields[] = {
    {.name = "interval_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_replanned_config, interval_s),
     .preset = "10",
     .min = 0,
     .above_min = true,
     .max = 1e7,
     .doc = "time between plans, and of what is observed for each"},
    {.name = "within",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_replanned_config, within),
     .names = router_within_names,
     .preset = "\"least_outstanding_tokens\"",
     .doc = "policy among the replicas of the chosen pool"},
    {0}};

const struct config_type router_replanned_type = {.name = "router_replanned",
                                                  .doc = "Parameters of shares planned on a timer",
                                                  .size = sizeof(struct router_replanned_config),
                                                  .fields = replanned_fields};

/* What arrived of a class since the last plan. */
struct observed {
    uint64_t requests, prompt_tok, output_tok;
};

struct replanned {
    struct chooser chooser;
    struct chooser **within; /* by place of the pool */
    struct pool_shares shares;
    tick_t interval, next;
    struct observed *observed;          /* [class] */
    double *work_s;                     /* [class][place]: of all requests of the class */
    double *prices, *capacity, *load_s; /* [place] */
};

static bool open_replanned(struct chooser *chooser, const void *config)
{
    const struct router_replanned_config *given = config;
    struct replanned *planned = (struct replanned *)chooser;
    size_t classes = chooser->router->fleet.class_count, pools = chooser->pool_count;
    planned->interval = tick_from_s(given->interval_s);
    planned->interval += planned->interval == 0;
    planned->next = planned->interval;
    planned->within = choosers_within(chooser, given->within);
    planned->observed = calloc(classes, sizeof *planned->observed);
    planned->work_s = calloc(classes * pools, sizeof *planned->work_s);
    planned->prices = calloc(pools, sizeof *planned->prices);
    planned->capacity = calloc(pools, sizeof *planned->capacity);
    planned->load_s = calloc(pools, sizeof *planned->load_s);
    if (!planned->within || !planned->observed || !planned->work_s || !planned->prices ||
        !planned->capacity || !planned->load_s ||
        !pool_shares_init(&planned->shares, chooser, true))
        return false;
    pool_shares_renew(&planned->shares);
    return true;
}

static void close_replanned(struct chooser *chooser)
{
    struct replanned *planned = (struct replanned *)chooser;
    choosers_destroy(planned->within, chooser->pool_count);
    pool_shares_free(&planned->shares);
    free(planned->observed);
    free(planned->work_s);
    free(planned->prices);
    free(planned->capacity);
    free(planned->load_s);
}

static void renew_shares(struct chooser *chooser, uint32_t slot)
{
    (void)slot;
    pool_shares_renew(&((struct replanned *)chooser)->shares);
}

static const struct router_pool *pool_at(const struct replanned *planned, uint32_t place)
{
    return &planned->chooser.router->pools[planned->chooser.pools[place]];
}

static double *work_of(const struct replanned *planned, uint32_t class_index)
{
    return planned->work_s + (size_t)class_index * planned->chooser.pool_count;
}

static void weigh_class(struct replanned *planned, uint32_t class_index)
{
    const struct observed *seen = &planned->observed[class_index];
    double requests = (double)seen->requests;
    for (uint32_t place = 0; place < planned->chooser.pool_count; place++)
        work_of(planned, class_index)[place] =
            requests * router_work_s(pool_at(planned, place), (double)seen->prompt_tok / requests,
                                     (double)seen->output_tok / requests);
}

/* Replica seconds of the next interval. What does not fit into the KV caches waits: it takes its
 * part of them, as long as the tokens that do fit take to be worked off. */
static double capacity_of(const struct replanned *planned, uint32_t place)
{
    const struct router *router = planned->chooser.router;
    const struct router_pool *pool = pool_at(planned, place);
    uint32_t replicas = router->available[planned->chooser.pools[place]];
    double interval_s = tick_to_s(planned->interval) * replicas;
    double outstanding_tok = (double)router_outstanding_tok(router, planned->chooser.pools[place]);
    double waiting_tok = outstanding_tok - (double)pool->kv_tok * replicas;
    if (waiting_tok <= 0)
        return interval_s;
    struct observed all = {0};
    for (uint32_t i = 0; i < router->fleet.class_count; i++) {
        all.requests += planned->observed[i].requests;
        all.prompt_tok += planned->observed[i].prompt_tok;
        all.output_tok += planned->observed[i].output_tok;
    }
    double requests = (double)all.requests;
    double prompt_tok = (double)all.prompt_tok / requests;
    double output_tok = (double)all.output_tok / requests;
    double waiting = waiting_tok / (prompt_tok + output_tok);
    double backlog_s = waiting * router_work_s(pool, prompt_tok, output_tok);
    return fmax(LEAST_CAPACITY * interval_s, interval_s - backlog_s);
}

/* The place of the pool that is cheapest for the class at these prices. */
static uint32_t cheapest_for(const struct replanned *planned, uint32_t class_index)
{
    const double *work_s = work_of(planned, class_index);
    uint32_t best = 0;
    for (uint32_t place = 1; place < planned->chooser.pool_count; place++)
        if (work_s[place] * planned->prices[place] < work_s[best] * planned->prices[best])
            best = place;
    return best;
}

/* How busy the busiest pool is when each class goes where it is cheapest; fills load_s. */
static double load_pools(struct replanned *planned)
{
    uint32_t pools = planned->chooser.pool_count;
    memset(planned->load_s, 0, pools * sizeof *planned->load_s);
    for (uint32_t c = 0; c < planned->chooser.router->fleet.class_count; c++)
        if (planned->observed[c].requests > 0) {
            uint32_t place = cheapest_for(planned, c);
            planned->load_s[place] += work_of(planned, c)[place];
        }
    double busiest = 0;
    for (uint32_t place = 0; place < pools; place++)
        if (planned->capacity[place] > 0)
            busiest = fmax(busiest, planned->load_s[place] / planned->capacity[place]);
    return busiest;
}

/* So much of each class goes there that the busiest pool gets the same in each round. */
static void play_round(struct replanned *planned)
{
    double busiest = load_pools(planned);
    for (uint32_t c = 0; c < planned->chooser.router->fleet.class_count; c++)
        if (planned->observed[c].requests > 0)
            pool_shares_of(&planned->shares, c)[cheapest_for(planned, c)] += 1 / busiest;
    double dearest = 0;
    for (uint32_t place = 0; place < planned->chooser.pool_count; place++) {
        if (planned->capacity[place] <= 0)
            continue;
        double busy = planned->load_s[place] / planned->capacity[place] / busiest;
        planned->prices[place] *= 1 + PRICE_STEP * busy;
        dearest = fmax(dearest, planned->prices[place]);
    }
    for (uint32_t place = 0; place < planned->chooser.pool_count; place++)
        planned->prices[place] /= dearest;
}

/* A start at which no pool is cheaper for everything; one without capacity is beyond price. */
static void set_prices(struct replanned *planned)
{
    for (uint32_t place = 0; place < planned->chooser.pool_count; place++) {
        double work_s = 0;
        for (uint32_t c = 0; c < planned->chooser.router->fleet.class_count; c++)
            work_s += planned->observed[c].requests > 0 ? work_of(planned, c)[place] : 0;
        planned->prices[place] = planned->capacity[place] > 0 ? 1 / work_s : INFINITY;
    }
}

static void forget_shares(struct replanned *planned, uint32_t class_index)
{
    double *shares = pool_shares_of(&planned->shares, class_index);
    memset(shares, 0, planned->chooser.pool_count * sizeof *shares);
}

/* Classes that nobody asked for keep their shares. */
static void plan(struct replanned *planned)
{
    uint32_t pools = planned->chooser.pool_count;
    uint32_t classes = planned->chooser.router->fleet.class_count;
    bool any = false;
    for (uint32_t c = 0; c < classes; c++)
        if (planned->observed[c].requests > 0) {
            weigh_class(planned, c);
            forget_shares(planned, c);
            any = true;
        }
    if (!any)
        return;
    for (uint32_t place = 0; place < pools; place++)
        planned->capacity[place] = capacity_of(planned, place);
    set_prices(planned);
    for (int round = 0; round < ROUNDS; round++)
        play_round(planned);
    pool_shares_renew(&planned->shares);
    memset(planned->observed, 0, classes * sizeof *planned->observed);
}

static uint32_t choose_replanned(struct chooser *chooser, const struct router_request *request)
{
    struct replanned *planned = (struct replanned *)chooser;
    if (request->now >= planned->next) {
        plan(planned);
        planned->next = request->now - request->now % planned->interval + planned->interval;
    }
    struct observed *seen = &planned->observed[request->class_index];
    seen->requests++;
    seen->prompt_tok += request->prompt_tok;
    seen->output_tok += request->output_tok;
    uint32_t place = pool_shares_deal(&planned->shares, request->class_index);
    return chooser_choose(planned->within[place], request);
}

const struct router_policy router_replanned = {.size = sizeof(struct replanned),
                                               .open = open_replanned,
                                               .close = close_replanned,
                                               .choose = choose_replanned,
                                               .availability_changed = renew_shares};
