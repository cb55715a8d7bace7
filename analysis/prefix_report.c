#include "analysis/prefix_report.h"

#include "analysis/human.h"

static const char *const tier_names[PREFIX_TIERS] = {
    [TIER_GPU] = "gpu", [TIER_HOST] = "host", [TIER_REMOTE] = "remote"};

static bool pool_shares(const struct pool_summary *pool)
{
    return pool->prefix.tok > 0;
}

static bool anybody_shares(const struct summary *summary)
{
    bool shares = false;
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        shares |= pool_shares(&summary->pools[i]);
    return shares;
}

/* Was the tier there, or did it find something? */
static bool has_tier(const struct summary *summary, size_t pool, int tier)
{
    const struct engine_config *engine = summary->facts.spec->pools[pool].engine;
    return tier == TIER_GPU || engine->prefix.tiers[tier].capacity > 0;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

static uint64_t sum_of(const uint64_t *by_tier)
{
    uint64_t sum = 0;
    for (int tier = 0; tier < PREFIX_TIERS; tier++)
        sum += by_tier[tier];
    return sum;
}

static void put_rates(struct json_writer *writer, const struct prefix_totals *totals,
                      const char *key, uint64_t ids, uint64_t tok)
{
    json_begin_object(writer, key);
    json_put_integer(writer, "blocks", (int64_t)ids);
    json_put_integer(writer, "tokens", (int64_t)tok);
    json_put_number(writer, "block_hit_rate", share(ids, totals->ids));
    json_put_number(writer, "token_hit_rate", share(tok, totals->tok));
    json_end_object(writer);
}

static void put_pool(struct json_writer *writer, const struct summary *summary, size_t index)
{
    const struct pool_summary *pool = &summary->pools[index];
    const struct prefix_totals *totals = &pool->prefix;
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", pool->name);
    json_put_integer(writer, "prompt_blocks", (int64_t)totals->ids);
    json_put_integer(writer, "prompt_tokens", (int64_t)totals->tok);
    put_rates(writer, totals, "found", sum_of(totals->found_ids), sum_of(totals->found_tok));
    for (int tier = 0; tier < PREFIX_TIERS; tier++)
        if (has_tier(summary, index, tier))
            put_rates(writer, totals, tier_names[tier], totals->found_ids[tier],
                      totals->found_tok[tier]);
    json_end_object(writer);
}

void prefix_report_put(struct json_writer *writer, const struct summary *summary)
{
    if (!anybody_shares(summary))
        return;
    json_begin_list(writer, "prefix_cache");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        if (pool_shares(&summary->pools[i]))
            put_pool(writer, summary, i);
    json_end_list(writer);
}

static void print_pool(const struct summary *summary, size_t index, FILE *out)
{
    const struct pool_summary *pool = &summary->pools[index];
    const struct prefix_totals *totals = &pool->prefix;
    char part[HUMAN_SIZE];
    fprintf(out, "  %s: %s of the prompts' tokens were cached (", pool->name,
            human_percent(share(sum_of(totals->found_tok), totals->tok), part));
    for (int tier = 0; tier < PREFIX_TIERS; tier++)
        if (has_tier(summary, index, tier))
            fprintf(out, "%s%s %s", tier > 0 ? ", " : "", tier_names[tier],
                    human_percent(share(totals->found_tok[tier], totals->tok), part));
    fprintf(out, "); %s of their blocks\n",
            human_percent(share(sum_of(totals->found_ids), totals->ids), part));
}

void prefix_report_print(const struct summary *summary, FILE *out)
{
    if (!anybody_shares(summary))
        return;
    fprintf(out, "\nPrefix cache\n");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        if (pool_shares(&summary->pools[i]))
            print_pool(summary, i, out);
}
