/* An HDF5 file driver that never fails, for HDF5 does not survive a full disk.
 *
 * When the last writes of a file fail, HDF5 (1.10 at least) cannot close the file, keeps it half
 * open, and crashes when the process exits. So this driver tells HDF5 that every write went well,
 * drops all writes after the first that did not, and keeps its errno for the caller, who throws the
 * file away. For files that are written and not read back. */
#ifndef TOKENYARD_SIM_HDF5_DRIVER_H
#define TOKENYARD_SIM_HDF5_DRIVER_H

#include <hdf5.h>

/* A new HDF5 file on fd, an empty file open for reading and writing, which the caller closes after
 * H5Fclose. *failure is set to the errno of the first write that failed, and must outlive the file.
 * Negative on error. */
hid_t hdf5_create_on(int fd, int *failure);

#endif
