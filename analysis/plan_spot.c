#include "analysis/plan_spot.h"

#include <math.h>
#include <string.h>

/* --- caps on the Spot share of an instance type --- */

static const struct {
    double share; /* of its nodes, at most */
    bool base;    /* one of them is on demand */
} caps[] = {{1, false}, {1, true}, {0.75, true}, {0.5, true}, {0.25, true}, {0, true}};

enum { CAP_NONE_ON_SPOT = sizeof caps / sizeof caps[0] - 1 };

enum { OFFERS_MAX = 64 }; /* as the scenario's field table has it */

static const struct scenario_plan *plan_of(const struct plan_spot *spot)
{
    return spot->question->scenario->config.plan;
}

static const struct scenario_offer *offer_of(const struct plan_spot *spot, size_t offer)
{
    return &((const struct scenario_offer *)plan_of(spot)->offers.items)[offer];
}

static size_t on_demand_config(size_t way)
{
    return 2 * way;
}

static size_t spot_config(size_t way)
{
    return 2 * way + 1;
}

/* --- what a node of a way is --- */

static uint32_t market_index(const struct scenario *scenario, const char *name)
{
    uint32_t m = 0;
    while (strcmp(market_spec_name(scenario->markets[m]), name) != 0)
        m++; /* scenario_read has seen to it that there is one */
    return m;
}

static const uint32_t *market_indices(const struct plan_spot *spot, size_t offer)
{
    const struct scenario *scenario = spot->question->scenario;
    const struct config_list *list = &offer_of(spot, offer)->elastic->markets;
    const char *const *names = list->items;
    uint32_t *indices = ARENA_ARRAY(scenario->arena, list->count, uint32_t);
    for (size_t i = 0; i < list->count; i++)
        indices[i] = market_index(scenario, names[i]);
    return indices;
}

/* As the purchase policy chooses: the first of the list, or the cheapest. */
static double on_demand_usd(const struct plan_spot *spot, const struct elastic_pool_spec *pool)
{
    double usd = spot->on_demand_usd[pool->markets[0]];
    bool cheapest = pool->settings->purchase.on_demand_strategy == ON_DEMAND_LOWEST_PRICE;
    for (uint32_t m = 1; m < pool->market_count && cheapest; m++)
        usd = fmin(usd, spot->on_demand_usd[pool->markets[m]]);
    return usd * pool->instances_per_node;
}

static struct elastic_pool_spec describe_pool(const struct plan_spot *spot, size_t config)
{
    const struct plan_candidate *candidate = &spot->question->candidates.candidates[config];
    const struct deployment *deployment = &candidate->deployment;
    const struct instance *instance = candidate->instance;
    size_t offer = spot->question->problem.configs[config].offer;
    int64_t gpus = deployment->gpus;
    int64_t per_node = instance->gpus > gpus ? instance->gpus / gpus : 1;
    int64_t instances = (gpus + instance->gpus - 1) / instance->gpus;
    const struct elastic_settings *settings = offer_of(spot, offer)->elastic;
    struct elastic_pool_spec pool = {
        .settings = settings,
        .replicas_per_node = (uint32_t)per_node,
        .instances_per_node = (uint32_t)instances,
        .gpus_per_node = (uint32_t)(instances * instance->gpus),
        .usage = {.name = instance->name, .sku = instance->name, .provider = "", .region = ""},
        .start_up = {.provider = instance->provider,
                     .gpu = deployment->gpu,
                     .weight_bytes = deployment->memory.weight_bytes_per_gpu * (double)gpus,
                     .gpus_per_replica = gpus,
                     .replicas_per_node = per_node,
                     .instances_per_node = instances},
        .markets = market_indices(spot, offer),
        .market_names = settings->markets.items,
        .market_count = (uint32_t)settings->markets.count};
    return pool;
}

/* --- what the markets supply of it --- */

