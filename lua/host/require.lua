-- require and load.  Modules of lib/ are compiled once per state and run once per invocation, with its
-- globals, so nothing in them survives either.  Both are Lua, so that what they call may wait.

local concat, error, pcall, select, type = table.concat, error, pcall, select, type

return function(helpers)
	local builtin, find_lib, globals, load_text, loaded =
		helpers.builtin, helpers.find_lib, helpers.globals, helpers.load_text, helpers.loaded
	local LOADING = {}

	-- require(name): a module of ours, else lib/<name>.lua or lib/<name>/init.lua, dots being
	-- slashes.  Returns what the module returns (true for nothing), the same for each call in an
	-- invocation.  Raises when there is none, when it fails, and when it requires itself.
	local function require(name)
		local module = builtin(name)
		if module ~= nil then
			return module
		end
		local known = loaded()
		module = known[name]
		if module == LOADING then
			error("module '" .. name .. "' requires itself", 2)
		elseif module ~= nil then
			return module
		end
		local main, path = find_lib(name)
		if not main then
			error(path, 2)
		end
		known[name] = LOADING
		local is_good, value = pcall(main, globals(), name, path)
		known[name] = nil
		if not is_good then
			error(value, 0)
		end
		if value == nil then
			value = true
		end
		known[name] = value
		return value, path
	end

	-- load(chunk [, name [, mode [, env]]]): text only.  chunk is a string or a function that
	-- gives the pieces.  Returns the function, or nil and a message.
	local function load(chunk, name, mode, ...)
		local env = ...
		if type(mode) == "string" and not mode:find("t", 1, true) then
			return nil, "attempt to load a text chunk (mode is '" .. mode .. "')"
		end
		if type(chunk) == "function" then
			local pieces = {}
			for piece in chunk do
				if piece == "" then
					break
				end
				pieces[#pieces + 1] = piece
			end
			chunk, name = concat(pieces), name or "=(load)"
		end
		if select("#", ...) == 0 then
			env = globals()
		end
		return load_text(chunk, name or chunk, env)
	end

	return require, load
end
