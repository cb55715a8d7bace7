#include "models/fleet/client_settings.h"

#include <math.h>

#include "sim/clock.h"
#include "workloads/lengths.h"

#define RETRIES_MAX 100

#define AT(member) .offset = offsetof(struct client_settings, member)

#define SECONDS(member, text)                                                                      \
    .name = #member, .kind = CONFIG_NUMBER, AT(member), .doc = text, .min = 0, .max = CLOCK_MAX_S

static const struct config_field fields[] = {
    {SECONDS(ttft_timeout_s, "a client without its first token by then gives up; null: none does"),
     .optional = true, .above_min = true},
    {SECONDS(e2e_timeout_s, "likewise without the whole answer"), .optional = true,
     .above_min = true},
    {.name = "cancel_on_timeout",
     .kind = CONFIG_BOOL,
     AT(cancel_on_timeout),
     .preset = "true",
     .doc = "who gives up hangs up, and the server stops its work"},
    {.name = "retries",
     .kind = CONFIG_INT,
     AT(retries),
     .preset = "0",
     .min = 0,
     .max = RETRIES_MAX,
     .doc = "who gave up sends the request again, so many times at most"},
    {SECONDS(backoff_s, "wait before the first retry; doubled with each"), .preset = "0.5"},
    {SECONDS(backoff_max_s, "longest wait before a retry"), .preset = "8"},
    {.name = "backoff_jitter",
     .kind = CONFIG_NUMBER,
     AT(backoff_jitter),
     .preset = "0.25",
     .min = 0,
     .max = 1,
     .doc = "waits are shorter by a random share of up to this"},
    {.name = "stop_share",
     .kind = CONFIG_NUMBER,
     AT(stop_share),
     .preset = "0",
     .min = 0,
     .max = 1,
     .doc = "share of the users who stop reading after stop_after_tok, and hang up"},
    {.name = "stop_after_tok",
     .kind = CONFIG_VARIANT,
     AT(stop_after_tok),
     .optional = true,
     .selector = "kind",
     .variants = length_variants,
     .doc = "tokens they read; who would read all is no such user"},
    {0}};

const struct config_type client_settings_type = {.name = "client",
                                                 .doc = "How long clients wait for answers",
                                                 .size = sizeof(struct client_settings),
                                                 .fields = fields};

bool client_rule_matters(const struct client_rule *rule)
{
    const struct client_settings *settings = rule->settings;
    return rule->stop_after_tok || rule->shed_after_s < INFINITY ||
           (settings && (!isnan(settings->ttft_timeout_s) || !isnan(settings->e2e_timeout_s)));
}

static bool refuse(const struct place *place, const char *key, const char *why, const char *hint,
                   struct error *error)
{
    struct place at = place_key(place, key);
    place_error(&at, error, "%s", why);
    return error_hint(error, "%s", hint);
}

static bool check(const struct client_settings *settings, const struct place *place,
                  struct error *error)
{
    bool gives_up = !isnan(settings->ttft_timeout_s) || !isnan(settings->e2e_timeout_s);
    bool draws = settings->stop_after_tok.index >= 0;
    if (settings->retries > 0 && !gives_up)
        return refuse(place, "retries", "clients that wait for ever never try again",
                      "give ttft_timeout_s or e2e_timeout_s", error);
    if (settings->ttft_timeout_s > settings->e2e_timeout_s)
        return refuse(place, "ttft_timeout_s", "it is longer than e2e_timeout_s, and never passes",
                      "leave it out, or give a shorter one", error);
    if (settings->stop_share > 0 && !draws)
        return refuse(place, "stop_share", "it does not say how much those users read",
                      "give stop_after_tok", error);
    if (settings->stop_share == 0 && draws)
        return refuse(place, "stop_after_tok", "nobody stops: stop_share is 0",
                      "give stop_share, up to 1", error);
    return true;
}

bool client_rule_make(const struct client_settings *settings, struct arena *arena,
                      const struct place *place, struct client_rule *rule, struct error *error)
{
    *rule = (struct client_rule){.settings = settings, .shed_after_s = INFINITY};
    if (!settings)
        return true;
    if (!check(settings, place, error))
        return false;
    if (settings->stop_share == 0)
        return true;
    struct inverse_cdf *tokens = ARENA_NEW(arena, struct inverse_cdf);
    rule->stop_after_tok = tokens;
    return length_compile(tokens, &settings->stop_after_tok, arena, place, "stop_after_tok", error);
}