/* At time 0, in the cheapest of the markets. */
static double first_spot_usd(const struct plan_spot *spot, const struct elastic_pool_spec *pool)
{
    const struct scenario *scenario = spot->question->scenario;
    double least = INFINITY;
    for (uint32_t m = 0; m < pool->market_count; m++) {
        struct market *market =
            market_create(scenario->markets[pool->markets[m]], (uint64_t)scenario->config.seed, 0);
        least = fmin(least, market_spot_usd(market));
        market_destroy(market);
    }
    return least * pool->instances_per_node;
}

/* As many as there are and the budget pays for. */
static int64_t most_nodes(const struct plan_spot *spot, const struct plan_way *way,
                          const struct elastic_pool_spec *pool)
{
    int64_t units = spot->question->problem.offers[way->offer].available;
    double usd = first_spot_usd(spot, pool);
    double payable = usd > 0 ? floor(plan_of(spot)->budget_usd_h / usd) : PLAN_NODES_MAX;
    double most = fmin(payable, (double)(units / way->instances_per_node));
    return (int64_t)fmin(most, PLAN_NODES_MAX);
}

static bool measure_way(const struct plan_spot *spot, struct plan_way *way,
                        const struct elastic_pool_spec *pool, struct error *error)
{
    const struct scenario *scenario = spot->question->scenario;
    struct plan_supply_question question = {.pool = *pool,
                                            .name =
                                                spot->question->problem.configs[way->config].name,
                                            .markets = scenario->markets,
                                            .market_usage = scenario->market_usage,
                                            .market_count = scenario->market_count,
                                            .on_demand_usd = spot->on_demand_usd,
                                            .start_unix_s = scenario->elastic->start_unix_s,
                                            .seed = (uint64_t)scenario->config.seed,
                                            .horizon_s = scenario->config.horizon_s,
                                            .nodes = most_nodes(spot, way, pool),
                                            .replications = plan_of(spot)->replications,
                                            .confidence = plan_of(spot)->confidence};
    if (!plan_supply_measure(&question, scenario->arena, &way->supply, error))
        return false;
    way->spot_most = plan_supply_worth(&way->supply, way->on_demand_usd);
    way->spot_available = plan_supply_available(&way->supply, way->spot_most);
    return true;
}

static bool add_way(struct plan_spot *spot, size_t config, struct error *error)
{
    struct elastic_pool_spec pool = describe_pool(spot, config);
    struct plan_way *way = &spot->ways[spot->way_count++];
    *way = (struct plan_way){.config = config,
                             .offer = spot->question->problem.configs[config].offer,
                             .replicas_per_node = pool.replicas_per_node,
                             .instances_per_node = pool.instances_per_node,
                             .on_demand_usd = on_demand_usd(spot, &pool)};
    return measure_way(spot, way, &pool, error);
}

static void take_on_demand_prices(struct plan_spot *spot)
{
    const struct scenario *scenario = spot->question->scenario;
    spot->on_demand_usd = ARENA_ARRAY(scenario->arena, scenario->market_count + 1, double);
    for (uint32_t m = 0; m < scenario->market_count; m++)
        spot->on_demand_usd[m] = market_spec_on_demand_usd(scenario->markets[m]);
}

static bool find_ways(struct plan_spot *spot, struct error *error)
{
    const struct plan_problem *asked = &spot->question->problem;
    struct arena *arena = spot->question->scenario->arena;
    spot->ways = ARENA_ARRAY(arena, asked->config_count, struct plan_way);
    spot->offers = ARENA_ARRAY(arena, asked->offer_count, size_t);
    for (size_t i = 0; i < asked->offer_count; i++)
        if (scenario_offer_has_markets(offer_of(spot, i)))
            spot->offers[spot->offer_count++] = i;
    for (size_t c = 0; c < asked->config_count; c++)
        if (scenario_offer_has_markets(offer_of(spot, asked->configs[c].offer)) &&
            !add_way(spot, c, error))
            return false;
    return true;
}

/* --- the problem with two ways to buy: one "replica" of a way's configurations is a node --- */

struct sizes {
    size_t configs, offers;
};

