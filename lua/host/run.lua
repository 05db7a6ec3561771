-- One invocation: call the script with its globals, then its filter, then its handler.  A script that is
-- being registered is only called; its table and handler tell what it is.

local error, rawget, type = error, rawget, type

local NO_ENTRY = "there is no entry point: return a table with execute(event), or define on_event()"

local function find_handler(hook, env)
	if type(hook) == "table" then
		local handler = hook.execute or hook.on_event or hook.handler
		if handler then
			return handler, "table"
		end
	end
	return rawget(env, "on_event"), "on_event"
end

-- `filtered` tells the host that the filter said no; its answer and its reason follow.
return function(is_check, main, env, event, has_conditions, has_execute, filtered)
	local hook = main(env)
	local handler, form = find_handler(hook, env)
	if type(handler) ~= "function" then
		error(NO_ENTRY, 0)
	end
	if is_check then
		return hook, form
	end
	if has_conditions and type(hook) == "table" and hook.filter then
		local passes, reason = hook.filter(event)
		if not passes then
			return filtered, passes, reason
		end
	end
	if has_execute then
		return handler(event)
	end
end
