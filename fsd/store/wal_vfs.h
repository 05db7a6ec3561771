/* SQLite's own way to files (its VFS), but for the writer's WAL: what it writes there goes to the
 * kernel in one call a commit.  For a connection with synchronous=FULL only.  */
#ifndef SLOTH_STORE_WAL_VFS_H
#define SLOTH_STORE_WAL_VFS_H

#include <sqlite3.h>

struct wal_vfs;

/* Make one for a connection and register it.  Returns owned. */
struct wal_vfs *wal_vfs_new(void);
/* Its name for sqlite3_open_v2. */
const char *wal_vfs_name(const struct wal_vfs *vfs);
/* After the connection was closed.  Accepts NULL. */
void wal_vfs_free(struct wal_vfs *vfs);

#endif
