#include "models/money/break_even.h"

#include <math.h>

enum { STEPS_MAX = 2000000, CROSSINGS_MAX = 10000 };

/* Beyond so many, one node more or less is lost in rounding. */
#define NODES_MAX 1e9

/* Costs that differ by rounding only are the same, and so are volumes. */
#define SAME 1e-12

/* --- what is asked --- */

/* What is beyond these bounds is no price and no node, and would only make numbers overflow. */
#define USD_MAX   1e12
#define TOK_MAX   1e12
#define COUNT_MAX 1e9

static bool check_positive(double value, double most, const char *what, struct error *error)
{
    return (value > 0 && value <= most) ||
           error_set(error, ERROR_BAD_INPUT, "%s must be above 0 and at most %g", what, most);
}

static bool check_from_0(double value, double most, const char *what, struct error *error)
{
    return (value >= 0 && value <= most) ||
           error_set(error, ERROR_BAD_INPUT, "%s must be at least 0 and at most %g", what, most);
}

bool self_hosting_check(const struct self_hosting *host, struct error *error)
{
    if (host->load && host->load->mean == 0)
        return error_set(error, ERROR_BAD_INPUT, "the load over time is 0 throughout");
    return check_positive(host->max_utilisation, 1, "the utilisation of nodes", error) &&
           check_positive(host->usd_per_node_hour, USD_MAX, "the price of a node", error) &&
           check_positive(host->tok_per_s, TOK_MAX, "what a node serves", error) &&
           check_from_0(host->spare_nodes, COUNT_MAX, "the number of spare nodes", error) &&
           check_from_0(host->min_nodes, COUNT_MAX, "the least number of nodes", error) &&
           check_from_0(host->usd_per_month, USD_MAX, "what is paid per month", error);
}

bool token_mix_check(const struct token_mix *mix, struct error *error)
{
    if (mix->input >= 0 && mix->output >= 0 && fabs(mix->input + mix->output - 1) < 1e-9 &&
        mix->cached >= 0 && mix->cached <= mix->input)
        return true;
    return error_set(error, ERROR_BAD_INPUT, "shares of tokens do not add up");
}

double api_usd_per_tok(const struct api_prices *prices, const struct token_mix *mix)
{
    return 1e-6 * ((mix->input - mix->cached) * prices->input_usd +
                   mix->cached * prices->cached_usd + mix->output * prices->output_usd);
}

/* --- the staircase --- */

/* Times of equal load: for a share of the month, so much of the mean volume. */
struct tread {
    double share, load;
    double nodes;   /* on the step of the stairs that is being looked at */
    double end_tok; /* volume at which these no longer suffice */
};

static double node_tok(const struct self_hosting *host)
{
    return host->tok_per_s * 3600 * HOURS_PER_MONTH * host->max_utilisation;
}

/* A fleet of a fixed size has one tread, always at the peak. */
static size_t tread_count(const struct self_hosting *host)
{
    return host->load && host->follows_load ? host->load->count : 1;
}

static struct tread tread_at(const struct self_hosting *host, size_t index)
{
    const struct load_duration *load = host->load;
    if (!load)
        return (struct tread){.share = 1, .load = 1};
    if (!host->follows_load)
        return (struct tread){.share = 1, .load = load_duration_peak(load) / load->mean};
    double above_or_at = index == 0 ? 1 : load->share_above[index - 1];
    return (struct tread){.share = above_or_at - load->share_above[index],
                          .load = load->instances[index] / load->mean};
}

/* A load that fills its nodes to the last token needs no other. */
static double whole_nodes(const struct self_hosting *host, double needed)
{
    return fmax(host->min_nodes, ceil(needed * (1 - SAME)));
}

double self_hosting_nodes(const struct self_hosting *host, double tok_per_month)
{
    double nodes = host->spare_nodes;
    for (size_t i = 0; i < tread_count(host); i++) {
        struct tread tread = tread_at(host, i);
        nodes += tread.share * whole_nodes(host, tok_per_month * tread.load / node_tok(host));
    }
    return nodes;
}

static double usd_of(const struct self_hosting *host, double nodes)
{
    return host->usd_per_month + nodes * host->usd_per_node_hour * HOURS_PER_MONTH;
}

double self_hosting_usd(const struct self_hosting *host, double tok_per_month)
{
    return usd_of(host, self_hosting_nodes(host, tok_per_month));
}

/* --- the walk ---
 *
 * Treads lie in a heap by the volume at which they need their next node; a step of the stairs ends
 * at the least of them. */

struct stairs {
    const struct self_hosting *host;
    double node_tok; /* of an even load, that a node serves in a month */
    size_t count;
    struct tread *treads;
    double nodes; /* in the mean, on the step that is being looked at */
};

static void set_end(const struct stairs *stairs, struct tread *tread)
{
    tread->end_tok = tread->load > 0 ? tread->nodes * stairs->node_tok / tread->load : INFINITY;
}