/* The configuration or offer of the same number buys a whole node of the way. */
static void put_node(struct plan_spot *spot, size_t way_index, bool on_spot,
                     struct plan_config *configs, struct plan_offer *offers, double *throughput)
{
    const struct plan_problem *asked = &spot->question->problem;
    const struct plan_way *way = &spot->ways[way_index];
    size_t number = on_spot ? spot_config(way_index) : on_demand_config(way_index);
    double worth = (double)way->replicas_per_node * (on_spot ? way->spot_available : 1);
    bool any = way->spot_most > 0;
    offers[number] = asked->offers[way->offer];
    offers[number].gpus *= way->instances_per_node;
    offers[number].available = on_spot ? way->spot_most : PLAN_UNLIMITED;
    offers[number].usd_h = !on_spot ? way->on_demand_usd
                           : any    ? way->supply.mean_usd * way->spot_available
                                    : 0;
    configs[number] =
        (struct plan_config){asked->configs[way->config].name, number, offers[number].gpus};
    for (size_t w = 0; w < asked->class_count; w++)
        throughput[number * asked->class_count + w] =
            worth * asked->throughput[way->config * asked->class_count + w];
}

static size_t put_fixed_offer(struct plan_spot *spot, size_t offer, struct plan_offer *offers,
                              struct sizes *sizes)
{
    for (size_t i = 2 * spot->way_count; i < sizes->offers; i++)
        if (spot->fixed_offers[i] == offer)
            return i;
    spot->fixed_offers[sizes->offers] = offer;
    offers[sizes->offers] = spot->question->problem.offers[offer];
    return sizes->offers++;
}

static void put_fixed(struct plan_spot *spot, size_t config, struct plan_config *configs,
                      struct plan_offer *offers, double *throughput, struct sizes *sizes)
{
    const struct plan_problem *asked = &spot->question->problem;
    size_t number = sizes->configs++, classes = asked->class_count;
    configs[number] = asked->configs[config];
    configs[number].offer = put_fixed_offer(spot, asked->configs[config].offer, offers, sizes);
    spot->fixed_configs[number] = config;
    memcpy(throughput + number * classes, asked->throughput + config * classes,
           classes * sizeof *throughput);
}

static void build_problem(struct plan_spot *spot)
{
    const struct plan_problem *asked = &spot->question->problem;
    struct arena *arena = spot->question->scenario->arena;
    size_t most = 2 * asked->config_count;
    struct plan_config *configs = ARENA_ARRAY(arena, most, struct plan_config);
    struct plan_offer *offers = ARENA_ARRAY(arena, most, struct plan_offer);
    double *throughput = ARENA_ARRAY(arena, most * asked->class_count, double);
    struct sizes sizes = {2 * spot->way_count, 2 * spot->way_count};
    spot->fixed_configs = ARENA_ARRAY(arena, most, size_t);
    spot->fixed_offers = ARENA_ARRAY(arena, most, size_t);
    for (size_t i = 0; i < spot->way_count; i++) {
        put_node(spot, i, false, configs, offers, throughput);
        put_node(spot, i, true, configs, offers, throughput);
    }
    for (size_t c = 0; c < asked->config_count; c++)
        if (!plan_spot_way(spot, c))
            put_fixed(spot, c, configs, offers, throughput, &sizes);
    spot->problem = *asked;
    spot->problem.configs = configs;
    spot->problem.config_count = sizes.configs;
    spot->problem.offers = offers;
    spot->problem.offer_count = sizes.offers;
    spot->problem.throughput = throughput;
}

/* --- what a fleet must keep besides --- */

static struct plan_limit new_limit(const struct plan_spot *spot, double **replicas, double **units,
                                   double most)
{
    struct arena *arena = spot->question->scenario->arena;
    *replicas = ARENA_ARRAY(arena, spot->problem.config_count, double);
    *units = ARENA_ARRAY(arena, spot->problem.offer_count, double);
    return (struct plan_limit){*replicas, *units, most};
}

