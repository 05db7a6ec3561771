/* Inside the root's room. */
#ifndef SLOTH_ROOT_ROOM_H
#define SLOTH_ROOT_ROOM_H

#include "fsd/config.h"
#include "fsd/root/root.h"

#include <stdint.h>

struct log_file;

struct root {
	struct root_options opt;
	struct root_rooms rooms;
	struct log_file *log, *errors, *audit;
	int64_t started_ns;
};

/* figures.c: asked of the rooms at the moment of the read. */
void figures_add_status(const struct root *root, struct sbuf *out);
void figures_add_json(const struct root *root, struct sbuf *out);
void figures_add_metrics(const struct root *root, struct sbuf *out);

#endif
