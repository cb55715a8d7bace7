#include "analysis/plan_spot_report.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/human.h"
#include "analysis/plan_quantile.h"

static const struct scenario_plan *plan_of(const struct plan_spot_answer *answer)
{
    return answer->spot.question->scenario->config.plan;
}

/* --- numbers over the replications --- */

struct spread {
    double mean, low, high; /* the middle `confidence` of the replications */
};

static double requests_per_s(const struct plan_replication *replication)
{
    return replication->requests_per_s;
}

static double goodput(const struct plan_replication *replication)
{
    return replication->goodput_requests_per_s;
}

static double attainment(const struct plan_replication *replication)
{
    return replication->attainment;
}

static double usd_per_hour(const struct plan_replication *replication)
{
    return replication->usd_per_hour;
}

static double interruptions(const struct plan_replication *replication)
{
    return (double)replication->interruptions;
}

static double lost_requests(const struct plan_replication *replication)
{
    return (double)replication->lost_requests;
}

static double moved_requests(const struct plan_replication *replication)
{
    return (double)replication->moved_requests;
}

static const struct {
    const char *name;
    double (*get)(const struct plan_replication *replication);
} measures[] = {{"requests_per_s", requests_per_s}, {"goodput_requests_per_s", goodput},
                {"attainment", attainment},         {"usd_per_hour", usd_per_hour},
                {"interruptions", interruptions},   {"moved_requests", moved_requests},
                {"lost_requests", lost_requests}};

enum { MEASURES = sizeof measures / sizeof measures[0] };

static double *scratch(size_t count)
{
    double *values = malloc((count + 1) * sizeof *values);
    if (!values)
        out_of_memory();
    return values;
}

/* NaN where any of them is: then all are. */
static struct spread spread_of(const struct plan_trial *trial,
                               double (*get)(const struct plan_replication *), double confidence)
{
    struct spread spread = {NAN, NAN, NAN};
    double *values = scratch(trial->done), sum = 0;
    for (size_t r = 0; r < trial->done; r++)
        sum += values[r] = get(&trial->replications[r]);
    if (!isnan(sum)) {
        spread.mean = sum / (double)trial->done;
        spread.low = plan_quantile(values, trial->done, (1 - confidence) / 2);
        spread.high = plan_quantile(values, trial->done, (1 + confidence) / 2);
    }
    free(values);
    return spread;
}

struct hours {
    uint64_t count, within;  /* over all replications */
    double worst_usd;        /* ever */
    double worst_likely_usd; /* of the hour in which most was spent with that confidence */
    uint64_t refused, shed;  /* by the hard budget */
};

static struct hours hours_of(const struct plan_trial *trial, double confidence)
{
    struct hours hours = {0};
    for (size_t r = 0; r < trial->done; r++) {
        const struct plan_replication *replication = &trial->replications[r];
        hours.count += replication->hours.count;
        hours.within += replication->hours_within;
        hours.refused += replication->refused;
        hours.shed += replication->shed;
        for (uint32_t h = 0; h < replication->hours.count; h++)
            hours.worst_usd = fmax(hours.worst_usd, replication->hours.usd[h]);
    }
    hours.worst_likely_usd = plan_trial_highest_usd(trial, confidence);
    return hours;
}

/* --- plan.json --- */

static void put_spread(struct json_writer *writer, const char *key, struct spread spread)
{
    json_begin_object(writer, key);
    json_put_number(writer, "mean", spread.mean);
    json_put_number(writer, "low", spread.low);
    json_put_number(writer, "high", spread.high);
    json_end_object(writer);
}

static void put_hours(struct json_writer *writer, const struct plan_trial *trial, double confidence)
{
    struct hours hours = hours_of(trial, confidence);
    json_begin_object(writer, "hours");
    json_put_integer(writer, "count", (int64_t)hours.count);
    json_put_number(writer, "within_budget", (double)hours.within / (double)hours.count);
    json_put_number(writer, "highest_usd_at_confidence", hours.worst_likely_usd);
    json_put_number(writer, "highest_usd", hours.worst_usd);
    json_put_integer(writer, "budget_refusals", (int64_t)hours.refused);
    json_put_integer(writer, "budget_shed", (int64_t)hours.shed);
    json_end_object(writer);
}

