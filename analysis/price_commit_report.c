#include <math.h>
#include <string.h>

#include "analysis/csv.h"
#include "analysis/human.h"
#include "analysis/price_commit.h"

/* --- what there is to say --- */

static struct commit_row make_row(const char *offer, const char *rule, struct commitment_plan plan)
{
    return (struct commit_row){offer, rule, plan, commitment_evaluate(plan.question, &plan)};
}

/* The question with one of its offers alone. */
static const struct commitment_question *ask_alone(const struct commitment_question *question,
                                                   size_t offer, struct arena *arena)
{
    struct commitment_question *alone = ARENA_NEW(arena, struct commitment_question);
    *alone = *question;
    alone->offers = &question->offers[offer];
    alone->offer_count = 1;
    return alone;
}

static size_t add_offer_rows(struct commit_row *rows, const struct commitment_question *question,
                             size_t offer, struct arena *arena)
{
    static const struct {
        enum commitment_rule rule;
        const char *name;
    } rules[] = {{COMMIT_FLOOR, "floor"}, {COMMIT_MEAN, "mean"}, {COMMIT_PEAK, "peak"}};
    enum { RULES = sizeof rules / sizeof rules[0] };
    const struct commitment_question *alone = ask_alone(question, offer, arena);
    const char *name = question->offers[offer].name;
    for (size_t i = 0; i < RULES; i++)
        rows[i] = make_row(name, rules[i].name, commitment_by_rule(alone, 0, rules[i].rule, arena));
    rows[RULES] = make_row(name, "optimum", commitment_optimum(alone, arena));
    return RULES + 1;
}

static const struct commit_row *make_rows(const struct commitment_question *question, size_t *count,
                                          struct arena *arena)
{
    struct commit_row *rows = ARENA_ARRAY(arena, 4 * question->offer_count + 2, struct commit_row);
    rows[0] = make_row(NULL, "on demand", commitment_by_rule(question, 0, COMMIT_NOTHING, arena));
    *count = 1;
    for (size_t i = 0; i < question->offer_count; i++)
        *count += add_offer_rows(rows + *count, question, i, arena);
    rows[(*count)++] = make_row(NULL, "optimum", commitment_optimum(question, arena));
    return rows;
}

static const double demand_factors[] = {0.5, 0.8, 0.9, 1, 1.1, 1.2, 1.5};
enum { FACTORS = sizeof demand_factors / sizeof demand_factors[0] };

static struct commit_sensitivity look_at(const struct commit_report *report, double factor,
                                         struct arena *arena)
{
    struct commitment_question other = *report->question;
    other.demand_factor *= factor;
    struct commitment_plan best = commitment_optimum(&other, arena);
    const struct commit_row *none = &report->rows[0];
    const struct commit_row *planned = &report->rows[report->row_count - 1];
    return (struct commit_sensitivity){
        .factor = factor,
        .plan_usd_per_hour = commitment_evaluate(&other, &planned->plan).usd_per_hour,
        .on_demand_usd_per_hour = commitment_evaluate(&other, &none->plan).usd_per_hour,
        .best_usd_per_hour = commitment_evaluate(&other, &best).usd_per_hour};
}

struct commit_report commit_report_create(const char *name,
                                          const struct commitment_question *question,
                                          struct arena *arena)
{
    struct commit_report report = {.name = name, .question = question};
    report.rows = make_rows(question, &report.row_count, arena);
    struct commit_sensitivity *sensitivity = ARENA_ARRAY(arena, FACTORS, struct commit_sensitivity);
    for (size_t i = 0; i < FACTORS; i++)
        sensitivity[i] = look_at(&report, demand_factors[i], arena);
    report.sensitivity = sensitivity;
    report.sensitivity_count = FACTORS;
    return report;
}

/* Share of the on-demand bill that the row does without. */
static double saved(const struct commit_report *report, const struct commit_row *row)
{
    double on_demand = report->rows[0].outcome.usd_per_hour;
    return on_demand > 0 ? 1 - row->outcome.usd_per_hour / on_demand : NAN;
}

/* --- for people --- */

enum { NAME_COLUMNS = 26, NAME_SIZE = 4 * NAME_COLUMNS + 1 };

static void print_demand(const struct commit_report *report, FILE *out)
{
    const struct commitment_question *question = report->question;
    const struct load_duration *curve = question->curve;
    char from[HUMAN_SIZE], to[HUMAN_SIZE], mean[HUMAN_SIZE], hours[HUMAN_SIZE], usd[HUMAN_SIZE],
        name[4 * 60 + 1];
    fprintf(out, "%s: %s to %s instances, %s in the mean, over %s hours\n",
            human_name(report->name, 60, name, sizeof name),
            human_number(load_duration_floor(curve), from),
            human_number(load_duration_peak(curve), to), human_number(curve->mean, mean),
            human_number(curve->hours, hours));
    fprintf(out, "on demand %s an hour; looked at over %lld months",
            human_usd(question->on_demand_usd_per_hour, usd), (long long)question->horizon_months);
    if (question->growth_per_year != 0)
        fprintf(out, ", demand %+.4g %% a year", 100 * question->growth_per_year);
    if (question->price_change_per_year != 0)
        fprintf(out, ", prices %+.4g %% a year", 100 * question->price_change_per_year);
    fprintf(out, "\n");
}

