#include "sim/hdf5_driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a file access property list carries to driver_open. */
struct driver_target {
    int fd;
    int *failure;
};

struct driver_file {
    H5FD_t base; /* first: HDF5 sees only this part */
    struct driver_target target;
    haddr_t allocated; /* end of what HDF5 has laid out */
    haddr_t end;       /* of what it has written */
};

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t max_address)
{
    (void)name;
    (void)flags;
    (void)max_address;
    struct driver_file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->target = *(const struct driver_target *)H5Pget_driver_info(access);
    return &file->base;
}

static herr_t driver_close(H5FD_t *base)
{
    free(base);
    return 0;
}

static herr_t driver_query(const H5FD_t *base, unsigned long *features)
{
    (void)base;
    *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
                H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_get_allocated(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver_file *)base)->allocated;
}

static herr_t driver_set_allocated(H5FD_t *base, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((struct driver_file *)base)->allocated = address;
    return 0;
}

static haddr_t driver_get_end(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver_file *)base)->end;
}

/* What lies beyond the end of the file reads as zeros. */
static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t size, void *buffer)
{
    (void)type;
    (void)transfer;
    const struct driver_file *file = (const struct driver_file *)base;
    char *to = buffer;
    while (size > 0) {
        ssize_t got = pread(file->target.fd, to, size, (off_t)address);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        to += got;
        address += (haddr_t)got;
        size -= (size_t)got;
    }
    memset(to, 0, size);
    return 0;
}

static void keep_failure(const struct driver_target *target)
{
    if (*target->failure == 0)
        *target->failure = errno;
}

static void write_all(const struct driver_target *target, haddr_t address, size_t size,
                      const char *from)
{
    while (size > 0 && *target->failure == 0) {
        ssize_t put = pwrite(target->fd, from, size, (off_t)address);
        if (put < 0 && errno != EINTR)
            keep_failure(target);
        if (put <= 0)
            continue;
        from += put;
        address += (haddr_t)put;
        size -= (size_t)put;
    }
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address,
                           size_t size, const void *buffer)
{
    (void)type;
    (void)transfer;
    struct driver_file *file = (struct driver_file *)base;
    write_all(&file->target, address, size, buffer);
    if (address + size > file->end)
        file->end = address + size;
    return 0;
}

static herr_t driver_truncate(H5FD_t *base, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    struct driver_file *file = (struct driver_file *)base;
    if (*file->target.failure == 0 && ftruncate(file->target.fd, (off_t)file->allocated) != 0)
        keep_failure(&file->target);
    file->end = file->allocated;
    return 0;
}

static const H5FD_class_t driver = {
    .name = "tokenyard",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct driver_target),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_allocated,
    .set_eoa = driver_set_allocated,
    .get_eof = driver_get_end,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DEFAULT,
};

hid_t hdf5_create_on(int fd, int *failure)
{
    const struct driver_target target = {fd, failure};
    *failure = 0;
    hid_t driver_id = H5FDregister(&driver);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_driver(access, driver_id, &target);
    hid_t file = H5Fcreate("tokenyard", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    H5FDunregister(driver_id); /* the open file keeps what it needs of it */
    return file;
}