/* In budgets: the dearest hour of all that is bought. */
static struct plan_limit budget_limit(const struct plan_spot *spot, double share)
{
    double *replicas, *units, budget = spot->problem.budget_usd_h;
    double money = budget > 0 ? budget : 1;
    struct plan_limit limit = new_limit(spot, &replicas, &units, share * budget / money);
    for (size_t i = 0; i < spot->way_count; i++) {
        const struct plan_way *way = &spot->ways[i];
        replicas[on_demand_config(i)] = way->on_demand_usd / money;
        if (way->spot_most > 0)
            replicas[spot_config(i)] = way->supply.high_usd / money;
    }
    for (size_t i = 2 * spot->way_count; i < spot->problem.offer_count; i++)
        units[i] = spot->problem.offers[i].usd_h / money;
    return limit;
}

static struct plan_limit available_limit(const struct plan_spot *spot, size_t offer)
{
    double *replicas, *units;
    struct plan_limit limit =
        new_limit(spot, &replicas, &units, (double)spot->question->problem.offers[offer].available);
    for (size_t i = 0; i < spot->way_count; i++)
        if (spot->ways[i].offer == offer)
            replicas[on_demand_config(i)] = replicas[spot_config(i)] =
                (double)spot->ways[i].instances_per_node;
    return limit;
}

/* (1 - share) spot <= share on_demand; above a base alone: no Spot without a node on demand. */
static struct plan_limit cap_limit(const struct plan_spot *spot, size_t offer, int cap)
{
    double *replicas, *units, share = caps[cap].share;
    struct plan_limit limit = new_limit(spot, &replicas, &units, 0);
    for (size_t i = 0; i < spot->way_count; i++) {
        if (spot->ways[i].offer != offer)
            continue;
        replicas[spot_config(i)] = share < 1 ? 1 - share : 1.0 / PLAN_NODES_MAX;
        replicas[on_demand_config(i)] = share < 1 ? -share : -1;
    }
    return limit;
}

static void set_limits(struct plan_spot *spot, const int *levels, double budget_share)
{
    struct plan_limit *limits =
        ARENA_ARRAY(spot->question->scenario->arena, 1 + 2 * spot->offer_count, struct plan_limit);
    size_t count = 0;
    limits[count++] = budget_limit(spot, budget_share);
    for (size_t i = 0; i < spot->offer_count; i++) {
        size_t offer = spot->offers[i];
        if (spot->question->problem.offers[offer].available != PLAN_UNLIMITED)
            limits[count++] = available_limit(spot, offer);
        if (caps[levels[i]].base)
            limits[count++] = cap_limit(spot, offer, levels[i]);
    }
    spot->problem.limits = limits;
    spot->problem.limit_count = count;
}

/* --- proposals --- */

static void take_shares(const struct plan_spot *spot, const double *found, size_t from, size_t to,
                        double *share)
{
    size_t classes = spot->problem.class_count;
    for (size_t w = 0; w < classes; w++) {
        double sum = share[to * classes + w] + found[from * classes + w];
        share[to * classes + w] = sum > 1 - 1e-9 ? 1 : sum; /* two parts of a whole round */
    }
}

/* What was found of the problem with two ways to buy, in terms of the question's. */
static void translate(const struct plan_spot *spot, const struct plan_solution *found,
                      struct plan_proposal *proposal)
{
    const struct plan_problem *asked = &spot->question->problem;
    struct arena *arena = spot->question->scenario->arena;
    struct plan_solution *solution = &proposal->solution;
    *solution = *found;
    solution->replicas = ARENA_ARRAY(arena, asked->config_count, int64_t);
    solution->units = ARENA_ARRAY(arena, asked->offer_count, int64_t);
    solution->share = ARENA_ARRAY(arena, asked->config_count * asked->class_count, double);
    proposal->bought = ARENA_ARRAY(arena, asked->config_count, struct plan_purchase);
    for (size_t i = 0; i < spot->way_count; i++) {
        const struct plan_way *way = &spot->ways[i];
        struct plan_purchase *bought = &proposal->bought[way->config];
        *bought = (struct plan_purchase){found->replicas[on_demand_config(i)],
                                         found->replicas[spot_config(i)]};
        int64_t nodes = bought->on_demand + bought->spot;
        solution->replicas[way->config] = nodes * way->replicas_per_node;
        solution->units[way->offer] += nodes * way->instances_per_node;
        take_shares(spot, found->share, on_demand_config(i), way->config, solution->share);
        take_shares(spot, found->share, spot_config(i), way->config, solution->share);
    }
    for (size_t c = 2 * spot->way_count; c < spot->problem.config_count; c++) {
        solution->replicas[spot->fixed_configs[c]] = found->replicas[c];
        take_shares(spot, found->share, c, spot->fixed_configs[c], solution->share);
    }
    for (size_t i = 2 * spot->way_count; i < spot->problem.offer_count; i++)
        solution->units[spot->fixed_offers[i]] = found->units[i];
}

