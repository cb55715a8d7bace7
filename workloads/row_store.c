#include "workloads/row_store.h"

#include <stdlib.h>
#include <string.h>

/* Room for `more` items after `count`, in an array that doubles. */
static bool reserve(void **items, size_t *capacity, size_t count, size_t more, size_t size)
{
    if (count + more <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 1024;
    if (wanted < count + more)
        wanted = count + more;
    void *bigger = reallocarray(*items, wanted, size);
    if (!bigger)
        return false;
    *items = bigger;
    *capacity = wanted;
    return true;
}

bool row_store_add(struct row_store *store, struct stored_row row, const uint64_t *ids)
{
    void *rows = store->rows, *all_ids = store->ids;
    bool room = reserve(&rows, &store->row_capacity, store->count, 1, sizeof *store->rows);
    store->rows = rows;
    room = room &&
           reserve(&all_ids, &store->id_capacity, store->id_count, row.blocks, sizeof *store->ids);
    store->ids = all_ids;
    if (!room)
        return false;
    row.first_id = store->id_count;
    store->rows[store->count++] = row;
    if (row.blocks > 0)
        memcpy(store->ids + store->id_count, ids, row.blocks * sizeof *ids);
    store->id_count += row.blocks;
    return true;
}

size_t row_store_bytes(const struct row_store *store)
{
    return store->count * sizeof *store->rows + store->id_count * sizeof *store->ids;
}

static int compare_rows(const void *left, const void *right)
{
    const struct stored_row *a = left, *b = right;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

void row_store_sort(struct row_store *store)
{
    if (store->count > 0)
        qsort(store->rows, store->count, sizeof *store->rows, compare_rows);
}

void row_store_clear(struct row_store *store)
{
    store->count = 0;
    store->id_count = 0;
}

void row_store_free(struct row_store *store)
{
    free(store->rows);
    free(store->ids);
    *store = (struct row_store){0};
}
