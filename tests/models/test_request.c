#include <criterion/criterion.h>

#include "models/engine/request.h"

Test(request, records_are_reused_and_zeroed)
{
    struct request_pool pool;
    request_pool_init(&pool);
    uint32_t first = request_pool_take(&pool, &(struct request){0});
    pool.requests[first].prompt_tok = 7;
    request_pool_give_back(&pool, first);
    uint32_t second = request_pool_take(&pool, &(struct request){0});
    cr_assert_eq(first, second, "the last one given back comes first");
    cr_assert_eq(pool.requests[second].prompt_tok, 0);
    cr_assert_eq(pool.in_use, 1);
    request_pool_free(&pool);
}

/* Growing keeps what is in use, under its number. */
Test(request, numbers_stay_when_the_pool_grows)
{
    enum { MANY = 5000 };
    struct request_pool pool;
    request_pool_init(&pool);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t number = request_pool_take(&pool, &(struct request){0});
        cr_assert_neq(number, REQUEST_NONE);
        cr_assert_lt(number, pool.capacity);
        cr_assert_eq(pool.requests[number].client, 0, "taken twice");
        pool.requests[number].client = number + 1;
    }
    cr_assert_eq(pool.in_use, MANY);
    for (uint32_t number = 0; number < MANY; number++)
        cr_assert_eq(pool.requests[number].client, number + 1);
    request_pool_free(&pool);
}
