/* sleep(), which the time module offers too. */
#ifndef SLOTH_LUA_SLEEP_H
#define SLOTH_LUA_SLEEP_H

#include "lua/modules/module.h"

/* lua_CFunction: seconds or a duration at 1; waits. */
int sleep_call(lua_State *L);

#endif
