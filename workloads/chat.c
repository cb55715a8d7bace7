/* A session under way lies in a slot, whose number is what its arrivals name as their client. The
 * slots of sessions whose next message has a time are in a heap by that time; those of sessions
 * that wait for an answer are nowhere else. A slot that is over is used again: by the same user, or
 * by the next session that begins. */
#include "workloads/chat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "sim/clock.h"
#include "sim/event_queue.h"
#include "workloads/arrivals.h"
#include "workloads/think_time.h"

#define USERS       ARRIVALS_OPEN_KINDS
#define USERS_MAX   1000000
#define TURNS_MAX   1000000
#define NO_SLOT     UINT32_MAX
#define SLOTS_LEAST 64

/* --- what a scenario says --- */

struct chat_users {
    int64_t users;
    double ramp_s;
};

static const struct config_type users_type = {
    .name = "chat_users",
    .doc = "users who begin a session when their last one is over",
    .size = sizeof(struct chat_users),
    .fields = (const struct config_field[]){{.name = "users",
                                             .kind = CONFIG_INT,
                                             .offset = offsetof(struct chat_users, users),
                                             .doc = "sessions under way at once",
                                             .min = 1,
                                             .max = USERS_MAX},
                                            {.name = "ramp_s",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct chat_users, ramp_s),
                                             .doc = "first messages are spread evenly over this "
                                                    "time",
                                             .preset = "0",
                                             .min = 0,
                                             .max = CLOCK_MAX_S},
                                            {0}},
};

static const struct config_variant_type start_variants[] = {
    ARRIVALS_OPEN_VARIANTS,
    [USERS] = {"users", "a number of users, one session after the other", &users_type},
    {0},
};

enum turns_kind { TURNS_CONSTANT, TURNS_UNIFORM, TURNS_GEOMETRIC };

/* Each kind uses what it needs. */
struct turn_count {
    int64_t turns, least, most;
    double mean;
};

#define TURNS(member, text)                                                                        \
    {                                                                                              \
        .name = #member, .kind = CONFIG_INT, .offset = offsetof(struct turn_count, member),        \
        .doc = text, .min = 1, .max = TURNS_MAX                                                    \
    }

static const struct config_type turns_constant_type = {
    .name = "constant_turns",
    .doc = "always the same number",
    .size = sizeof(struct turn_count),
    .fields = (const struct config_field[]){TURNS(turns, "turns of a session"), {0}},
};

static const struct config_type turns_uniform_type = {
    .name = "uniform_turns",
    .doc = "each number between two bounds is as likely",
    .size = sizeof(struct turn_count),
    .fields =
        (const struct config_field[]){TURNS(least, "fewest turns"), TURNS(most, "most turns"), {0}},
};

static const struct config_type turns_geometric_type = {
    .name = "geometric_turns",
    .doc = "after every turn the session is as likely to go on",
    .size = sizeof(struct turn_count),
    .fields = (const struct config_field[]){{.name = "mean",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct turn_count, mean),
                                             .doc = "mean turns of a session",
                                             .min = 1,
                                             .max = TURNS_MAX},
                                            {0}},
};

static const struct config_variant_type turns_variants[] = {
    [TURNS_CONSTANT] = {"constant", "always the same number", &turns_constant_type},
    [TURNS_UNIFORM] = {"uniform", "each number between two bounds is as likely",
                       &turns_uniform_type},
    [TURNS_GEOMETRIC] = {"geometric", "after every turn the session is as likely to go on",
                         &turns_geometric_type},
    {0},
};

#define CHAT(member) .offset = offsetof(struct chat_config, member)

const struct config_type chat_type = {
    .name = "chat_arrivals",
    .doc = "turns of conversations, whose prompts repeat what was said before",
    .size = sizeof(struct chat_config),
    .fields = (const struct config_field[]){{.name = "starts",
                                             .kind = CONFIG_VARIANT,
                                             CHAT(starts),
                                             .doc = "when sessions begin",
                                             .selector = "kind",
                                             .variants = start_variants},
                                            {.name = "turns",
                                             .kind = CONFIG_VARIANT,
                                             CHAT(turns),
                                             .doc = "how many turns a session has",
                                             .selector = "kind",
                                             .variants = turns_variants},
                                            THINK_FIELD(struct chat_config, think,
                                                        "time from an answer to the next message"),
                                            {.name = "max_context_tok",
                                             .kind = CONFIG_INT,
                                             CHAT(max_context_tok),
                                             .doc = "a session whose prompt and answer would be "
                                                    "longer begins afresh; null: never",
                                             .optional = true,
                                             .min = 1,
                                             .max = UINT32_MAX},
                                            {0}},
};

/* --- sessions under way --- */

