-- The simple hook of the benchmark, and, run by itself, the floor for it: the same call in bare Lua.
--	lua5.4 tests/bench/simple.lua     prints calls a second

local hook = { event_type = "load.test" }

function hook.execute(event)
	return event.data.n >= 0, "seen"
end

if arg then
	local calls, event = 5000000, { data = { n = 1 } }
	local begin = os.clock()
	for _ = 1, calls do hook.execute(event) end
	print(("%.0f"):format(calls / (os.clock() - begin)))
end
return hook
