#!/usr/bin/env bats
# docs/sandbox.md names each function of Lua's library that a hook finds, and no other.

load functions
setup() {
	requires lua5.4
	start_fsd
}
teardown() { cleanup; }

# documented: the names that docs/sandbox.md says are there, one a line; `lib.*` means all of Lua's own.
documented() {
	lua5.4 - "$TOP/docs/sandbox.md" <<-'LUA'
		local present, absent = {}, {}
		local function add(set, lib, name)
		  if name ~= "*" then
		    set[lib and lib .. "." .. name or name] = true
		    return
		  end
		  for key in pairs(_G[lib]) do set[lib .. "." .. key] = true end
		end
		for line in io.lines(arg[1]) do
		  local names, what = line:match("^| (.-) | (%a+) |")
		  local is_here = what == "kept" or what == "replaced" or what == "added"
		  if is_here or what == "absent" then
		    for group in names:gmatch("`([^`]+)`") do
		      local lib
		      for word in group:gmatch("%S+") do
		        local prefix, name = word:match("^(%w+)%.(.+)$")
		        lib = prefix or lib
		        add(is_here and present or absent, lib, name or word)
		      end
		    end
		  end
		end
		for name in pairs(present) do
		  assert(not absent[name], name .. " is documented as kept and as absent")
		  print(name)
		end
	LUA
}

@test "a hook finds exactly what docs/sandbox.md lists" {
	add_hook a <<-'LUA'
		return { event_type = "a.b", execute = function()
		  for _, name in ipairs { "assert", "error", "ipairs", "next", "pairs", "rawequal", "rawget", "rawlen", "rawset",
		    "select", "tonumber", "tostring", "type", "_VERSION", "getmetatable", "setmetatable", "pcall", "xpcall",
		    "print", "load", "loadstring", "require", "collectgarbage", "unpack", "dofile", "loadfile", "warn",
		    "package", "debug", "setfenv", "getfenv", "module", "newproxy" } do
		    if _G[name] ~= nil and type(_G[name]) ~= "table" then print(name) end
		  end
		  if package then print("package") end
		  for _, lib in ipairs { "coroutine", "string", "table", "math", "utf8", "debug", "io", "os" } do
		    for name in pairs(_G[lib]) do print(lib .. "." .. name) end
		  end
		  return true
		end }
	LUA
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	diff <(documented | sort) <(sort "$MNT/events/$id/hooks/a/output")
}

@test "a wait where none is possible is loud" {
	add_hook a <<-'LUA'
		return { event_type = "a.b", execute = function()
		  local napper = setmetatable({}, { __tostring = function() sleep(0.01) return "x" end })
		  for _, try in ipairs { function() return tostring(napper) end, function() return ("%s"):format(napper) end,
		    function() return table.concat(setmetatable({}, { __len = function() return 2 end, __index = function() sleep(0.01) end })) end } do
		    local ok, why = pcall(try)
		    assert(not ok and why:find("cannot wait"), why)
		  end
		  return true
		end }
	LUA
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
}

@test "docs/sandbox.md names every function of Lua's library" {
	lua5.4 - "$TOP/docs/sandbox.md" <<-'LUA'
		local named, whole = {}, {}
		for line in io.lines(arg[1]) do
		  local names, what = line:match("^| (.-) | (%a+) |")
		  if what == "kept" or what == "replaced" or what == "added" or what == "absent" then
		    local rest = names:match("the rest of `(%w+)`") or names:match("`(%w+)` %(all of it%)")
		    if rest then whole[rest] = true end
		    for group in names:gmatch("`([^`]+)`") do
		      local lib
		      for word in group:gmatch("%S+") do
		        local prefix, name = word:match("^(%w+)%.(.+)$")
		        lib = prefix or lib
		        named[lib and lib .. "." .. (name or word) or word] = true
		      end
		    end
		  end
		end
		local missing = {}
		for name, value in pairs(_G) do
		  if type(value) ~= "table" and not named[name] then missing[#missing + 1] = name end
		end
		for _, lib in ipairs { "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8" } do
		  for name in pairs(_G[lib]) do
		    if not named[lib .. "." .. name] and not named[lib .. ".*"] and not whole[lib] then
		      missing[#missing + 1] = lib .. "." .. name
		    end
		  end
		end
		assert(#missing == 0, table.concat(missing, " "))
	LUA
}

@test "docs/sandbox.md names the system calls that are denied, and no other" {
	documented=$(sed -n '/^## System calls/,/^So /s/^- [^:]*: //p' "$TOP/docs/sandbox.md" | grep -o '`[^`]*`' | tr -d '`' |
		tr ' ' '\n' | grep -v TIOCSTI | sort)
	denied=$(grep -o 'SCMP_SYS([a-z0-9_]*)' "$TOP/lua/host/confine.c" | sed 's/SCMP_SYS(//; s/)//; s/time64/time/' | sort -u)
	diff <(echo "$documented") <(echo "$denied")
}
