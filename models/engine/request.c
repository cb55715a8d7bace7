#include "models/engine/request.h"

#include <assert.h>
#include <stdlib.h>

void request_pool_init(struct request_pool *pool)
{
    *pool = (struct request_pool){.free_head = REQUEST_NONE};
}

void request_pool_free(struct request_pool *pool)
{
    free(pool->requests);
    request_pool_init(pool);
}

static bool grow(struct request_pool *pool)
{
    uint32_t capacity = pool->capacity ? pool->capacity * 2 : 1024;
    if (capacity <= pool->capacity)
        return false;
    struct request *requests = realloc(pool->requests, capacity * sizeof *requests);
    if (!requests)
        return false;
    for (uint32_t i = capacity; i-- > pool->capacity;) {
        requests[i].next = pool->free_head;
        pool->free_head = i;
    }
    pool->requests = requests;
    pool->capacity = capacity;
    return true;
}

uint32_t request_pool_take(struct request_pool *pool, const struct request *initial)
{
    if (pool->free_head == REQUEST_NONE && !grow(pool))
        return REQUEST_NONE;
    uint32_t taken = pool->free_head;
    pool->free_head = pool->requests[taken].next;
    pool->requests[taken] = *initial;
    pool->in_use++;
    return taken;
}

void request_pool_give_back(struct request_pool *pool, uint32_t request)
{
    assert(request < pool->capacity && pool->in_use > 0);
    pool->requests[request].next = pool->free_head;
    pool->free_head = request;
    pool->in_use--;
}
