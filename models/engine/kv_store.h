/* A store of KV below the GPU's, by ids (prefix_ids.h): a host's memory, or a remote store that
 * replicas share. It forgets what was used least recently.
 *
 * What a replica computes is copied there once the prompt is complete, and all ids of the prompt
 * become the most recent, its beginning the very most, wherever they were found: as vLLM's
 * OffloadingConnector does (vllm/v1/kv_offload, LRU, touch() of all of a request's blocks) and
 * SGLang's HiCache by default (--hicache-write-policy write_through). Copying takes no time of the
 * GPU, and none before it can be found.
 *
 * Capacity is counted in what the caller weighs an id by: 1, or its tokens. Cost: O(1) per id. */
#ifndef TOKENYARD_MODELS_ENGINE_KV_STORE_H
#define TOKENYARD_MODELS_ENGINE_KV_STORE_H

#include "models/engine/prefix_ids.h"
#include "sim/clock.h"

struct kv_store;

struct kv_store *kv_store_create(int64_t capacity);
void kv_store_destroy(struct kv_store *store); /* NULL is allowed */

bool kv_store_has(const struct kv_store *store, uint64_t id);

/* The list's first so many ids are used, or come to be there. */
void kv_store_use(struct kv_store *store, const struct prefix_list *list, uint32_t count,
                  uint32_t weight);

/* A store that several replicas share: what one of them uses at a tick, the others see after it, in
 * the order of the replicas; so it does not matter which of them was asked first at that tick. Time
 * never goes back. To be settled before it is looked at. */
void kv_store_use_at(struct kv_store *store, tick_t now, uint32_t replica,
                     const struct prefix_list *list, uint32_t count, uint32_t weight);
void kv_store_settle(struct kv_store *store, tick_t now);

#endif