static void put_trial(struct json_writer *writer, const struct plan_trial *trial, double confidence)
{
    json_begin_object(writer, "trial");
    json_put_bool(writer, "holds", trial->holds);
    json_put_integer(writer, "replications", (int64_t)trial->done);
    json_put_integer(writer, "held", (int64_t)trial->held);
    json_put_integer(writer, "needed", (int64_t)trial->needed);
    json_put_number(writer, "chance_at_least",
                    plan_chance_at_least(trial->held, trial->done, confidence));
    json_put_integer(writer, "over_budget", (int64_t)trial->over_budget);
    json_put_integer(writer, "slo_missed", (int64_t)trial->slo_missed);
    put_hours(writer, trial, confidence);
    for (size_t m = 0; m < MEASURES; m++)
        put_spread(writer, measures[m].name, spread_of(trial, measures[m].get, confidence));
    json_end_object(writer);
}

static void put_markets(struct json_writer *writer, const struct plan_spot *spot, size_t offer)
{
    const struct scenario_offer *offers = spot->question->scenario->config.plan->offers.items;
    const char *const *names = offers[offer].elastic->markets.items;
    json_begin_list(writer, "markets");
    for (size_t i = 0; i < offers[offer].elastic->markets.count; i++)
        json_put_string(writer, NULL, names[i]);
    json_end_list(writer);
}

static void put_purchase(struct json_writer *writer, const struct plan_spot *spot,
                         const struct plan_way *way, const struct plan_purchase *bought)
{
    double available = plan_supply_available(&way->supply, bought->spot);
    json_begin_object(writer, NULL);
    json_put_string(writer, "config", spot->question->problem.configs[way->config].name);
    json_put_integer(writer, "on_demand_nodes", bought->on_demand);
    json_put_integer(writer, "spot_nodes", bought->spot);
    put_markets(writer, spot, way->offer);
    json_put_number(writer, "on_demand_usd_per_hour", way->on_demand_usd);
    json_put_number(writer, "spot_usd_per_hour", way->supply.mean_usd);
    json_put_number(writer, "spot_highest_usd_per_hour", way->supply.high_usd);
    json_put_number(writer, "spot_available", bought->spot > 0 ? available : NAN);
    json_put_number(writer, "interruptions_per_node_hour", way->supply.interruptions_per_node_hour);
    json_end_object(writer);
}

static void put_purchases(struct json_writer *writer, const struct plan_spot *spot,
                          const struct plan_proposal *proposal)
{
    json_begin_list(writer, "purchases");
    for (size_t i = 0; i < spot->way_count; i++) {
        const struct plan_way *way = &spot->ways[i];
        const struct plan_purchase *bought = &proposal->bought[way->config];
        if (bought->on_demand + bought->spot > 0)
            put_purchase(writer, spot, way, bought);
    }
    json_end_list(writer);
}

static void put_on_demand(struct json_writer *writer, const struct plan_spot_answer *answer)
{
    if (!answer->on_demand) {
        json_put_null(writer, "all_on_demand");
        return;
    }
    bool chosen = answer->on_demand == answer->chosen;
    const struct plan_trial *trial = chosen ? &answer->trial : &answer->on_demand_trial;
    json_begin_object(writer, "all_on_demand");
    json_put_number(writer, "value", answer->on_demand->solution.value);
    json_put_number(writer, "cost_usd_h", answer->on_demand->solution.cost_usd_h);
    put_purchases(writer, &answer->spot, answer->on_demand);
    put_trial(writer, trial, plan_of(answer)->confidence);
    json_end_object(writer);
}

