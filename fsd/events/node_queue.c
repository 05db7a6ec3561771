/* events/queue/: the backlog in figures. */
#include "base/clock.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/room.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <inttypes.h>

static struct dispatcher_figures
figures_of(const struct node *node)
{
	const struct events *events = node_room(node);
	struct dispatcher_figures figures = {0};

	if (events->dispatcher)
		dispatcher_figures(events->dispatcher, &figures);
	return figures;
}

int
queue_depth_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	sbuf_printf(out, "%" PRIu64 "\n", figures_of(node).queued);
	return 0;
}

int
queue_held_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	sbuf_printf(out, "%" PRIu64 "\n", figures_of(node).held);
	return 0;
}

int
queue_oldest_read(struct node *node, struct sbuf *out, struct err *err)
{
	uint64_t oldest_ns = figures_of(node).oldest_ns;
	int64_t age_ns = oldest_ns ? clock_real_ns() - (int64_t)oldest_ns : 0;

	(void)err;
	sbuf_printf(out, "%.3f\n", age_ns > 0 ? (double)age_ns / NS_PER_S : 0.0);
	return 0;
}

int
queue_rate_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	sbuf_printf(out, "%.1f\n", (double)figures_of(node).completed_10s / 10);
	return 0;
}
