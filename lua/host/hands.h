/* For which run a helper thread works, told to the daemon as long as it does (worker_page.hands):
 * an event that is written meanwhile is caused by the one that run is about. */
#ifndef SLOTH_LUA_HANDS_H
#define SLOTH_LUA_HANDS_H

#include "base/worker_proto.h"
#include "lua/host/host.h"

struct hand {
	struct worker_page *page; /* NULL: nobody looks */
	uint32_t run;
};

/* For the running invocation.  Never raises. */
struct hand hand_of(lua_State *L);

/* The calling thread begins to work.  Returns its place for hand_end; -1: there is none free. */
int hand_begin(const struct hand *hand);
void hand_end(const struct hand *hand, int place);

#endif