/* In the search a node on Spot is worth what one is of as many as are worth having; of fewer it is
 * there for longer, works more, and is paid for longer. */
static bool appraise(const struct plan_spot *spot, const struct plan_solution *found,
                     struct plan_solution *appraised, struct error *error)
{
    struct arena *arena = spot->question->scenario->arena;
    struct plan_problem problem = spot->problem;
    size_t cells = problem.config_count * problem.class_count;
    double *throughput = ARENA_ARRAY(arena, cells, double);
    struct plan_offer *offers = ARENA_ARRAY(arena, problem.offer_count, struct plan_offer);
    memcpy(throughput, problem.throughput, cells * sizeof *throughput);
    memcpy(offers, problem.offers, problem.offer_count * sizeof *offers);
    for (size_t i = 0; i < spot->way_count; i++) {
        const struct plan_way *way = &spot->ways[i];
        size_t c = spot_config(i);
        if (found->replicas[c] == 0)
            continue;
        double more = plan_supply_available(&way->supply, found->replicas[c]) / way->spot_available;
        offers[c].usd_h *= more;
        for (size_t w = 0; w < problem.class_count; w++)
            throughput[c * problem.class_count + w] *= more;
    }
    problem.throughput = throughput;
    problem.offers = offers;
    if (!plan_assign(&problem, found->replicas, arena, appraised, error))
        return false;
    bool cost = plan_question_options(spot->question).objective == PLAN_MIN_COST;
    appraised->value = cost ? appraised->cost_usd_h : appraised->makespan_s;
    appraised->optimal = found->optimal;
    appraised->gap = found->gap;
    appraised->bound = appraised->value * (1 - found->gap);
    return true;
}

static bool seen(const struct plan_spot *spot, const int *levels, double budget_share)
{
    for (const struct plan_proposal *p = spot->proposals; p; p = p->next)
        if (p->budget_share == budget_share &&
            memcmp(p->caps, levels, spot->offer_count * sizeof *levels) == 0)
            return true;
    return false;
}

static bool same_fleet(const struct plan_spot *spot, const struct plan_proposal *a,
                       const struct plan_proposal *b)
{
    size_t configs = spot->question->problem.config_count;
    return memcmp(a->bought, b->bought, configs * sizeof *a->bought) == 0 &&
           memcmp(a->solution.replicas, b->solution.replicas, configs * sizeof(int64_t)) == 0;
}

static struct plan_proposal *propose(struct plan_spot *spot, const int *levels, double budget_share,
                                     struct error *error)
{
    struct arena *arena = spot->question->scenario->arena;
    struct plan_options options = plan_question_options(spot->question);
    struct plan_solution found, appraised;
    set_limits(spot, levels, budget_share);
    if (!plan_solve(&spot->problem, &options, arena, &found, error) ||
        !appraise(spot, &found, &appraised, error))
        return NULL;
    int *kept = ARENA_ARRAY(arena, spot->offer_count, int);
    memcpy(kept, levels, spot->offer_count * sizeof *kept);
    struct plan_proposal *proposal = ARENA_NEW(arena, struct plan_proposal);
    *proposal = (struct plan_proposal){.paper_value = found.value,
                                       .caps = kept,
                                       .budget_share = budget_share,
                                       .next = spot->proposals};
    translate(spot, &appraised, proposal);
    return spot->proposals = proposal;
}

