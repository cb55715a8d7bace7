/* Rows of a trace kept in memory: to sort them, or so that a repeat need not parse them again.
 *
 * 48 bytes a row, plus 8 for each hash id. */
#ifndef TOKENYARD_WORKLOADS_ROW_STORE_H
#define TOKENYARD_WORKLOADS_ROW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stored_row {
    int64_t time_ns;
    long line;
    uint64_t first_id; /* index into the store's ids */
    uint32_t blocks;
    uint32_t prompt_tok, output_tok;
    uint32_t session, turn;
    bool after_end;
};

struct row_store {
    struct stored_row *rows;
    size_t count, row_capacity;
    uint64_t *ids;
    size_t id_count, id_capacity;
};

/* Copies the row and its ids (first_id is set here). False when memory does not suffice. */
bool row_store_add(struct row_store *store, struct stored_row row, const uint64_t *ids);
size_t row_store_bytes(const struct row_store *store);
/* By time; rows of one time stay in file order. */
void row_store_sort(struct row_store *store);
void row_store_clear(struct row_store *store); /* keeps the memory */
void row_store_free(struct row_store *store);  /* leaves it empty */

#endif
