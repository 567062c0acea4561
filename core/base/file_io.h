/* What reading and replacing a file share; not installed.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_BASE_FILE_IO_H
#define AUTHWS_BASE_FILE_IO_H

#include <sys/stat.h>

#include "base/file.h"

/* The identity in a file's status. */
AW_PRIVATE void aw_file_identity(aw_file_id_t *id, const struct stat *st);

/* aw_file_read for an open descriptor, from its start; the file offset is not used. */
AW_PRIVATE apr_status_t aw_file_read_fd(int fd, size_t limit, aw_span_t *content, aw_file_id_t *id,
                                        apr_pool_t *p);

#endif
