-- string.gsub whose replacement function may wait.  Matching stays in C; the loop over the matches is
-- here and follows the one of Lua's own: no empty match directly after a match.

local error, select, tostring, type = error, select, tostring, type
local concat, find, plain_gsub, sub = table.concat, string.find, string.gsub, string.sub

local SKIP = {} -- instead of a replacement: this match does not count

-- Returns first, last and the replacement, given what find() found.
local function replace(s, repl, last_end, first, last, ...)
	if not first then
		return nil
	elseif last + 1 == last_end then
		return first, last, SKIP
	elseif select("#", ...) == 0 then
		return first, last, repl(sub(s, first, last))
	end
	return first, last, repl(...)
end

local function text_of(value, original)
	local kind = type(value)
	if not value then
		return original
	elseif kind ~= "string" and kind ~= "number" then
		error("invalid replacement value (a " .. kind .. ")", 3)
	end
	return tostring(value)
end

return function(s, pattern, repl, max)
	if type(repl) ~= "function" or type(s) ~= "string" or type(pattern) ~= "string" then
		return plain_gsub(s, pattern, repl, max)
	end
	local is_anchored = sub(pattern, 1, 1) == "^"
	local out, count, copied, at, last_end = {}, 0, 1, 1, nil
	max = max or #s + 1
	while count < max do
		local first, last, value = replace(s, repl, last_end, find(s, pattern, at))
		if not first then
			break
		end
		if value == SKIP then
			at = at + 1
		else
			out[#out + 1] = sub(s, copied, first - 1)
			out[#out + 1] = text_of(value, sub(s, first, last))
			count, copied, at, last_end = count + 1, last + 1, last + 1, last + 1
		end
		if is_anchored then
			break
		end
	end
	out[#out + 1] = sub(s, copied)
	return concat(out), count
end