static void sift_down(struct stairs *stairs, size_t at)
{
    struct tread *treads = stairs->treads, moved = treads[at];
    for (size_t child; (child = 2 * at + 1) < stairs->count; at = child) {
        if (child + 1 < stairs->count && treads[child + 1].end_tok < treads[child].end_tok)
            child++;
        if (moved.end_tok <= treads[child].end_tok)
            break;
        treads[at] = treads[child];
    }
    treads[at] = moved;
}

/* On the step that begins at the volume, or within which it lies. */
static struct stairs stand_above(const struct self_hosting *host, double tok, struct arena *arena)
{
    struct stairs stairs = {.host = host,
                            .node_tok = node_tok(host),
                            .count = tread_count(host),
                            .nodes = host->spare_nodes};
    stairs.treads = ARENA_ARRAY(arena, stairs.count, struct tread);
    for (size_t i = 0; i < stairs.count; i++) {
        struct tread *tread = &stairs.treads[i];
        *tread = tread_at(host, i);
        double begun = floor(tok * tread->load / stairs.node_tok * (1 + SAME)) + 1;
        tread->nodes = fmax(host->min_nodes, tread->load > 0 ? begun : 0);
        set_end(&stairs, tread);
        stairs.nodes += tread->share * tread->nodes;
    }
    for (size_t i = stairs.count / 2; i-- > 0;)
        sift_down(&stairs, i);
    return stairs;
}

/* To the step that begins at `end`. Returns how many treads it took. */
static size_t step_up(struct stairs *stairs, double end_tok)
{
    size_t treads = 0;
    for (; stairs->treads[0].end_tok <= end_tok * (1 + SAME); treads++) {
        stairs->treads[0].nodes++;
        stairs->nodes += stairs->treads[0].share;
        set_end(stairs, &stairs->treads[0]);
        sift_down(stairs, 0);
    }
    return treads;
}

static void add_crossing(struct break_even *found, double tok, double nodes, bool to_self_hosting)
{
    found->crossings[found->count++] =
        (struct crossing){.tok_per_month = tok,
                          .usd_per_month = tok * found->api_usd_per_tok,
                          .nodes = nodes,
                          .to_self_hosting = to_self_hosting};
}

static bool costs_less(double usd, double than_usd)
{
    return usd < than_usd * (1 - SAME);
}

static void walk(struct stairs *stairs, double from_tok, struct break_even *found)
{
    double begin = from_tok;
    bool self_hosting = false;
    for (size_t steps = 0; begin < found->always_tok; steps += step_up(stairs, begin)) {
        double usd = usd_of(stairs->host, stairs->nodes), end = stairs->treads[0].end_tok;
        if (steps >= STEPS_MAX || found->count + 2 > CROSSINGS_MAX || stairs->nodes > NODES_MAX) {
            found->more = true;
            return;
        }
        if (self_hosting && costs_less(begin * found->api_usd_per_tok, usd)) {
            add_crossing(found, begin, stairs->nodes, false);
            self_hosting = false;
        }
        if (!self_hosting && costs_less(usd, end * found->api_usd_per_tok)) {
            double even = usd / found->api_usd_per_tok;
            add_crossing(found, fmax(begin, even), stairs->nodes, true);
            self_hosting = true;
        }
        begin = end;
    }
}

static double mean_load(const struct self_hosting *host)
{
    return host->load && !host->follows_load ? load_duration_peak(host->load) / host->load->mean
                                             : 1;
}

/* The volume at which nodes that are never idle, `more` of them besides, cost what the API does. */
static double even_tok(const struct self_hosting *host, double more, const struct break_even *found)
{
    return usd_of(host, host->spare_nodes + more) /
           (found->api_usd_per_tok - found->self_usd_per_tok);
}

struct break_even break_even_find(const struct self_hosting *host, double api_usd_per_tok,
                                  struct arena *arena)
{
    double node_usd = host->usd_per_node_hour * HOURS_PER_MONTH;
    struct break_even found = {.api_usd_per_tok = api_usd_per_tok,
                               .self_usd_per_tok = node_usd * mean_load(host) / node_tok(host),
                               .naive_tok = node_usd / api_usd_per_tok,
                               .always_tok = INFINITY};
    if (!costs_less(found.self_usd_per_tok, api_usd_per_tok))
        return found;
    /* Self-hosting cannot win before the first, and wins beyond the last even if each hour has a
     * node, or the floor, more than it needs. */
    double first = even_tok(host, 0, &found) * (1 - SAME);
    found.always_tok = even_tok(host, fmax(1, host->min_nodes), &found);
    found.crossings = ARENA_ARRAY(arena, CROSSINGS_MAX, struct crossing);
    struct stairs stairs = stand_above(host, first, arena);
    walk(&stairs, first, &found);
    if (!found.more && found.count > 0 && found.crossings[found.count - 1].to_self_hosting)
        found.always_tok = found.crossings[found.count - 1].tok_per_month;
    return found;
}