static void print_row(const struct commit_report *report, const struct commit_row *row, FILE *out)
{
    const struct commitment_outcome *is = &row->outcome;
    char committed[HUMAN_SIZE], used[HUMAN_SIZE], covered[HUMAN_SIZE], usd[HUMAN_SIZE],
        saving[HUMAN_SIZE], label[2 * NAME_SIZE], name[NAME_SIZE];
    snprintf(label, sizeof label, "%.90s%s%s", row->offer ? row->offer : "", row->offer ? ", " : "",
             row->rule);
    if (row == &report->rows[report->row_count - 1])
        snprintf(label, sizeof label, "the optimum");
    human_put_left(out, human_name(label, NAME_COLUMNS, name, sizeof name), NAME_COLUMNS);
    fprintf(out, " %10s %10s %12s %12s %10s\n", human_number(is->committed, committed),
            human_percent(is->committed > 0 ? is->committed_used / is->committed : NAN, used),
            human_percent(is->demand > 0 ? is->committed_used / is->demand : NAN, covered),
            human_usd(is->usd_per_hour, usd), human_percent(saved(report, row), saving));
}

static void print_rows(const struct commit_report *report, FILE *out)
{
    fprintf(out, "\n%*s %10s %10s %12s %12s %10s\n", NAME_COLUMNS, "", "committed", "in use",
            "of demand", "USD/hour", "saved");
    for (size_t i = 0; i < report->row_count; i++)
        print_row(report, &report->rows[i], out);
}

static void print_offers(const struct commit_report *report, FILE *out)
{
    const struct commitment_question *question = report->question;
    fprintf(out, "\n");
    for (size_t i = 0; i < question->offer_count; i++) {
        char usd[HUMAN_SIZE], share[HUMAN_SIZE], years[HUMAN_SIZE];
        double under_water = commitment_under_water_years(question, i);
        fprintf(out, "%s at %s: worth it for an instance in use more than %s of the time",
                question->offers[i].name, human_usd(question->offers[i].usd_per_hour, usd),
                human_percent(commitment_worth_share(question, i), share));
        if (12 * under_water < (double)question->offers[i].term_months)
            fprintf(out, "; dearer than on demand is after %s years",
                    human_number(under_water, years));
        fprintf(out, "\n");
    }
}

static bool is_steady(const double *instances, size_t periods)
{
    for (size_t i = 1; i < periods; i++)
        if (instances[i] != instances[0])
            return false;
    return true;
}

/* What to buy: one number, or one for each period where they differ; and in dollars what is bought
 * at first, as a Savings Plan wants it. */
static void print_purchase(const struct commitment_plan *plan, size_t offer, FILE *out)
{
    const double *instances = plan->instances + offer * plan->periods;
    size_t shown = is_steady(instances, plan->periods) ? 1 : plan->periods;
    fprintf(out, "  %s:", plan->question->offers[offer].name);
    for (size_t i = 0; i < shown; i++) {
        char text[HUMAN_SIZE];
        fprintf(out, "%s %s", i > 0 ? "," : "", human_number(instances[i], text));
    }
    char usd[HUMAN_SIZE];
    fprintf(out, " (%s an hour%s)\n",
            human_usd(instances[0] * plan->question->offers[offer].usd_per_hour, usd),
            shown > 1 ? " at first" : "");
}

static void print_purchases(const struct commit_report *report, FILE *out)
{
    const struct commitment_plan *plan = &report->rows[report->row_count - 1].plan;
    size_t months = (size_t)report->question->horizon_months / plan->periods;
    fprintf(out, "\nthe optimum commits to (instances, for each %zu months where they differ)\n",
            months);
    for (size_t i = 0; i < report->question->offer_count; i++)
        print_purchase(plan, i, out);
}

static void print_sensitivity(const struct commit_report *report, FILE *out)
{
    fprintf(out, "\n%-26s %12s %12s %12s\n", "if demand is other (USD/h)", "the optimum",
            "on demand", "best then");
    for (size_t i = 0; i < report->sensitivity_count; i++) {
        const struct commit_sensitivity *each = &report->sensitivity[i];
        char plan[HUMAN_SIZE], on_demand[HUMAN_SIZE], best[HUMAN_SIZE];
        fprintf(out, "  %+5.0f %%                  %12s %12s %12s\n", 100 * (each->factor - 1),
                human_usd(each->plan_usd_per_hour, plan),
                human_usd(each->on_demand_usd_per_hour, on_demand),
                human_usd(each->best_usd_per_hour, best));
    }
}