static void put_rejections(struct json_writer *writer, const struct plan_spot_answer *answer)
{
    json_begin_list(writer, "rejected");
    for (size_t i = 0; i < answer->rejection_count; i++) {
        const struct plan_rejection *rejection = &answer->rejections[i];
        json_begin_object(writer, NULL);
        json_put_number(writer, "value", rejection->proposal->solution.value);
        json_put_number(writer, "cost_usd_h", rejection->proposal->solution.cost_usd_h);
        json_put_integer(writer, "replications", (int64_t)rejection->done);
        json_put_integer(writer, "held", (int64_t)rejection->held);
        json_put_integer(writer, "over_budget", (int64_t)rejection->over_budget);
        json_put_integer(writer, "slo_missed", (int64_t)rejection->slo_missed);
        put_purchases(writer, &answer->spot, rejection->proposal);
        json_end_object(writer);
    }
    json_end_list(writer);
}

void plan_spot_report_put(struct json_writer *writer, const struct plan_spot_answer *answer)
{
    double confidence = plan_of(answer)->confidence;
    json_put_number(writer, "confidence", confidence);
    put_purchases(writer, &answer->spot, answer->chosen);
    put_trial(writer, &answer->trial, confidence);
    put_on_demand(writer, answer);
    put_rejections(writer, answer);
}

/* --- for people --- */

enum { NAME_COLUMNS = 34, NAME_SIZE = 4 * NAME_COLUMNS + 1 };

static void print_markets(const struct plan_spot *spot, size_t offer, FILE *out)
{
    const struct scenario_offer *offers = spot->question->scenario->config.plan->offers.items;
    const char *const *names = offers[offer].elastic->markets.items;
    char name[NAME_SIZE];
    for (size_t i = 0; i < offers[offer].elastic->markets.count; i++)
        fprintf(out, "%s %s", i > 0 ? "," : "",
                human_name(names[i], NAME_COLUMNS, name, sizeof name));
}

static void print_purchase(const struct plan_spot *spot, const struct plan_way *way,
                           const struct plan_purchase *bought, FILE *out)
{
    char name[NAME_SIZE], price[HUMAN_SIZE], share[HUMAN_SIZE];
    fprintf(out, "  %s: %lld on demand at %s/h",
            human_name(spot->question->problem.configs[way->config].name, NAME_COLUMNS, name,
                       sizeof name),
            (long long)bought->on_demand, human_usd(way->on_demand_usd, price));
    if (bought->spot > 0)
        fprintf(out, ", %lld on Spot at %s/h, there %s of the time", (long long)bought->spot,
                human_usd(way->supply.mean_usd, price),
                human_percent(plan_supply_available(&way->supply, bought->spot), share));
    fprintf(out, "; in");
    print_markets(spot, way->offer, out);
    fprintf(out, "\n");
}

static void print_purchases(const struct plan_spot *spot, const struct plan_proposal *proposal,
                            FILE *out)
{
    for (size_t i = 0; i < spot->way_count; i++) {
        const struct plan_way *way = &spot->ways[i];
        const struct plan_purchase *bought = &proposal->bought[way->config];
        if (bought->on_demand + bought->spot > 0)
            print_purchase(spot, way, bought, out);
    }
}

static void print_numbers(const struct plan_trial *trial, double confidence, FILE *out)
{
    char number[HUMAN_SIZE], low[HUMAN_SIZE], high[HUMAN_SIZE];
    struct spread rate = spread_of(trial, requests_per_s, confidence);
    struct spread kept = spread_of(trial, attainment, confidence);
    struct spread money = spread_of(trial, usd_per_hour, confidence);
    struct spread taken = spread_of(trial, interruptions, confidence);
    fprintf(out, "  simulated: %s requests/s (%s to %s)", human_number(rate.mean, number),
            human_number(rate.low, low), human_number(rate.high, high));
    if (!isnan(kept.mean))
        fprintf(out, ", SLO %s (%s to %s)", human_percent(kept.mean, number),
                human_percent(kept.low, low), human_percent(kept.high, high));
    fprintf(out, ",\n    %s/h (%s to %s)", human_usd(money.mean, number), human_usd(money.low, low),
            human_usd(money.high, high));
    fprintf(out, ", %s interruptions (%s to %s)\n", human_number(taken.mean, number),
            human_number(taken.low, low), human_number(taken.high, high));
}

