#include "models/money/commitment_optimum.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define MONTHS_PER_YEAR 12.0

enum { HORIZON_MAX_MONTHS = 360 };
#define USD_MAX 1e12

/* Costs that differ by rounding only are the same. */
#define SAME 1e-12

/* --- what is asked --- */

static bool is_yearly_change(double share)
{
    return share > -1 && share <= 100;
}

static bool check_market(const struct commitment_question *question, struct error *error)
{
    if (!(question->on_demand_usd_per_hour > 0 && question->on_demand_usd_per_hour <= USD_MAX))
        return error_set(error, ERROR_BAD_INPUT,
                         "the on-demand price must be above 0 and at most %g", USD_MAX);
    if (!(question->demand_factor > 0))
        return error_set(error, ERROR_BAD_INPUT, "the factor of the demand must be above 0");
    if (!is_yearly_change(question->growth_per_year))
        return error_set(error, ERROR_BAD_INPUT,
                         "the yearly growth of demand must be above -1 and at most 100");
    if (!is_yearly_change(question->price_change_per_year))
        return error_set(error, ERROR_BAD_INPUT,
                         "the yearly change of prices must be above -1 and at most 100");
    if (question->horizon_months < 1 || question->horizon_months > HORIZON_MAX_MONTHS)
        return error_set(error, ERROR_BAD_INPUT,
                         "the time that is looked at must be 1 to %d months", HORIZON_MAX_MONTHS);
    if (question->offer_count == 0 || question->offer_count > COMMITMENT_OFFERS_MAX)
        return error_set(error, ERROR_BAD_INPUT, "there must be 1 to %d offers of commitments",
                         COMMITMENT_OFFERS_MAX);
    return true;
}

static bool check_nesting(const struct commitment_offer *offer, const char *than, int64_t months,
                          struct error *error)
{
    int64_t longer = months > offer->term_months ? months : offer->term_months;
    int64_t shorter = months > offer->term_months ? offer->term_months : months;
    if (longer % shorter == 0)
        return true;
    error_set(error, ERROR_BAD_INPUT, "the term of \"%s\" (%lld months) and %s (%lld) do not nest",
              offer->name, (long long)offer->term_months, than, (long long)months);
    return error_hint(error, "the longer must be a multiple of the shorter");
}

static bool check_offer(const struct commitment_question *question, size_t index,
                        struct error *error)
{
    const struct commitment_offer *offer = &question->offers[index];
    if (!(offer->usd_per_hour >= 0 && offer->usd_per_hour <= USD_MAX))
        return error_set(error, ERROR_BAD_INPUT,
                         "the price of \"%s\" must be 0 or more, %g at most", offer->name, USD_MAX);
    if (offer->term_months < 1 || offer->term_months > question->horizon_months)
        return error_set(error, ERROR_BAD_INPUT,
                         "the term of \"%s\" must be 1 month to the horizon of %lld", offer->name,
                         (long long)question->horizon_months);
    if (!check_nesting(offer, "the horizon", question->horizon_months, error))
        return false;
    for (size_t i = 0; i < index; i++)
        if (!check_nesting(offer, "that of another", question->offers[i].term_months, error))
            return false;
    return true;
}

bool commitment_check(const struct commitment_question *question, struct error *error)
{
    if (!check_market(question, error))
        return false;
    for (size_t i = 0; i < question->offer_count; i++)
        if (!check_offer(question, i, error))
            return false;
    return true;
}

/* --- periods --- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Within a period nothing is bought, and demand does not grow: that does it by the year. */
static int64_t period_months(const struct commitment_question *question)
{
    int64_t months = common_divisor(question->horizon_months, (int64_t)MONTHS_PER_YEAR);
    for (size_t i = 0; i < question->offer_count; i++)
        months = common_divisor(months, question->offers[i].term_months);
    return months;
}

static size_t count_periods(const struct commitment_question *question)
{
    return (size_t)(question->horizon_months / period_months(question));
}

