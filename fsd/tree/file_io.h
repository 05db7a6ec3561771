/* Reads, writes and fsyncs of real files that do not make the core wait.  Private to fsd/tree/. */
#ifndef SLOTH_TREE_FILE_IO_H
#define SLOTH_TREE_FILE_IO_H

#include "fsd/tree/tree.h"

/* READ, WRITE, FSYNC of a real file on the file lane; limit is where a read ends.  Each answers at
 * once or TREE_PARKED. */
int file_read(struct treq *req, int fd, uint64_t limit) MUST_USE;
int file_write(struct treq *req, int fd) MUST_USE;
int file_sync(struct treq *req, int fd) MUST_USE;

#endif
