/* Rows are collected column by column in memory and reach the file a chunk at a time, past HDF5's
 * chunk cache: a full disk is noticed when it fills, and memory is the buffers here. HDF5 prints
 * its errors unless told not to; whatever here calls it runs between errors_silence and
 * errors_restore, and reports through struct error instead. */
#include "sim/column_file.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/hdf5_driver.h"
#include "sim/out_file.h"

#define CHUNK_ROWS    65536
#define DEFLATE_LEVEL 1

struct stored_column {
    enum column_type type;
    hid_t dataset;
    void *rows; /* those not yet written */
};

struct column_file {
    char path[PATH_MAX];
    char temporary[PATH_MAX + 32];
    int fd;
    hid_t file;
    size_t buffered;   /* rows in memory */
    hsize_t written;   /* rows in the file */
    bool refused;      /* HDF5 would not do something that it should always do */
    int write_failure; /* errno of what failed first, or 0 */
    size_t count;
    struct stored_column columns[];
};

struct error_output {
    H5E_auto2_t function;
    void *data;
};

static struct error_output errors_silence(void)
{
    struct error_output output;
    H5Eget_auto2(H5E_DEFAULT, &output.function, &output.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return output;
}

static void errors_restore(struct error_output output)
{
    H5Eset_auto2(H5E_DEFAULT, output.function, output.data);
}

static size_t value_size(enum column_type type)
{
    return type == COLUMN_U32 ? sizeof(uint32_t) : sizeof(uint64_t);
}

static hid_t memory_type(enum column_type type)
{
    if (type == COLUMN_F64)
        return H5T_NATIVE_DOUBLE;
    return type == COLUMN_U32 ? H5T_NATIVE_UINT32 : H5T_NATIVE_UINT64;
}

static hid_t stored_type(enum column_type type)
{
    if (type == COLUMN_F64)
        return H5T_IEEE_F64LE;
    return type == COLUMN_U32 ? H5T_STD_U32LE : H5T_STD_U64LE;
}

/* As variable-length UTF-8, which h5py shows as str. */
static bool describe(hid_t dataset, const char *doc)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(dataset, "description", type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, type, &doc) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

/* Track times off: they would make every file differ. */
static hid_t creation_properties(void)
{
    const hsize_t chunk = CHUNK_ROWS;
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, DEFLATE_LEVEL);
    H5Pset_obj_track_times(properties, false);
    return properties;
}

static hid_t uncached_access(void)
{
    hid_t properties = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(properties, 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT);
    return properties;
}

static hid_t create_dataset(hid_t file, const struct column *column)
{
    const hsize_t none = 0, unlimited = H5S_UNLIMITED;
    hid_t space = H5Screate_simple(1, &none, &unlimited);
    hid_t creation = creation_properties();
    hid_t access = uncached_access();
    hid_t dataset = H5Dcreate2(file, column->name, stored_type(column->type), space, H5P_DEFAULT,
                               creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    H5Sclose(space);
    return dataset;
}

static bool open_column(struct column_file *file, const struct column *column)
{
    struct stored_column *stored = &file->columns[file->count];
    stored->type = column->type;
    stored->rows = malloc(CHUNK_ROWS * value_size(column->type));
    stored->dataset = create_dataset(file->file, column);
    file->count++; /* from here on, close_all frees it */
    return stored->rows && stored->dataset >= 0 && describe(stored->dataset, column->doc);
}

static bool open_all(struct column_file *file, const struct column *columns, size_t count)
{
    struct error_output output = errors_silence();
    file->file = hdf5_create_on(file->fd, &file->write_failure);
    bool ok = file->file >= 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = open_column(file, &columns[i]);
    errors_restore(output);
    return ok;
}

static bool write_rows(const struct stored_column *column, hsize_t start, hsize_t rows)
{
    const hsize_t end = start + rows;
    if (H5Dset_extent(column->dataset, &end) < 0)
        return false;
    hid_t in_file = H5Dget_space(column->dataset);
    hid_t in_memory = H5Screate_simple(1, &rows, NULL);
    H5Sselect_hyperslab(in_file, H5S_SELECT_SET, &start, NULL, &rows, NULL);
    herr_t status = H5Dwrite(column->dataset, memory_type(column->type), in_memory, in_file,
                             H5P_DEFAULT, column->rows);
    H5Sclose(in_memory);
    H5Sclose(in_file);
    return status >= 0;
}

/* After a failure the file is lost: nothing more is written. */
static void flush(struct column_file *file)
{
    struct error_output output = errors_silence();
    for (size_t i = 0; i < file->count && !file->refused && !file->write_failure; i++)
        file->refused = !write_rows(&file->columns[i], file->written, file->buffered);
    errors_restore(output);
    file->written += file->buffered;
    file->buffered = 0;
}

/* Frees the file; the temporary stays. */
static void close_all(struct column_file *file)
{
    struct error_output output = errors_silence();
    for (size_t i = 0; i < file->count; i++) {
        if (file->columns[i].dataset >= 0)
            file->refused |= H5Dclose(file->columns[i].dataset) < 0;
        free(file->columns[i].rows);
    }
    if (file->file >= 0)
        file->refused |= H5Fclose(file->file) < 0;
    errors_restore(output);
    if (close(file->fd) != 0 && file->write_failure == 0)
        file->write_failure = errno;
}

static bool report(const struct column_file *file, struct error *error)
{
    const char *reason =
        file->write_failure ? strerror(file->write_failure) : "the HDF5 library refused";
    return error_at(error, ERROR_FAILED, file->path, 0, NULL, "cannot write: %s", reason);
}

static struct column_file *allocate(const char *path, size_t columns)
{
    struct column_file *file = calloc(1, sizeof *file + columns * sizeof file->columns[0]);
    if (!file)
        return NULL;
    file->file = H5I_INVALID_HID;
    snprintf(file->path, sizeof file->path, "%s", path);
    out_file_temporary(file->path, file->temporary, sizeof file->temporary);
    return file;
}

struct column_file *column_file_create(const char *path, const struct column *columns, size_t count,
                                       struct error *error)
{
    struct column_file *file = allocate(path, count);
    if (!file) {
        error_at(error, ERROR_FAILED, path, 0, NULL, "out of memory");
        return NULL;
    }
    file->fd = open(file->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd < 0) {
        file->write_failure = errno;
        report(file, error);
        free(file);
        return NULL;
    }
    if (open_all(file, columns, count))
        return file;
    report(file, error);
    column_file_discard(file);
    return NULL;
}

void column_file_append(struct column_file *file, const union column_value *row)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct stored_column *column = &file->columns[i];
        size_t size = value_size(column->type);
        memcpy((char *)column->rows + file->buffered * size, &row[i], size);
    }
    if (++file->buffered == CHUNK_ROWS)
        flush(file);
}

bool column_file_commit(struct column_file *file, struct error *error)
{
    if (file->buffered > 0)
        flush(file);
    close_all(file);
    bool whole = !file->refused && !file->write_failure;
    if (whole && rename(file->temporary, file->path) != 0) {
        file->write_failure = errno;
        whole = false;
    }
    if (!whole) {
        report(file, error);
        unlink(file->temporary);
    }
    free(file);
    return whole;
}

void column_file_discard(struct column_file *file)
{
    if (!file)
        return;
    close_all(file);
    unlink(file->temporary);
    free(file);
}