static double start_years(const struct commitment_question *question, size_t period)
{
    return (double)((int64_t)period * period_months(question)) / MONTHS_PER_YEAR;
}

static size_t term_periods(const struct commitment_question *question, size_t offer)
{
    return (size_t)(question->offers[offer].term_months / period_months(question));
}

/* Demand in a period over that of the curve. */
static double demand_scale(const struct commitment_question *question, size_t period)
{
    double year = floor(start_years(question, period) + SAME);
    return question->demand_factor * pow(1 + question->growth_per_year, year);
}

/* scale: of the demand over that of the curve. */
static double used_of(const struct commitment_question *question, double scale, double u)
{
    return scale * load_duration_used(question->curve, u / scale);
}

/* Mean over the period of a price that changes continuously: the integral of r^t is r^t / ln r. */
static double on_demand_usd(const struct commitment_question *question, size_t period)
{
    double r = 1 + question->price_change_per_year;
    double from = start_years(question, period), to = start_years(question, period + 1);
    double mean = r == 1 ? 1 : (pow(r, to) - pow(r, from)) / (log(r) * (to - from));
    return question->on_demand_usd_per_hour * mean;
}

/* Bought at the start of the period. */
static double offer_usd(const struct commitment_question *question, size_t offer, size_t period)
{
    return question->offers[offer].usd_per_hour *
           pow(1 + question->price_change_per_year, start_years(question, period));
}

/* --- the optimum, level by level ---
 *
 * A lane is the levels from `bottom` to `top`, all in use for the same time (or, where instances
 * are whole, the one instance in which a demand ends). Offers are looked at by falling term; what
 * covers the lane in each period is noted on the way, and overwritten where a longer term turns out
 * to be cheaper. */

enum { ON_DEMAND = -1 };

struct lanes {
    const struct commitment_question *question;
    size_t periods;
    size_t order[COMMITMENT_OFFERS_MAX]; /* offers by falling term */
    size_t term[COMMITMENT_OFFERS_MAX];  /* [offer]: in periods */
    double *scale, *on_demand_usd;       /* [period] */
    double *offer_usd;                   /* [offer * periods + period] */
    double bottom, top;
    double used, used_scale; /* of the lane, in the period that was looked at last */
    int *cover;              /* [period]: offer, or ON_DEMAND */
};

static double cheapest_from(struct lanes *lanes, size_t rank, size_t from, size_t to);

/* The lane over one term: committed to the offer of this rank, or covered by what comes after it.
 */
static double cheapest_term(struct lanes *lanes, size_t rank, size_t from, size_t to)
{
    size_t offer = lanes->order[rank];
    double committed = lanes->offer_usd[offer * lanes->periods + from] * (double)(to - from) *
                       (lanes->top - lanes->bottom);
    double otherwise = cheapest_from(lanes, rank + 1, from, to);
    if (!(committed < otherwise * (1 - SAME)))
        return otherwise;
    for (size_t period = from; period < to; period++)
        lanes->cover[period] = (int)offer;
    return committed;
}

/* What is used of the lane in a period, in the mean: the same in all periods of a year. */
static double lane_used(struct lanes *lanes, size_t period)
{
    double scale = lanes->scale[period];
    if (scale != lanes->used_scale) {
        lanes->used_scale = scale;
        lanes->used = used_of(lanes->question, scale, lanes->top) -
                      used_of(lanes->question, scale, lanes->bottom);
    }
    return lanes->used;
}

static double on_demand_cost(struct lanes *lanes, size_t from, size_t to)
{
    double usd = 0;
    for (size_t period = from; period < to; period++) {
        usd += lane_used(lanes, period) * lanes->on_demand_usd[period];
        lanes->cover[period] = ON_DEMAND;
    }
    return usd;
}

