/* events/cleanup: delete all events that ended longer ago than a time, in one request.
 *
 * `rmdir` of each would cost a lookup, a record and a transaction an event; the store deletes a
 * slice of them at a time, so that a million neither blocks the writer nor the tree.  The write
 * returns when all of it is done, and the number is read back on the same open file.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/events/room.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERB "older-than "

struct cleanup {
	struct treq *req;
	struct handle *h;
	size_t len;
};

static int
parse_age(const char *data, size_t len, int64_t *ret_age_ns, struct err *err)
{
	AUTO(free) char *text = mem_strndup(data, len);

	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) == len || strlen(text) + 1 == len)
		if (strncmp(text, VERB, strlen(VERB)) == 0)
			return units_parse_duration(text + strlen(VERB), ret_age_ns, err);
	return err_set(
		err, EINVAL, "write `older-than 7d`: events that ended longer ago are deleted");
}

static void
on_deleted(void *arg, int code, uint64_t count, const struct err *err)
{
	struct cleanup *cleanup = arg;
	char line[24];

	if (code == 0)
		handle_push(cleanup->h, line,
			(size_t)snprintf(line, sizeof(line), "%" PRIu64 "\n", count));
	treq_reply(cleanup->req, code < 0 ? code : (int)cleanup->len, err);
	free(cleanup);
}

static int
cleanup_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	struct events *events = node_room(handle_node(h));
	struct cleanup *cleanup;
	int64_t age_ns;
	int code = parse_age(data, len, &age_ns, err);

	if (code < 0)
		return code;
	cleanup = NEW(struct cleanup);
	*cleanup = (struct cleanup){.req = req, .h = h, .len = len};
	store_delete_before(events->store, clock_real_ns() - age_ns, on_deleted, cleanup);
	return TREE_PARKED;
}

const struct rpc_ops events_cleanup_ops = {.write = cleanup_write};
