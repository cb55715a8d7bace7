/* Routers and requests for tests of routing policies. */
#ifndef TOKENYARD_TESTS_MODELS_ROUTER_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_ROUTER_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/fleet/router.h"
#include "models/fleet/router_settings.h"

static inline int index_of(const struct config_variant_type *variants, const char *name)
{
    int index = 0;
    while (strcmp(variants[index].name, name) != 0)
        index++;
    return index;
}

static inline int policy(const char *name)
{
    return index_of(router_policies, name);
}

static inline struct router *make_router(const char *name, void *value,
                                         const struct router_fleet *fleet)
{
    struct router_config config = {.policy = {.index = policy(name), .value = value}};
    struct router *router = router_create(&config, fleet, NULL);
    cr_assert_not_null(router);
    return router;
}

/* Checks that the policy's parameters are refused for what is at this place of them. */
static inline void expect_refused(const char *name, void *value, const struct router_fleet *fleet,
                                  const char *path, const char *hint)
{
    struct router_config config = {.policy = {.index = policy(name), .value = value}};
    struct error error = {0};
    cr_assert_not(router_check(&config, fleet, &error));
    cr_expect_str_eq(error.json_path, path);
    cr_expect(strstr(error.hint, hint), "%s", error.hint);
}

#endif
