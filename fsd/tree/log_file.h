/* A growing file of lines, really on disk: events/log, log, errors.  Appends go through the file
 * lane in order; readers see whole lines only.  At max_bytes it is rotated: a new inode under the
 * same name. Thread: core.
 */
#ifndef SLOTH_TREE_LOG_FILE_H
#define SLOTH_TREE_LOG_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_file;
struct lane;

struct log_options {
	const char *path; /* the file that grows */
	/* Where full ones go as <n>.jsonl; NULL: keep one old as <path>.1 */
	const char *segments_dir;
	uint64_t max_bytes; /* rotate past this; 0: never */
	bool is_private;    /* 0600 instead of 0640 */
	/* The file got longer (also: was replaced) as readers may see it now.  May be NULL. */
	void (*grew)(void *arg);
	void *arg;
};

/* Open for appending; a torn last line (no newline) is cut off.  Blocks: briefly. */
int log_file_open(struct lane *files, const struct log_options *opt, struct log_file **ret_file,
	struct err *err) MUST_USE;
/* What was appended is written first, by the lane: stop the lane after this.  Accepts NULL. */
void log_file_close(struct log_file *file);

/* Rotate past this from now on; 0: never. */
void log_file_set_max(struct log_file *file, uint64_t max_bytes);

/* Append one line (a newline is added).  Never fails here: a full disk shows in log_file_lost. */
void log_file_append(struct log_file *file, const char *line, size_t len);
uint64_t log_file_lost(const struct log_file *file);

/* For readers: a descriptor of the current file, kept open until the last unref even across a
 * rotation, and the bytes readable now. */
struct log_reader;
struct log_reader *log_file_reader(struct log_file *file); /* one reference */
/* The same for a file that grows no more: a full segment.  Blocks: briefly. */
int log_reader_open(const char *path, struct log_reader **ret_reader, struct err *err) MUST_USE;
void log_reader_unref(struct log_reader *reader);
int log_reader_fd(const struct log_reader *reader);
uint64_t log_reader_size(const struct log_reader *reader);
uint64_t log_reader_ino(const struct log_reader *reader);

#endif