static double cheapest_from(struct lanes *lanes, size_t rank, size_t from, size_t to)
{
    if (rank == lanes->question->offer_count)
        return on_demand_cost(lanes, from, to);
    size_t term = lanes->term[lanes->order[rank]];
    double usd = 0;
    for (size_t start = from; start < to; start += term)
        usd += cheapest_term(lanes, rank, start, start + term);
    return usd;
}

/* Of offers that cost the same, the one that is looked at last stays: so the first comes last. */
static void order_by_term(struct lanes *lanes)
{
    const struct commitment_offer *offers = lanes->question->offers;
    for (size_t i = 0; i < lanes->question->offer_count; i++) {
        size_t to = i;
        for (; to > 0 && offers[lanes->order[to - 1]].term_months <= offers[i].term_months; to--)
            lanes->order[to] = lanes->order[to - 1];
        lanes->order[to] = i;
    }
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Adds the demands of a period. Where instances are whole, those around each: the one in which it
 * lies is a lane of its own, and all between two such are in use for the same time. */
static size_t add_tops(const struct lanes *lanes, size_t period, double *tops)
{
    const struct load_duration *curve = lanes->question->curve;
    size_t count = 0;
    for (size_t i = 0; i < curve->count; i++) {
        double demand = curve->instances[i] * lanes->scale[period];
        if (lanes->question->whole)
            tops[count++] = floor(demand);
        tops[count++] = lanes->question->whole ? ceil(demand) : demand;
    }
    return count;
}

/* Where lanes end, ascending. */
static double *lane_tops(const struct lanes *lanes, struct arena *arena, size_t *count)
{
    size_t different = 1;
    for (size_t period = 1; period < lanes->periods; period++)
        different += lanes->scale[period] != lanes->scale[period - 1];
    double *tops = ARENA_ARRAY(arena, different * 2 * lanes->question->curve->count, double);
    *count = 0;
    for (size_t period = 0; period < lanes->periods; period++)
        if (period == 0 || lanes->scale[period] != lanes->scale[period - 1])
            *count += add_tops(lanes, period, tops + *count);
    qsort(tops, *count, sizeof *tops, by_value);
    return tops;
}

static struct lanes make_lanes(const struct commitment_question *question, struct arena *arena)
{
    size_t periods = count_periods(question), offers = question->offer_count;
    struct lanes lanes = {.question = question,
                          .periods = periods,
                          .scale = ARENA_ARRAY(arena, periods, double),
                          .on_demand_usd = ARENA_ARRAY(arena, periods, double),
                          .offer_usd = ARENA_ARRAY(arena, offers * periods, double),
                          .cover = ARENA_ARRAY(arena, periods, int)};
    for (size_t period = 0; period < periods; period++) {
        lanes.scale[period] = demand_scale(question, period);
        lanes.on_demand_usd[period] = on_demand_usd(question, period);
        for (size_t offer = 0; offer < offers; offer++)
            lanes.offer_usd[offer * periods + period] = offer_usd(question, offer, period);
    }
    for (size_t offer = 0; offer < offers; offer++)
        lanes.term[offer] = term_periods(question, offer);
    order_by_term(&lanes);
    return lanes;
}

static struct commitment_plan empty_plan(const struct commitment_question *question,
                                         struct arena *arena)
{
    size_t periods = count_periods(question);
    return (struct commitment_plan){
        .question = question,
        .periods = periods,
        .instances = ARENA_ARRAY(arena, question->offer_count * periods, double)};
}

static void add_lane(struct commitment_plan *plan, const struct lanes *lanes)
{
    for (size_t period = 0; period < plan->periods; period++)
        if (lanes->cover[period] != ON_DEMAND)
            plan->instances[(size_t)lanes->cover[period] * plan->periods + period] +=
                lanes->top - lanes->bottom;
}

struct commitment_plan commitment_optimum(const struct commitment_question *question,
                                          struct arena *arena)
{
    struct commitment_plan plan = empty_plan(question, arena);
    struct lanes lanes = make_lanes(question, arena);
    size_t count;
    const double *tops = lane_tops(&lanes, arena, &count);
    for (size_t i = 0; i < count; lanes.bottom = tops[i++]) {
        lanes.top = tops[i];
        lanes.used_scale = 0;
        if (lanes.top == lanes.bottom)
            continue;
        cheapest_from(&lanes, 0, 0, plan.periods);
        add_lane(&plan, &lanes);
    }
    return plan;
}

/* --- rules of thumb --- */

static double floor_of(const struct commitment_question *question, size_t from, size_t to)
{
    double least = INFINITY;
    for (size_t period = from; period < to; period++)
        least = fmin(least, demand_scale(question, period) * load_duration_floor(question->curve));
    return question->whole ? floor(least) : least;
}

static double mean_of(const struct commitment_question *question, size_t from, size_t to)
{
    double sum = 0;
    for (size_t period = from; period < to; period++)
        sum += demand_scale(question, period) * question->curve->mean;
    double mean = sum / (double)(to - from);
    return question->whole ? round(mean) : mean;
}

static double peak_of(const struct commitment_question *question, size_t from, size_t to)
{
    double most = 0;
    for (size_t period = from; period < to; period++)
        most = fmax(most, demand_scale(question, period) * load_duration_peak(question->curve));
    return question->whole ? ceil(most) : most;
}

struct commitment_plan commitment_by_rule(const struct commitment_question *question, size_t offer,
                                          enum commitment_rule rule, struct arena *arena)
{
    static double (*const amounts[COMMIT_RULES])(const struct commitment_question *, size_t,
                                                 size_t) = {
        [COMMIT_FLOOR] = floor_of, [COMMIT_MEAN] = mean_of, [COMMIT_PEAK] = peak_of};
    struct commitment_plan plan = empty_plan(question, arena);
    size_t term = term_periods(question, offer);
    for (size_t period = 0; rule != COMMIT_NOTHING && period < plan.periods; period++) {
        size_t start = period / term * term;
        plan.instances[offer * plan.periods + period] =
            amounts[rule](question, start, start + term);
    }
    return plan;
}

/* --- what a plan costs --- */

/* What is committed in the period, and what is paid for it per hour. */
static double committed_in(const struct commitment_plan *plan, size_t period, double *usd)
{
    const struct commitment_question *question = plan->question;
    double committed = 0;
    for (size_t offer = 0; offer < question->offer_count; offer++) {
        size_t term = term_periods(question, offer);
        double instances = plan->instances[offer * plan->periods + period];
        committed += instances;
        *usd += instances * offer_usd(question, offer, period / term * term);
    }
    return committed;
}

struct commitment_outcome commitment_evaluate(const struct commitment_question *question,
                                              const struct commitment_plan *plan)
{
    struct commitment_outcome sum = {0};
    double periods = (double)plan->periods;
    for (size_t period = 0; period < plan->periods; period++) {
        double committed_usd = 0;
        double committed = committed_in(plan, period, &committed_usd);
        double scale = demand_scale(question, period);
        double demand = scale * question->curve->mean;
        double used = used_of(question, scale, committed);
        double on_demand = (demand - used) * on_demand_usd(question, period);
        sum.usd_per_hour += (committed_usd + on_demand) / periods;
        sum.on_demand_usd_per_hour += on_demand / periods;
        sum.demand += demand / periods;
        sum.committed += committed / periods;
        sum.committed_used += used / periods;
    }
    return sum;
}

double commitment_worth_share(const struct commitment_question *question, size_t offer)
{
    return question->offers[offer].usd_per_hour / question->on_demand_usd_per_hour;
}

double commitment_under_water_years(const struct commitment_question *question, size_t offer)
{
    double share = commitment_worth_share(question, offer);
    if (share >= 1)
        return 0;
    if (question->price_change_per_year >= 0)
        return INFINITY;
    return log(share) / log(1 + question->price_change_per_year);
}