static void print_hours(const struct plan_trial *trial, double confidence, FILE *out)
{
    struct hours hours = hours_of(trial, confidence);
    char share[HUMAN_SIZE], likely[HUMAN_SIZE], worst[HUMAN_SIZE], count[HUMAN_SIZE];
    fprintf(out,
            "  of %s hours %s within the budget; the dearest cost %s at that confidence, %s "
            "at worst\n",
            human_count(hours.count, count),
            human_percent((double)hours.within / (double)hours.count, share),
            human_usd(hours.worst_likely_usd, likely), human_usd(hours.worst_usd, worst));
    if (hours.refused + hours.shed > 0)
        fprintf(out, "  the hard budget refused %s orders and gave back %s nodes\n",
                human_count(hours.refused, share), human_count(hours.shed, likely));
}

/* What was asked of each replication. */
static const char *promise(const struct plan_spot_answer *answer, char *text, size_t size)
{
    const struct scenario *scenario = answer->spot.question->scenario;
    snprintf(text, size, "spends at most %.2f USD in every hour%s",
             scenario->config.plan->budget_usd_h,
             scenario->slo_count > 0 ? " and keeps the SLO" : "");
    return text;
}

static void print_confidence(const struct plan_spot_answer *answer, FILE *out)
{
    const struct plan_trial *trial = &answer->trial;
    const struct scenario *scenario = answer->spot.question->scenario;
    double confidence = plan_of(answer)->confidence;
    char sure[HUMAN_SIZE], chance[HUMAN_SIZE], span[HUMAN_SIZE], what[128];
    human_percent(confidence, sure);
    promise(answer, what, sizeof what);
    if (trial->holds)
        fprintf(out, "With a confidence of %s this fleet %s:\n", sure, what);
    else
        fprintf(out, "NOT SURE: at a confidence of %s no fleet that was tried %s:\n", sure, what);
    fprintf(
        out,
        "  %zu of %zu replications of %s did (%zu were needed), each with its own markets, "
        "start-ups and arrivals;\n  that shows a chance of at least %s, with a certainty "
        "of %s\n",
        trial->held, trial->done, human_duration(scenario->config.horizon_s, span), trial->needed,
        human_percent(plan_chance_at_least(trial->held, trial->done, confidence), chance), sure);
    print_hours(trial, confidence, out);
    print_numbers(trial, confidence, out);
}

static void print_rejections(const struct plan_spot_answer *answer, FILE *out)
{
    if (answer->rejection_count == 0)
        return;
    fprintf(out, "\n%zu better on paper did not hold:\n", answer->rejection_count);
    for (size_t i = 0; i < answer->rejection_count; i++) {
        const struct plan_rejection *rejection = &answer->rejections[i];
        fprintf(out, "  %zu of %zu replications over the budget, %zu missed the SLO:\n",
                rejection->over_budget, rejection->done, rejection->slo_missed);
        print_purchases(&answer->spot, rejection->proposal, out);
    }
}

static void print_on_demand(const struct plan_spot_answer *answer, FILE *out)
{
    if (!answer->on_demand) {
        fprintf(out, "\nThe budget does not pay for a fleet that is all on demand.\n");
        return;
    }
    if (answer->on_demand == answer->chosen)
        return;
    const struct plan_trial *trial = &answer->on_demand_trial;
    fprintf(out, "\nall on demand: %.2f USD/h; %zu of %zu replications held\n",
            answer->on_demand->solution.cost_usd_h, trial->held, trial->done);
    print_purchases(&answer->spot, answer->on_demand, out);
    print_numbers(trial, plan_of(answer)->confidence, out);
}

void plan_spot_report_print(const struct plan_spot_answer *answer, FILE *out)
{
    print_purchases(&answer->spot, answer->chosen, out);
    fprintf(out, "\n");
    print_confidence(answer, out);
    print_rejections(answer, out);
    print_on_demand(answer, out);
}
