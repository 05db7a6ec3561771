-- Turn the declared tree into code and documentation:
--
--	lua5.4 rows.lua c   FILE.rows...   build/gen/rows.c: the table tree_rows (fsd/tree/rows.h)
--	lua5.4 rows.lua h   FILE.rows...   build/gen/handlers.h: a prototype for every handler named
--	lua5.4 rows.lua doc FILE.rows...   docs/tree.md
--	lua5.4 rows.lua list FILE.rows...  path, mode, kind and flags of every row, for tests
--
-- The grammar stands in fsd/tree/room.h.  All rows are read and checked first; the first one that is
-- wrong ends the program with its file, its line and one sentence.

local KINDS = {
	--         C type of the read handler         and of the write handler; a '?' may be left out
	dir    = { field = nil,                       write = "const struct dir_edit ?" },
	text   = { field = "text",   read = "text_read_fn" },
	value  = { field = "text",   read = "text_read_fn",  write = "value_set_fn" },
	ctl    = { field = "text",   read = "text_read_fn ?", write = "value_set_fn" },
	rpc    = { field = "rpc",    read = "const struct rpc_ops" },
	stream = { field = "stream", read = "const struct stream_ops" },
	log    = { field = "log",    read = "log_open_fn" },
	link   = { field = "text",   read = "text_read_fn" },
	source = { field = "source", read = "source_find_fn" },
}
local FLAGS = { unlisted = true, fresh = true, notify = true, group = true, quiet = true }
local SET_TYPE = "const struct node_set"
local STACK = "/stacks/{stack}"

local function refuse(row, message, ...)
	io.stderr:write(("%s:%d: %s\n"):format(row.file, row.line, message:format(...)))
	os.exit(1)
end

-- ---- reading ------------------------------------------------------------------------------------

local LINE = '^(~?)(/%S*)%s+(%S+)%s+(%S+)%s+(%S+)%s+(%S+)%s+(%S+)%s+"(.*)"%s*$'

local function check_path(row)
	if row.path == "/" then return end
	if row.path:find("//", 1, true) or row.path:sub(-1) == "/" then
		refuse(row, "path '%s' has an empty component", row.path)
	end
	local seen = {}
	for part in row.path:gmatch("[^/]+") do
		local param = part:match("^{([a-z_]+)}$")
		if not param and not part:match("^[%w._-]+$") then
			refuse(row, "component '%s' is neither a name nor a whole {param}", part)
		end
		if part == "." or part == ".." or part == ".help" then
			refuse(row, "'%s' is a name the tree makes itself", part)
		end
		if param and seen[param] then
			refuse(row, "parameter {%s} stands twice in the path", param)
		end
		seen[param or ""] = true
	end
end

local function check_flags(row, text)
	row.flags = {}
	if text == "-" then return end
	for flag in text:gmatch("[^,]+") do
		if not FLAGS[flag] then
			refuse(row, "unknown flag '%s'; known are fresh, group, notify, quiet, unlisted", flag)
		end
		row.flags[flag] = true
	end
end

-- Split the handlers' columns by what the kind expects.
local function check_handlers(row, read, write)
	local kind = KINDS[row.kind]
	local function handler(column, name, expected)
		local optional = expected and expected:sub(-1) == "?"
		if name == "-" then
			if expected and not optional then
				refuse(row, "a %s row needs a handler in the %s column", row.kind, column)
			end
			return nil
		end
		if not expected then
			refuse(row, "a %s row has no handler in the %s column; write '-'", row.kind, column)
		end
		if not name:match("^[%a_][%w_]*$") then
			refuse(row, "'%s' is not the name of a handler", name)
		end
		return { name = name, type = (expected:gsub(" ?%?$", "")) }
	end

	local set
	if row.kind == "dir" then
		set, read = read, "-"
	elseif read:find(":", 1, true) then
		set, read = read:match("^([^:]*):(.*)$")
	else
		set = "-"
	end
	if row.param and set == "-" then
		refuse(row, "a row that ends in {%s} must name the set of its names (%s)", row.param,
			row.kind == "dir" and "in the read column" or "as set:handler in the read column")
	elseif not row.param and set ~= "-" then
		refuse(row, "only a row that ends in a {param} has a set of names, not '%s'", row.path)
	end
	row.set = handler("read", set, row.param and SET_TYPE or SET_TYPE .. "?")
	row.read = handler("read", read, kind.read)
	row.write = handler("write", write, kind.write)
end

