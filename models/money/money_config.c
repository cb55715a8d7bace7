#include "models/money/money_config.h"

#include "sim/json.h"

#define MEMBER(kind_, member, doc_, ...)                                                           \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(struct money_config, member),           \
        .doc = doc_, __VA_ARGS__                                                                   \
    }
#define LIST_MAX 1000

static const char *const precedence_names[] = {
    [PRICES_OF_RUN_FIRST] = "run", [PRICES_OF_BOOK] = "book", NULL};

static const struct config_field commitment_element = {
    .kind = CONFIG_VARIANT, .variants = commitment_variants, .selector = "kind"};
static const struct config_field alert_element = {.kind = CONFIG_OBJECT,
                                                  .object = &budget_config_type};

static const struct config_field money_fields[] = {
    MEMBER(CONFIG_STRING, price_book, "path of a price book; null: the catalogue's",
           .optional = true),
    MEMBER(CONFIG_OBJECT, own_prices, "prices that go before those of the book", .optional = true,
           .object = &price_entries_config_type),
    MEMBER(CONFIG_ENUM, prefer,
           "run: prices of the run's markets before the book's; book: the "
           "book's alone",
           .preset = "\"run\"", .names = precedence_names),
    MEMBER(CONFIG_LIST, commitments, "what is paid for whether used or not", .preset = "[]",
           .element = &commitment_element, .max = LIST_MAX),
    MEMBER(CONFIG_LIST, alerts, "budgets that say when money runs out", .preset = "[]",
           .element = &alert_element, .max = LIST_MAX),
    MEMBER(CONFIG_NUMBER, output_token_weight,
           "tokens of input that a token of output counts for, where money is split", .preset = "4",
           .min = 0, .max = 1000),
    MEMBER(CONFIG_BOOL, share_idle,
           "show-back: idle, cold-start, wasted and unused money is shared out by used money",
           .preset = "true"),
    {0},
};
const struct config_type money_config_type = {"money", "how a run is billed",
                                              sizeof(struct money_config), money_fields};

const struct price_book *money_read_book(const struct money_config *config,
                                         const struct money_place *place, struct arena *arena,
                                         struct error *error)
{
    const char *path = arena_printf(arena, "%s/prices.json", place->catalog_folder);
    if (config->price_book)
        path = config->price_book[0] == '/'
                   ? config->price_book
                   : arena_printf(arena, "%s/%s", place->folder, config->price_book);
    struct price_book *book = price_book_read(path, arena, error);
    if (!book || !config->own_prices)
        return book;
    char pointer[256];
    json_pointer_key(pointer, sizeof pointer, place->pointer, "own_prices");
    return price_book_extend(book, config->own_prices, place->document, pointer, arena, error);
}

bool money_bill(const struct money_config *config, const struct money_place *place,
                const struct usage *usage, struct arena *arena, struct money_result *result,
                struct error *error)
{
    char pointer[256];
    json_pointer_key(pointer, sizeof pointer, place->pointer, "commitments");
    *result = (struct money_result){.commitments = ARENA_NEW(arena, struct commitments)};
    result->book = money_read_book(config, place, arena, error);
    if (!result->book || !commitments_resolve(&config->commitments, place->document, pointer, usage,
                                              result->book, arena, result->commitments, error))
        return false;
    struct billing_terms terms = {.book = result->book,
                                  .commitments = result->commitments,
                                  .precedence = (enum price_precedence)config->prefer,
                                  .output_weight = config->output_token_weight};
    if (!billing_bill(usage, &terms, &result->ledger, error))
        return false;
    result->alerts = budget_alerts_find(&result->ledger, &config->alerts, arena);
    return true;
}
