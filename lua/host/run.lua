-- One invocation: call the script with its globals, then what it offers as its handler.
-- A script that is being registered is only called; its table and handler tell what it is.

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

return function(is_check, main, env, event)
	local hook = main(env)
	local handler, form = find_handler(hook, env)
	if type(handler) ~= "function" then
		error(NO_ENTRY, 0)
	end
	if is_check then
		return hook, form
	end
	return handler(event)
end