local function parse(file, number, text, room)
	local row = { file = file, line = number, room = room }
	local tilde, path, mode, kind, read, write, flags, help = text:match(LINE)
	if not path then
		refuse(row, 'a row is: path mode kind read write flags "help"')
	end
	row.path, row.kind, row.help, row.everywhere = path, kind, help, tilde == "~"
	check_path(row)
	row.name = path:match("([^/]*)$")
	row.param = row.name:match("^{(.*)}$")
	if not mode:match("^0[0-7][0-7][0-7]$") then
		refuse(row, "mode '%s' is not four octal digits like 0644", mode)
	end
	row.mode = mode
	if not KINDS[kind] then
		refuse(row, "unknown kind '%s'", kind)
	end
	if help == "" then
		refuse(row, "the help text is empty")
	end
	check_flags(row, flags)
	check_handlers(row, read, write)
	return row
end

local function stack_copy(row)
	local copy = {}
	for key, value in pairs(row) do copy[key] = value end
	copy.path, copy.is_copy = STACK .. row.path, true
	check_path(copy)
	return copy
end

-- All rows in the order of the files, each ~ row twice.
local function read_rows(files)
	local rows = {}
	for _, file in ipairs(files) do
		local room = file:match("([^/]+)%.rows$")
		if not room then
			io.stderr:write(("%s: a file of rows is named <room>.rows\n"):format(file))
			os.exit(1)
		end
		local number = 0
		for text in assert(io.lines(file)) do
			number = number + 1
			if not text:match("^%s*$") and not text:match("^%s*#") then
				local row = parse(file, number, text, room)
				rows[#rows + 1] = row
				if row.everywhere then
					rows[#rows + 1] = stack_copy(row)
				end
			end
		end
	end
	return rows
end

-- ---- the tree -----------------------------------------------------------------------------------

local function parent_path(path)
	local dir = path:match("^(.*)/[^/]*$")
	return dir == "" and "/" or dir
end

local function index_by_path(rows)
	local by_path = {}
	for _, row in ipairs(rows) do
		local other = by_path[row.path]
		if other then
			refuse(row, "'%s' is declared already, at %s:%d", row.path, other.file, other.line)
		end
		by_path[row.path] = row
		row.children = {}
	end
	return by_path
end

local function adopt(row, by_path)
	local dir = parent_path(row.path)
	local parent = by_path[dir]
	if not parent then
		refuse(row, "its directory '%s' has no row", dir)
	elseif parent.kind ~= "dir" then
		refuse(row, "its parent '%s' is a %s, not a dir", dir, parent.kind)
	end
	if row.param then
		if parent.param_child then
			refuse(row, "'%s' has a {param} row already, at %s:%d", dir, parent.param_child.file,
				parent.param_child.line)
		end
		parent.param_child = row
	else
		table.insert(parent.children, row)
	end
end

-- Rows in breadth-first order, so that siblings stand together; returns them with their indexes.
local function link(rows)
	local by_path = index_by_path(rows)
	local root = by_path["/"]
	if not root then
		io.stderr:write("no row declares the root directory '/'\n")
		os.exit(1)
	end
	for _, row in ipairs(rows) do
		if row ~= root then adopt(row, by_path) end
	end
	local ordered, at = { root }, 1
	root.index, root.parent = 0, 0
	while ordered[at] do
		local row = ordered[at]
		if row.param_child then table.insert(row.children, row.param_child) end
		row.first_child = #row.children > 0 and #ordered or 0
		for _, child in ipairs(row.children) do
			child.parent, child.index = row.index, #ordered
			ordered[#ordered + 1] = child
		end
		at = at + 1
	end
	return ordered
end

-- ---- C ------------------------------------------------------------------------------------------

local function quoted(text)
	return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- Each handler once, in order of first use; a name used as two types is refused.
local function handlers(rows)
	local seen, list = {}, {}
	for _, row in ipairs(rows) do
		for _, column in ipairs { "set", "read", "write" } do
			local h = row[column]
			if h and not seen[h.name] then
				seen[h.name] = h.type
				list[#list + 1] = h
			elseif h and seen[h.name] ~= h.type then
				refuse(row, "'%s' is used as %s and as %s", h.name, seen[h.name], h.type)
			end
		end
	end
	return list
end

local function write_h(rows)
	print("/* Made by tools/gen/rows.lua from mount-layout/: the handlers its rows name. */")
	print("#ifndef SLOTH_GEN_HANDLERS_H\n#define SLOTH_GEN_HANDLERS_H\n")
	print('#include "fsd/tree/room.h"\n')
	for _, h in ipairs(handlers(rows)) do
		print(("extern %s %s;"):format(h.type, h.name))
	end
	print("\n#endif")
end

local function c_flags(row)
	local list = {}
	for flag in pairs(row.flags) do list[#list + 1] = "ROW_" .. flag:upper() end
	if row.param then list[#list + 1] = "ROW_PARAM" end
	table.sort(list)
	return #list > 0 and table.concat(list, " | ") or "0"
end

local function write_c_row(row)
	local function field(name, value) io.write("\t\t.", name, " = ", value, ",\n") end
	local name = row.param or row.name
	io.write("\t{\n")
	field("path", quoted(row.path))
	field("name", quoted(name))
	field("room", quoted(row.room))
	field("help", quoted(row.help))
	field("kind", "ROW_" .. row.kind:upper())
	field("flags", c_flags(row))
	field("mode", row.mode)
	field("parent", row.parent)
	field("first_child", row.first_child)
	field("child_count", #row.children)
	if row.set then field("set", "&" .. row.set.name) end
	local function handler(column, member)
		local h = row[column]
		local by_address = h and h.type:match("^const struct") and "&" or ""
		if h then field(column .. "." .. member, by_address .. h.name) end
	end
	handler("read", KINDS[row.kind].field)
	handler("write", row.kind == "dir" and "edit" or "set")
	io.write("\t},\n")
end

local function write_c(rows)
	handlers(rows)
	print('/* Made by tools/gen/rows.lua from mount-layout/. */')
	print('#include "fsd/tree/rows.h"\n\n#include "handlers.h"\n')
	print("const struct row tree_rows[] = {")
	for _, row in ipairs(rows) do write_c_row(row) end
	print("};\n")
	print(("const unsigned tree_row_count = %d;"):format(#rows))
end

-- ---- documentation ------------------------------------------------------------------------------

local KIND_WORDS = {
	dir = "directory", text = "text", value = "value", ctl = "control", rpc = "conversation",
	stream = "stream", log = "log", link = "link", source = "source directory",
}

local DOC_HEAD = [[
# The tree

Every path of the mount, made from `mount-layout/*.rows` by `tools/gen/rows.lua`. `<x>` is a name.
Paths marked *stack too* exist again under `stacks/<stack>/`. Each directory has a file `.help` that
is reachable but not listed.

| kind | what a read gives, what a write does |
|---|---|
| directory | names |
| text | rendered when opened; the same bytes until closed |
| value | one value and a newline; a write replaces it |
| control | a write is a command, a line each |
| conversation | what is written to an open file is answered on the same open file |
| stream | a read waits until there is something |
| log | a real file that grows |
| link | a symbolic link |
| source directory | your files, byte for byte |
]]

local function doc_note(row)
	local notes = {}
	if row.everywhere then notes[#notes + 1] = "*stack too*" end
	if row.flags.unlisted then notes[#notes + 1] = "not listed" end
	if row.flags.group then notes[#notes + 1] = "group `sloth`" end
	if row.flags.notify then notes[#notes + 1] = "inotify" end
	return table.concat(notes, ", ")
end

local function write_doc(rows)
	local rooms, order = {}, {}
	for _, row in ipairs(rows) do
		if not row.is_copy then
			if not rooms[row.room] then
				rooms[row.room] = {}
				order[#order + 1] = row.room
			end
			table.insert(rooms[row.room], row)
		end
	end
	table.sort(order)
	io.write(DOC_HEAD)
	for _, room in ipairs(order) do
		io.write("\n## ", room, "\n\n| path | mode | kind | what it is | notes |\n|---|---|---|---|---|\n")
		table.sort(rooms[room], function(a, b) return a.path < b.path end)
		for _, row in ipairs(rooms[room]) do
			local path = row.path:gsub("[{}]", { ["{"] = "<", ["}"] = ">" }):gsub("^/(.)", "%1")
			io.write(("| `%s` | %s | %s | %s | %s |\n"):format(path, row.mode, KIND_WORDS[row.kind],
				row.help:gsub("|", "\\|"), doc_note(row)))
		end
	end
end

local function write_list(rows)
	for _, row in ipairs(rows) do
		local flags = {}
		for flag in pairs(row.flags) do flags[#flags + 1] = flag end
		table.sort(flags)
		print(table.concat({ row.path, row.mode, row.kind, "," .. table.concat(flags, ",") }, "\t"))
	end
end

-- ---- main ---------------------------------------------------------------------------------------

local write = ({ c = write_c, h = write_h, doc = write_doc, list = write_list })[arg[1]]
if not write or not arg[2] then
	io.stderr:write("usage: rows.lua c|h|doc|list FILE.rows...\n")
	os.exit(2)
end
write(link(read_rows(table.move(arg, 2, #arg, 1, {}))))
