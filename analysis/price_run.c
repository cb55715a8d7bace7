#include "analysis/price_run.h"

#include <unistd.h>

#include "models/catalog_path.h"
#include "models/money/money_config.h"
#include "sim/json.h"

#define MONEY_POINTER "/scenario/money"

static bool resolve(const struct money_config *config, const struct json_document *document,
                    const struct usage *usage, struct arena *arena, struct run_terms *terms,
                    struct error *error)
{
    struct commitments *commitments = ARENA_NEW(arena, struct commitments);
    const struct money_place place = {document, MONEY_POINTER, ".", catalog_path(arena, error)};
    const struct price_book *book =
        place.catalog_folder ? money_read_book(config, &place, arena, error) : NULL;
    if (!book || !commitments_resolve(&config->commitments, document, MONEY_POINTER "/commitments",
                                      usage, book, arena, commitments, error))
        return false;
    *terms = (struct run_terms){
        {book, commitments, (enum price_precedence)config->prefer, config->output_token_weight},
        config->commitments};
    return true;
}

static bool read_terms(const struct json_document *document, const struct usage *usage,
                       struct arena *arena, struct run_terms *terms, struct error *error)
{
    const cJSON *money = json_member(json_member(json_root(document), "scenario"), "money");
    struct money_config config;
    if (!money || cJSON_IsNull(money))
        return true;
    return config_read(&money_config_type, document, money, MONEY_POINTER, arena, &config, error) &&
           resolve(&config, document, usage, arena, terms, error);
}

bool price_run_terms(const char *folder, const struct usage *usage, const struct price_book *book,
                     struct arena *arena, struct run_terms *terms, struct error *error)
{
    const char *path = arena_printf(arena, "%s/manifest.json", folder);
    *terms = (struct run_terms){.billing = {book, ARENA_NEW(arena, struct commitments),
                                            PRICES_OF_RUN_FIRST, OUTPUT_WEIGHT_DEFAULT}};
    if (access(path, F_OK) != 0)
        return true;
    struct json_document *document = json_read_file(path, error);
    bool done = document && read_terms(document, usage, arena, terms, error);
    json_free(document);
    return done;
}