void commit_report_print(FILE *out, const void *opaque)
{
    const struct commit_report *report = opaque;
    print_demand(report, out);
    print_rows(report, out);
    print_offers(report, out);
    print_purchases(report, out);
    print_sensitivity(report, out);
}

/* --- for programs --- */

static void put_question(struct json_writer *writer, const struct commitment_question *question)
{
    const struct load_duration *curve = question->curve;
    json_begin_object(writer, "demand");
    json_put_number(writer, "hours", curve->hours);
    json_put_number(writer, "floor", load_duration_floor(curve));
    json_put_number(writer, "mean", curve->mean);
    json_put_number(writer, "peak", load_duration_peak(curve));
    json_put_number(writer, "growth_per_year", question->growth_per_year);
    json_end_object(writer);
    json_put_number(writer, "on_demand_usd_per_hour", question->on_demand_usd_per_hour);
    json_put_number(writer, "price_change_per_year", question->price_change_per_year);
    json_put_integer(writer, "horizon_months", question->horizon_months);
    json_put_bool(writer, "whole", question->whole);
}

static void put_offers(struct json_writer *writer, const struct commit_report *report)
{
    const struct commitment_question *question = report->question;
    const struct commitment_plan *plan = &report->rows[report->row_count - 1].plan;
    json_begin_list(writer, "offers");
    for (size_t i = 0; i < question->offer_count; i++) {
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", question->offers[i].name);
        json_put_integer(writer, "term_months", question->offers[i].term_months);
        json_put_number(writer, "usd_per_hour", question->offers[i].usd_per_hour);
        json_put_number(writer, "worth_share", commitment_worth_share(question, i));
        json_put_number(writer, "under_water_years", commitment_under_water_years(question, i));
        json_begin_list(writer, "optimum_instances");
        for (size_t period = 0; period < plan->periods; period++)
            json_put_number(writer, NULL, plan->instances[i * plan->periods + period]);
        json_end_list(writer);
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_row(struct json_writer *writer, const struct commit_report *report,
                    const struct commit_row *row)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "offer", row->offer);
    json_put_string(writer, "rule", row->rule);
    json_put_number(writer, "demand", row->outcome.demand);
    json_put_number(writer, "committed", row->outcome.committed);
    json_put_number(writer, "committed_used", row->outcome.committed_used);
    json_put_number(writer, "usd_per_hour", row->outcome.usd_per_hour);
    json_put_number(writer, "on_demand_usd_per_hour", row->outcome.on_demand_usd_per_hour);
    json_put_number(writer, "saved", saved(report, row));
    json_end_object(writer);
}

static void put_sensitivity(struct json_writer *writer, const struct commit_report *report)
{
    json_begin_list(writer, "sensitivity");
    for (size_t i = 0; i < report->sensitivity_count; i++) {
        const struct commit_sensitivity *each = &report->sensitivity[i];
        json_begin_object(writer, NULL);
        json_put_number(writer, "demand_factor", each->factor);
        json_put_number(writer, "optimum_usd_per_hour", each->plan_usd_per_hour);
        json_put_number(writer, "on_demand_usd_per_hour", each->on_demand_usd_per_hour);
        json_put_number(writer, "best_then_usd_per_hour", each->best_usd_per_hour);
        json_end_object(writer);
    }
    json_end_list(writer);
}

void commit_report_put(struct json_writer *writer, const void *opaque)
{
    const struct commit_report *report = opaque;
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", report->name);
    put_question(writer, report->question);
    put_offers(writer, report);
    json_begin_list(writer, "plans");
    for (size_t i = 0; i < report->row_count; i++)
        put_row(writer, report, &report->rows[i]);
    json_end_list(writer);
    put_sensitivity(writer, report);
    json_end_object(writer);
}

void commit_report_put_csv(FILE *out, const void *opaque)
{
    const struct commit_report *report = opaque;
    fprintf(out, "offer,rule,demand,committed,committed_used,usd_per_hour,on_demand_usd_per_hour,"
                 "saved\n");
    for (size_t i = 0; i < report->row_count; i++) {
        const struct commit_row *row = &report->rows[i];
        const struct commitment_outcome *is = &row->outcome;
        csv_put_text(out, row->offer ? row->offer : "");
        fprintf(out, ",%s", row->rule);
        csv_put_number(out, is->demand);
        csv_put_number(out, is->committed);
        csv_put_number(out, is->committed_used);
        csv_put_number(out, is->usd_per_hour);
        csv_put_number(out, is->on_demand_usd_per_hour);
        csv_put_number(out, saved(report, row));
        fprintf(out, "\n");
    }
}