struct session {
    uint32_t number, turn; /* of the next message, or of that which is out */
    uint32_t turns_left;   /* after it */
    uint32_t context_tok;  /* said before; while a message is out: all that was sent */
    uint32_t next_free;
};

struct chat {
    struct source base;
    const struct chat_config *config;
    struct arrivals *starts; /* NULL: users */
    double next_start_s;     /* INFINITY: users */
    struct event_queue ready;
    struct session *sessions; /* [ready.capacity] */
    uint32_t free_head;
    uint32_t begun; /* sessions so far */
    struct stream_rng starts_rng, think_rng, turns_rng;
    struct length_pair lengths;
};

static uint32_t draw_turns(const struct config_variant *config, gsl_rng *rng)
{
    const struct turn_count *count = config->value;
    switch ((enum turns_kind)config->index) {
    case TURNS_CONSTANT:
        break;
    case TURNS_UNIFORM:
        return (uint32_t)(count->least + (int64_t)((double)(count->most - count->least + 1) *
                                                   gsl_rng_uniform(rng)));
    case TURNS_GEOMETRIC: {
        double turns = ceil(log(random_open_unit(rng)) / log1p(-1 / count->mean));
        return (uint32_t)fmax(1, fmin(turns, TURNS_MAX));
    }
    }
    return (uint32_t)count->turns;
}

static void begin_session(struct chat *chat, struct session *session)
{
    *session =
        (struct session){.number = chat->begun++,
                         .turns_left = draw_turns(&chat->config->turns, chat->turns_rng.rng) - 1};
}

/* The prompt of the session's next message. */
static uint32_t prompt_with(const struct session *session, uint32_t message_tok)
{
    uint64_t prompt_tok = (uint64_t)session->context_tok + message_tok;
    return prompt_tok < UINT32_MAX ? (uint32_t)prompt_tok : UINT32_MAX;
}

static bool outgrown(const struct chat *chat, uint32_t prompt_tok, uint32_t output_tok)
{
    int64_t most = chat->config->max_context_tok;
    return most != INT64_MIN && (int64_t)prompt_tok + output_tok > most;
}

static void send_message(struct chat *chat, uint32_t slot, double time_s, struct arrival *arrival)
{
    struct session *session = &chat->sessions[slot];
    uint32_t message_tok, output_tok;
    length_pair_draw(&chat->lengths, &message_tok, &output_tok);
    if (session->turn > 0 && outgrown(chat, prompt_with(session, message_tok), output_tok)) {
        uint32_t turns_left = session->turns_left;
        *session = (struct session){.number = chat->begun++, .turns_left = turns_left};
    }
    session->context_tok = prompt_with(session, message_tok);
    *arrival = (struct arrival){.time_s = time_s,
                                .prompt_tok = session->context_tok,
                                .output_tok = output_tok,
                                .client = slot,
                                .session = session->number,
                                .turn = session->turn};
}

/* --- slots --- */

static void free_slot(struct chat *chat, uint32_t slot)
{
    chat->sessions[slot].next_free = chat->free_head;
    chat->free_head = slot;
}

static bool make_slots(struct chat *chat, uint32_t count)
{
    uint32_t old = chat->ready.capacity;
    struct session *sessions = realloc(chat->sessions, count * sizeof *sessions);
    if (!sessions)
        return false;
    chat->sessions = sessions;
    if (!event_queue_grow(&chat->ready, count))
        return false;
    for (uint32_t slot = count; slot-- > old;)
        free_slot(chat, slot);
    return true;
}

static uint32_t take_slot(struct chat *chat)
{
    uint32_t slot = chat->free_head;
    chat->free_head = chat->sessions[slot].next_free;
    return slot;
}

/* --- the source --- */

static enum source_status chat_peek(struct source *source, double *time_s, struct error *error)
{
    struct chat *chat = (struct chat *)source;
    const struct event_entry *first = event_queue_first(&chat->ready);
    if (!first && !chat->starts)
        return SOURCE_WAIT;
    *time_s = first ? fmin(tick_to_s(first->time), chat->next_start_s) : chat->next_start_s;
    if (chat->free_head != NO_SLOT || !chat->starts || make_slots(chat, 2 * chat->ready.capacity))
        return SOURCE_READY;
    error_set(error, ERROR_FAILED, "out of memory with %u sessions under way",
              chat->ready.capacity);
    return SOURCE_FAILED;
}

static void chat_take(struct source *source, struct arrival *arrival)
{
    struct chat *chat = (struct chat *)source;
    const struct event_entry *first = event_queue_first(&chat->ready);
    if (first && tick_to_s(first->time) < chat->next_start_s) {
        uint32_t slot = (uint32_t)first->actor;
        double time_s = tick_to_s(first->time);
        event_queue_remove(&chat->ready, slot);
        send_message(chat, slot, time_s, arrival);
        return;
    }
    uint32_t slot = take_slot(chat);
    begin_session(chat, &chat->sessions[slot]);
    send_message(chat, slot, chat->next_start_s, arrival);
    chat->next_start_s = arrivals_next_s(chat->starts);
}

