/* Adapters: who is in a slot, who has to be loaded, and who waits for a slot. */
#include "models/engine/adapters.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/engine/engine.h"

static struct lora_settings settings_of(int64_t adapters, int64_t slots, int64_t host)
{
    return (struct lora_settings){.adapters = adapters,
                                  .zipf = 1,
                                  .rank = 16,
                                  .max_loras = slots,
                                  .max_cpu_loras = host,
                                  .load_gb_s = NAN,
                                  .disk_gb_s = 1};
}

static struct lora_config *config_of(int64_t adapters, int64_t slots, int64_t host)
{
    struct lora_settings settings = settings_of(adapters, slots, host);
    struct lora_config *config = lora_config_create(&settings);
    config->host_load = 10;
    config->disk_load = 1000;
    return config;
}

/* Comes, runs alone, and leaves. */
static fine_t visit(struct adapters *adapters, uint32_t adapter)
{
    cr_assert(adapters_admit(adapters, adapter));
    fine_t load = adapters_enter(adapters, adapter);
    adapters_leave(adapters, adapter);
    return load;
}

Test(adapters, the_least_recently_used_goes)
{
    struct lora_config *config = config_of(8, 2, 3);
    struct adapters adapters;
    cr_assert(adapters_init(&adapters, config));
    cr_assert_eq(visit(&adapters, 0), 1010);
    cr_assert_eq(visit(&adapters, 1), 1010);
    cr_assert_eq(visit(&adapters, 0), 0, "it is in its slot");
    cr_assert_eq(visit(&adapters, 2), 1010, "takes the slot of 1");
    cr_assert_eq(visit(&adapters, 0), 0);
    cr_assert_eq(visit(&adapters, 1), 10, "it is in host memory still, and takes the slot of 2");
    cr_assert_eq(visit(&adapters, 3), 1010, "takes the slot of 0, and 2's place in host memory");
    cr_assert_eq(visit(&adapters, 0), 10);
    cr_assert_eq(visit(&adapters, 2), 1010);
    cr_assert_eq(adapters.totals.used, 9);
    cr_assert_eq(adapters.totals.in_slot, 2);
    cr_assert_eq(adapters.totals.in_host, 2);
    cr_assert_eq(adapters.totals.loading, 5 * 1010 + 2 * 10);
    adapters_free(&adapters);
    lora_config_destroy(config);
}

Test(adapters, those_that_run_keep_their_slots)
{
    struct lora_config *config = config_of(8, 2, 2);
    struct adapters adapters;
    cr_assert(adapters_init(&adapters, config));
    adapters_enter(&adapters, 5);
    adapters_enter(&adapters, 6);
    cr_assert(adapters_admit(&adapters, 6), "another request with it");
    cr_assert_not(adapters_admit(&adapters, 7), "a third adapter");
    cr_assert_eq(adapters_enter(&adapters, 6), 0);
    adapters_leave(&adapters, 6);
    cr_assert_not(adapters_admit(&adapters, 7), "one with 6 still runs");
    adapters_leave(&adapters, 6);
    cr_assert_eq(adapters_enter(&adapters, 7), 1010);
    cr_assert_eq(adapters_enter(&adapters, 5), 0);
    adapters_free(&adapters);
    lora_config_destroy(config);
}

/* 1 : 1/2 : 1/3 : 1/4, in shares of 25/12. */
Test(adapters, popularity_falls_as_zipf_says)
{
    struct lora_config *config = config_of(4, 1, 1);
    cr_assert_float_eq(config->cumulative[0], 12.0 / 25, 1e-12);
    cr_assert_float_eq(config->cumulative[1], 18.0 / 25, 1e-12);
    cr_assert_eq(lora_adapter_of(config, 0), 0);
    cr_assert_eq(lora_adapter_of(config, (uint32_t)(0.47 * 0x1p32)), 0);
    cr_assert_eq(lora_adapter_of(config, (uint32_t)(0.49 * 0x1p32)), 1);
    cr_assert_eq(lora_adapter_of(config, UINT32_MAX), 3);
    lora_config_destroy(config);
}

Test(adapters, host_memory_holds_what_slots_hold)
{
    struct lora_settings settings = settings_of(4, 3, 2);
    struct error error = {0};
    cr_assert_not(lora_check(&settings, &error));
    cr_assert(strstr(error.message, "max_cpu_loras (2) is below lora.max_loras (3)"));
    settings.max_cpu_loras = INT64_MIN;
    cr_assert(lora_check(&settings, NULL));
}

/* One slot; A and C ask for adapter 0, B for adapter 1. B arrives before C, and C passes it. An
 * iteration takes 1 s, loading nothing else. */
Test(adapters, who_waits_for_a_slot_is_passed)
{
    struct lora_settings settings = settings_of(2, 1, 2);
    settings.zipf = 0;
    struct lora_config *lora = lora_config_create(&settings);
    const struct steptime_given given = {.base_s = 1};
    struct steptime *steptime = steptime_compile_given(&given, 4, 64, 400, NULL);
    const struct engine_config config = {.steptime = steptime,
                                         .max_sequences = 4,
                                         .max_batch_tokens = 64,
                                         .block_tok = 4,
                                         .kv_blocks = 100,
                                         .max_model_tok = 400,
                                         .chunked_prefill = true,
                                         .lora = lora};
    struct request_pool pool;
    request_pool_init(&pool);
    struct engine engine;
    cr_assert(engine_init(&engine, &config, &pool, NULL));
    uint32_t numbers[3];
    const uint32_t draws[3] = {0, UINT32_MAX, 1};
    for (int i = 0; i < 3; i++) {
        const struct request request = {.prompt_tok = 4, .output_tok = 5, .adapter_draw = draws[i]};
        numbers[i] = request_pool_take(&pool, &request);
        engine_submit(&engine, numbers[i], 0);
    }
    while (engine.next != TICK_NEVER)
        engine_boundary(&engine);
    cr_assert_float_eq(tick_to_s(pool.requests[numbers[0]].last_token), 5, 1e-9);
    cr_assert_float_eq(tick_to_s(pool.requests[numbers[2]].last_token), 5, 1e-9);
    cr_assert_float_eq(tick_to_s(pool.requests[numbers[1]].first_scheduled), 5, 1e-9);
    cr_assert_float_eq(tick_to_s(pool.requests[numbers[1]].last_token), 10, 1e-9);
    engine_free(&engine);
    request_pool_free(&pool);
    steptime_destroy(steptime);
    lora_config_destroy(lora);
}