static bool offer_has_spot(const struct plan_spot *spot, const struct plan_proposal *proposal,
                           size_t offer)
{
    for (size_t i = 0; i < spot->way_count; i++)
        if (spot->ways[i].offer == offer && proposal->bought[spot->ways[i].config].spot > 0)
            return true;
    return false;
}

static void propose_below(struct plan_spot *spot, const int *levels, double budget_share)
{
    struct error infeasible = {0};
    if (!seen(spot, levels, budget_share))
        propose(spot, levels, budget_share, &infeasible);
}

/* A step for each instance type that has nodes on Spot: for the others a tighter cap changes
 * nothing. */
void plan_spot_reject(struct plan_spot *spot, struct plan_proposal *proposal, double overspent)
{
    int levels[OFFERS_MAX];
    proposal->rejected = true;
    memcpy(levels, proposal->caps, spot->offer_count * sizeof *levels);
    for (size_t i = 0; i < spot->offer_count; i++) {
        if (!offer_has_spot(spot, proposal, spot->offers[i]))
            continue;
        levels[i]++;
        propose_below(spot, levels, proposal->budget_share);
        levels[i]--;
    }
    if (overspent > 1)
        propose_below(spot, levels, proposal->budget_share / overspent);
}

/* Less of the objective, then less money. */
static bool better(const struct plan_proposal *a, const struct plan_proposal *b)
{
    if (a->paper_value != b->paper_value)
        return a->paper_value < b->paper_value;
    return a->solution.cost_usd_h < b->solution.cost_usd_h;
}

static struct plan_proposal *best_open(const struct plan_spot *spot)
{
    struct plan_proposal *best = NULL;
    for (struct plan_proposal *p = spot->proposals; p; p = p->next)
        if (!p->rejected && (!best || better(p, best)))
            best = p;
    return best;
}

static bool rejected_before(const struct plan_spot *spot, const struct plan_proposal *proposal)
{
    for (const struct plan_proposal *p = spot->proposals; p; p = p->next)
        if (p->rejected && same_fleet(spot, p, proposal))
            return true;
    return false;
}

struct plan_proposal *plan_spot_best(struct plan_spot *spot, struct error *error)
{
    const int top[OFFERS_MAX] = {0};
    if (!spot->proposals)
        return propose(spot, top, 1, error);
    struct plan_proposal *best;
    while ((best = best_open(spot)) && rejected_before(spot, best))
        plan_spot_reject(spot, best, 1);
    return best;
}

struct plan_proposal *plan_spot_on_demand(struct plan_spot *spot)
{
    int levels[OFFERS_MAX];
    struct error infeasible = {0};
    for (size_t i = 0; i < spot->offer_count; i++)
        levels[i] = CAP_NONE_ON_SPOT;
    for (struct plan_proposal *p = spot->proposals; p; p = p->next)
        if (!plan_proposal_has_spot(spot, p))
            return p;
    return propose(spot, levels, 1, &infeasible);
}

/* --- the whole --- */

bool plan_spot_prepare(const struct plan_question *question, struct plan_spot *spot,
                       struct error *error)
{
    *spot = (struct plan_spot){.question = question};
    take_on_demand_prices(spot);
    if (!find_ways(spot, error))
        return false;
    build_problem(spot);
    return true;
}

bool plan_proposal_has_spot(const struct plan_spot *spot, const struct plan_proposal *proposal)
{
    for (size_t i = 0; i < spot->way_count; i++)
        if (proposal->bought[spot->ways[i].config].spot > 0)
            return true;
    return false;
}

const struct plan_way *plan_spot_way(const struct plan_spot *spot, size_t config)
{
    for (size_t i = 0; i < spot->way_count; i++)
        if (spot->ways[i].config == config)
            return &spot->ways[i];
    return NULL;
}

double plan_way_usd_h(const struct plan_way *way, const struct plan_purchase *bought)
{
    double spot_usd = bought->spot > 0 ? way->supply.mean_usd : 0;
    return (double)bought->on_demand * way->on_demand_usd +
           (double)bought->spot * spot_usd * plan_supply_available(&way->supply, bought->spot);
}