static void think(struct chat *chat, uint32_t slot, double now_s)
{
    double next_s = think_time_next_s(&chat->config->think, now_s, chat->think_rng.rng);
    if (next_s <= CLOCK_MAX_S)
        event_queue_set(&chat->ready, slot, 0, tick_from_s(next_s));
}

static void chat_ended(struct source *source, const struct arrival_end *end)
{
    struct chat *chat = (struct chat *)source;
    struct session *session = &chat->sessions[end->client];
    assert(!event_queue_has(&chat->ready, end->client));
    if (end->answer_tok > 0 && session->turns_left > 0) {
        session->context_tok = prompt_with(session, end->answer_tok);
        session->turn++;
        session->turns_left--;
        think(chat, end->client, end->now_s);
    } else if (chat->starts) {
        free_slot(chat, end->client);
    } else {
        begin_session(chat, session);
        think(chat, end->client, end->now_s);
    }
}

static void chat_destroy(struct source *source)
{
    struct chat *chat = (struct chat *)source;
    arrivals_destroy(chat->starts);
    event_queue_free(&chat->ready);
    free(chat->sessions);
    stream_rng_close(&chat->starts_rng);
    stream_rng_close(&chat->think_rng);
    stream_rng_close(&chat->turns_rng);
    length_pair_close(&chat->lengths);
}

static const struct source_ops chat_ops = {
    .name = "chat",
    .peek = chat_peek,
    .take = chat_take,
    .ended = chat_ended,
    .destroy = chat_destroy,
};

/* --- opening --- */

static bool check_turns(const struct config_variant *config, const struct place *place,
                        struct error *error)
{
    const struct turn_count *count = config->value;
    if (config->index != TURNS_UNIFORM || count->least <= count->most)
        return true;
    struct place own = place_key(place, "turns"), at = place_key(&own, "most");
    return place_error(&at, error, "most (%lld) is less than least (%lld)", (long long)count->most,
                       (long long)count->least);
}

static void start_users(struct chat *chat, const struct chat_users *users)
{
    double apart_s = users->ramp_s / (double)users->users;
    for (uint32_t user = 0; user < users->users; user++) {
        begin_session(chat, &chat->sessions[user]);
        event_queue_set(&chat->ready, user, 0, tick_from_s(user * apart_s));
    }
}

static bool start_process(struct chat *chat, struct arena *arena, const struct place *place,
                          struct error *error)
{
    struct place at = place_key(place, "starts");
    chat->starts =
        arrivals_create(&chat->config->starts, 1, chat->starts_rng.rng, arena, &at, error);
    if (!chat->starts)
        return false;
    arrivals_start(chat->starts);
    chat->next_start_s = arrivals_next_s(chat->starts);
    return true;
}

static bool open_streams(struct chat *chat, const struct stream_seed *seed, struct error *error)
{
    return stream_rng_open(&chat->starts_rng, seed, "arrivals", error) &&
           stream_rng_open(&chat->think_rng, seed, "think", error) &&
           stream_rng_open(&chat->turns_rng, seed, "turns", error);
}

static bool start(struct chat *chat, struct arena *arena, const struct place *arrivals,
                  struct error *error)
{
    const struct config_variant *starts = &chat->config->starts;
    const struct chat_users *users = starts->index == USERS ? starts->value : NULL;
    chat->free_head = NO_SLOT;
    chat->next_start_s = INFINITY;
    if (!make_slots(chat, users ? (uint32_t)users->users : SLOTS_LEAST))
        return error_set(error, ERROR_FAILED, "out of memory");
    if (!users)
        return start_process(chat, arena, arrivals, error);
    start_users(chat, users);
    return true;
}

struct source *chat_open(const struct chat_config *config, const struct length_pair_config *lengths,
                         const struct stream_seed *seed, struct arena *arena,
                         const struct place *place, struct error *error)
{
    struct place arrivals = place_key(place, "arrivals");
    if (!think_time_check(&config->think, &arrivals, error) ||
        !check_turns(&config->turns, &arrivals, error))
        return NULL;
    struct chat *chat = ARENA_NEW(arena, struct chat);
    chat->base.ops = &chat_ops;
    chat->config = config;
    if (open_streams(chat, seed, error) &&
        length_pair_open(&chat->lengths, lengths, seed, arena, place, error) &&
        start(chat, arena, &arrivals, error))
        return &chat->base;
    chat_destroy(&chat->base);
    return NULL;
}
