#include <criterion/criterion.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/column_file.h"
#include "sim/out_file.h"
#include "tests/support.h"

static const struct column columns[] = {
    {"ttft_s", COLUMN_F64, "time to first token"},
    {"pool", COLUMN_U32, "index into the scenario's pools"},
    {"request", COLUMN_U64, "number of the request – in order of arrival"},
};
enum { COLUMNS = sizeof columns / sizeof columns[0], CHUNK_ROWS = 65536 };

static const char *in_folder(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", test_folder(), name);
    return path;
}

static bool exists(const char *name)
{
    char path[128];
    return access(in_folder(name, path), F_OK) == 0;
}

/* Row i of every test file. */
static void fill_row(uint64_t i, union column_value row[COLUMNS])
{
    row[0].f64 = i % 7 == 3 ? NAN : (double)i / 3;
    row[1].u32 = (uint32_t)(i * 2654435761u);
    row[2].u64 = UINT64_MAX - i;
}

static struct column_file *start_file(const char *path, uint64_t rows)
{
    struct error error = {0};
    struct column_file *file = column_file_create(path, columns, COLUMNS, &error);
    cr_assert_not_null(file, "%s", error.message);
    for (uint64_t i = 0; i < rows; i++) {
        union column_value row[COLUMNS];
        fill_row(i, row);
        column_file_append(file, row);
    }
    return file;
}

static void write_file(const char *path, uint64_t rows)
{
    struct error error = {0};
    cr_assert(column_file_commit(start_file(path, rows), &error), "%s", error.message);
}

static void *read_column(hid_t file, const char *name, hid_t type, size_t size, uint64_t rows)
{
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    cr_assert_geq(dataset, 0);
    hid_t space = H5Dget_space(dataset);
    cr_assert_eq(H5Sget_simple_extent_npoints(space), (hssize_t)rows);
    void *values = malloc((rows + 1) * size);
    cr_assert(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(dataset);
    return values;
}

static void expect_rows(const char *path, uint64_t rows)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    cr_assert_geq(file, 0);
    union column_value *f64 = read_column(file, "ttft_s", H5T_NATIVE_DOUBLE, sizeof *f64, rows);
    uint32_t *u32 = read_column(file, "pool", H5T_NATIVE_UINT32, sizeof *u32, rows);
    uint64_t *u64 = read_column(file, "request", H5T_NATIVE_UINT64, sizeof *u64, rows);
    for (uint64_t i = 0; i < rows; i++) {
        union column_value row[COLUMNS];
        fill_row(i, row);
        cr_assert_eq(f64[i].u64, row[0].u64, "row %lu", i); /* bit by bit: some are NaN */
        cr_assert_eq(u32[i], row[1].u32, "row %lu", i);
        cr_assert_eq(u64[i], row[2].u64, "row %lu", i);
    }
    free(f64);
    free(u32);
    free(u64);
    H5Fclose(file);
}

Test(column_file, every_row_reads_back_whatever_the_chunks)
{
    const uint64_t rows[] = {0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[128];
        write_file(in_folder("rows.h5", path), rows[i]);
        expect_rows(path, rows[i]);
        char temporary[64];
        out_file_temporary("rows.h5", temporary, sizeof temporary);
        cr_expect_not(exists(temporary));
    }
}

Test(column_file, columns_say_what_they_hold)
{
    char path[128];
    write_file(in_folder("described.h5", path), 1);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (size_t i = 0; i < COLUMNS; i++) {
        hid_t attribute =
            H5Aopen_by_name(file, columns[i].name, "description", H5P_DEFAULT, H5P_DEFAULT);
        hid_t type = H5Aget_type(attribute);
        char *text;
        cr_assert(H5Aread(attribute, type, &text) >= 0);
        cr_expect_str_eq(text, columns[i].doc);
        H5free_memory(text);
        H5Tclose(type);
        H5Aclose(attribute);
    }
    H5Fclose(file);
}

/* More than a second apart, for HDF5 can store times in whole seconds. */
Test(column_file, the_same_rows_give_the_same_bytes)
{
    char first[128], second[128];
    write_file(in_folder("first.h5", first), 100000);
    usleep(1100000);
    write_file(in_folder("second.h5", second), 100000);
    size_t first_length, second_length;
    char *a = test_read_file(first, &first_length), *b = test_read_file(second, &second_length);
    cr_assert_eq(first_length, second_length);
    cr_expect(memcmp(a, b, first_length) == 0);
    free(a);
    free(b);
}

Test(column_file, nothing_has_the_name_before_the_commit)
{
    char path[128];
    struct column_file *file = start_file(in_folder("pending.h5", path), 10);
    cr_expect_not(exists("pending.h5"));
    column_file_discard(file);
    cr_expect_not(exists("pending.h5"));
    char temporary[64];
    out_file_temporary("pending.h5", temporary, sizeof temporary);
    cr_expect_not(exists(temporary));
    column_file_discard(NULL);
}

Test(column_file, a_folder_that_is_not_there_is_an_error)
{
    char path[128];
    struct error error = {0};
    in_folder("absent/rows.h5", path);
    cr_expect_null(column_file_create(path, columns, COLUMNS, &error));
    cr_expect_eq(error.code, ERROR_FAILED);
    cr_expect_str_eq(error.file, path);
    cr_expect_not_null(strstr(error.message, "No such file or directory"), "%s", error.message);
}

/* A limit on file sizes stands for a full disk. */
static void expect_refusal_at(const char *name, rlim_t limit_bytes, uint64_t rows)
{
    char path[128];
    signal(SIGXFSZ, SIG_IGN);
    struct column_file *file = start_file(in_folder(name, path), 0);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit_bytes, RLIM_INFINITY});
    for (uint64_t i = 0; i < rows; i++) {
        union column_value row[COLUMNS];
        fill_row(i * i, row);
        column_file_append(file, row);
    }
    struct error error = {0};
    cr_expect_not(column_file_commit(file, &error));
    cr_expect_eq(error.code, ERROR_FAILED);
    cr_expect_not_null(strstr(error.message, "File too large"), "%s", error.message);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    cr_expect_not(exists(name));
    char temporary[64];
    out_file_temporary(name, temporary, sizeof temporary);
    cr_expect_not(exists(temporary));
}

Test(column_file, a_disk_that_fills_while_appending_is_an_error_at_commit)
{
    expect_refusal_at("early.h5", 200000, 4 * CHUNK_ROWS);
}

Test(column_file, a_disk_that_is_full_at_the_end_is_an_error_at_commit)
{
    expect_refusal_at("late.h5", 100, 10);
}

/* Broken files must not keep later ones from being written. */
Test(column_file, a_failed_file_leaves_the_library_usable)
{
    char path[128];
    expect_refusal_at("broken.h5", 5000, 2 * CHUNK_ROWS);
    write_file(in_folder("good.h5", path), 1000);
    expect_rows(path, 1000);
}
