-- The house rules a machine can check:  lua5.4 tools/lint/house.lua FILE...
-- One line a finding, `file:line: message`; exit 1 when there is one.
--
--	include directions   who may include whom, and which folder owns which foreign library
--	file caps            800 lines of C, 240 of header (aim at 500 and 200)
--	functions            60 lines
--	contracts            a comment above every prototype group in a header
--	banned calls         what overruns, what is not thread-safe, what starts a shell

local MAY_INCLUDE = { -- folder -> folders of ours it may include
	["base"] = { "base" },
	["fsd"] = { "base", "fsd" },
	["lua"] = { "base", "lua" },
	["tools"] = { "base", "tools" },
	["tests"] = { "base", "fsd", "lua", "tools", "tests" },
}
local OWNER = { -- pattern of a foreign header -> the folder that owns it
	["^fuse"] = "fsd/doors/",
	["^sqlite3%.h"] = "fsd/store/",
	["^lua%.h"] = "lua/", ["^lauxlib%.h"] = "lua/", ["^lualib%.h"] = "lua/",
	["^curl/"] = "lua/", ["^pcre2%.h"] = "lua/",
	["^libsmartcols"] = "tools/runner/",
}
-- In fsd/: a door knows the tree and nothing else of the rooms; tree/ knows no room and no door.
local FSD_MAY = {
	["fsd/doors/"] = { "^fsd/doors/", "^fsd/tree/tree%.h", "^fsd/lane%.h", "^fsd/watchdog%.h" },
	["fsd/tree/"] = { "^fsd/tree/", "^fsd/lane%.h" },
	["fsd/store/"] = { "^fsd/store/", "^fsd/lane%.h" },
}
local BANNED = { "sprintf", "vsprintf", "strcpy", "strcat", "strtok", "atoi", "atol", "gets", "system",
	"popen", "tmpnam", "asctime", "ctime", "gmtime", "localtime", "strerror_r_" }
local LINES = { c = 800, h = 240 }
local FUNCTION_LINES = 60

local findings = 0
local function say(file, line, fmt, ...)
	findings = findings + 1
	print(("%s:%d: %s"):format(file, line, fmt:format(...)))
end

local function starts(s, prefix)
	return s:sub(1, #prefix) == prefix
end

local function any(patterns, s)
	for _, p in ipairs(patterns) do
		if s:find(p) then return true end
	end
	return false
end

local function check_include(file, n, name, is_ours)
	if is_ours then
		local folder = file:match("^[^/]+")
		local target = name:match("^([^/]+)/")
		local may = MAY_INCLUDE[folder]
		if may and target and MAY_INCLUDE[target] then
			local ok = false
			for _, f in ipairs(may) do ok = ok or f == target end
			if not ok then say(file, n, "%s/ may not include %s", folder, name) end
		end
		for prefix, patterns in pairs(FSD_MAY) do
			if starts(file, prefix) and starts(name, "fsd/") and not any(patterns, name) then
				say(file, n, "%s may not include %s: doors and the tree do not know rooms", prefix, name)
			end
		end
	else
		for pattern, owner in pairs(OWNER) do
			if name:find(pattern) and not starts(file, owner) and not starts(file, "tests/") then
				say(file, n, "only %s includes <%s>", owner, name)
			end
		end
	end
end

local function check_banned(file, n, code)
	for _, call in ipairs(BANNED) do
		if code:find("%f[%w_]" .. call .. "%s*%(") then
			say(file, n, "%s() is banned: see the house style", call)
		end
	end
end

-- A definition opens with '{' in column 1 and closes with '}' in column 1.
local function check_functions(file, lines)
	local open, name
	for n, line in ipairs(lines) do
		if line == "{" and lines[n - 1] and lines[n - 1]:find("%)$") then
			open, name = n, nil
			for back = n - 1, math.max(1, n - 6), -1 do
				name = lines[back]:match("^([%a_][%w_]*)%(")
				if name then break end
			end
		elseif line == "}" and open then
			if n - open - 1 > FUNCTION_LINES then
				say(file, open, "%s has %d lines, %d are the cap", name or "function", n - open - 1, FUNCTION_LINES)
			end
			open = nil
		end
	end
end

-- A prototype (column 1, ends in ';', has parentheses) wants a comment above its group.
local function check_contracts(file, lines)
	local commented = false
	for n, line in ipairs(lines) do
		if line == "" then
			commented = false
		elseif line:find("%*/%s*$") or line:find("/%*") then
			commented = true
		elseif line:find("^[%a_].*%(.*") and not line:find("^typedef") and not line:find("^#")
			and not line:find("^static") and not line:find("^[A-Z_]+%(") and line:find("%)[^{]*;") and not commented then
			say(file, n, "prototype without a contract")
		end
	end
end

for _, file in ipairs(arg) do
	local lines = {}
	for line in io.lines(file) do lines[#lines + 1] = line end
	local kind = file:match("%.([ch])$")
	if #lines > LINES[kind] and not starts(file, "tests/") then
		say(file, #lines, "%d lines, %d are the cap for .%s", #lines, LINES[kind], kind)
	end
	for n, line in ipairs(lines) do
		local ours = line:match('^#include "([^"]+)"')
		local foreign = line:match("^#include <([^>]+)>")
		if ours or foreign then check_include(file, n, ours or foreign, ours ~= nil) end
		check_banned(file, n, (line:gsub("/%*.*", ""):gsub('"[^"]*"', '""')))
	end
	if kind == "c" then
		check_functions(file, lines)
		if not (lines[1] or ""):find("^/%*") then say(file, 1, "no opening comment") end
	elseif not starts(file, "tests/") then
		check_contracts(file, lines)
	end
end
os.exit(findings == 0)
