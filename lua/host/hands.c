/* Helper threads on the page: see hands.h.
 *
 * The pool has few threads and does not tell which is which, so a thread takes a free place when it
 * begins to work and gives it back at the end.  A thread that finds none works unnamed.
 */
#include "lua/host/hands.h"

#include "lua/host/invocation.h"

#include <stdatomic.h>
#include <unistd.h>

struct hand
hand_of(lua_State *L)
{
	const struct invocation *inv = invocation_of(L);

	return inv && !inv->is_check ? (struct hand){inv->worker->page, inv->id} : (struct hand){0};
}

int
hand_begin(const struct hand *hand)
{
	for (int i = 0; hand->page && i < WORKER_HANDS; i++) {
		struct worker_hand *place = &hand->page->hands[i];
		uint32_t none = 0;

		if (!atomic_compare_exchange_strong(&place->thread, &none, (uint32_t)gettid()))
			continue;
		place->run = hand->run;
		return i;
	}
	return -1;
}

void
hand_end(const struct hand *hand, int place)
{
	if (place >= 0)
		hand->page->hands[place].thread = 0;
}
