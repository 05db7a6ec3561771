-- Documentation of the Lua modules:  lua5.4 modules.lua OUT HOOKS.rows READER.c... -- DOC.lua...
--
-- A module is declared once, in lua/modules/doc/<module>.lua: a definition file of the Lua language server,
-- and valid Lua.  For each this writes OUT/<module>.lua, the definition as the mount shows it, and
-- OUT/<module>.txt, the page for people.  The class Hook gets the settings that a script may give as fields
-- of its table: which there are and what they mean stands in HOOKS.rows, because each is a file as well; of
-- what type they are, in the tables of the worker's READERs; and nowhere else.
--
-- What is not understood ends the program with file, line and one sentence.

local KINDS = {
	TEXT = "string", BOOL = "boolean", INTEGER = "integer", DURATION = "number|string",
	SIZE = "integer|string", FUNCTION = "function",
}

local function read(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read("a")
	file:close()
	return text
end

local function write(path, text)
	local file = assert(io.open(path, "wb"))
	assert(file:write(text))
	assert(file:close())
end

-- ---- the settings of a hook ----------------------------------------------------------------------

local SETTING = "\n~/ctl/hooks/{hook}/([%l_]+)%s+%d+%s+value%s+hook_setting_read[^\n\"]*\"([^\n]*)\"\n"

-- The type of a setting, as its reader has it: a kind (meta.c), parts (meta_rules.c), or neither.
local function type_of(name, readers)
	local kind = readers:match('{"' .. name .. '", FIELD_([%u_]+)')
	local parts = readers:match('\n%s*{"' .. name .. '",%s*({+)')
	if kind then
		return KINDS[kind] or error("no Lua type is known for FIELD_" .. kind)
	end
	return parts and readers:find('{"' .. name .. '", {{0}}}', 1, true) and "string|number|boolean"
		or parts and "string|number|table" or "string|table"
end

-- Lines "---@field timeout? number|string how long ..." for the settings that `text` does not declare; the
-- file `event` is the field event_type.
local function hook_fields(text, rows, readers)
	local lines, at = {}, 1
	while true do
		local first, last, name, help = rows:find(SETTING, at)
		if not first then break end
		at = last -- the newline begins the next row
		if name ~= "event" and not text:find("---@field " .. name .. "? ", 1, true) then
			lines[#lines + 1] = ("---@field %s? %s %s"):format(name, type_of(name, readers), help)
		end
	end
	if #lines == 0 then error("no settings of hooks were found") end
	return lines
end

local function add_hook_fields(text, fields)
	local last
	for at in text:gmatch("()---@field [^\n]*\n") do last = at end
	local after = text:find("\n", last, true)
	return text:sub(1, after) .. table.concat(fields, "\n") .. "\n" .. text:sub(after + 1)
end

-- ---- reading a declaration -----------------------------------------------------------------------

-- "table<string, string> the rest": a type may hold spaces inside brackets, after a comma, a colon or
-- around '|'; returns the type and the rest.
local function split_type(text)
	local depth, i = 0, 1
	while i <= #text do
		local c = text:sub(i, i)
		if c:match("[<({%[]") then depth = depth + 1 end
		if c:match("[>)}%]]") then depth = depth - 1 end
		if c == " " and depth == 0 and not text:sub(1, i - 1):match("[,:|]$") then break end
		i = i + 1
	end
	return text:sub(1, i - 1), text:sub(i + 1)
end

local function named(text)
	local name, rest = text:match("^(%S+)%s*(.*)$")
	local kind, help = split_type(rest)
	return { name = name, kind = kind, help = help }
end

local TAGS = {
	class = function(block, text) block.class, block.class_help = text:match("^(%S+)%s*(.*)$") end,
	field = function(block, text) table.insert(block.fields, named(text)) end,
	param = function(block, text) table.insert(block.params, named(text)) end,
	["return"] = function(block, text)
		local kind, rest = split_type(text)
		local name, help = rest:match("^([%a_][%w_]*)%s*(.*)$")
		table.insert(block.results, { name = name or kind, kind = kind, help = help or rest })
	end,
	type = function(block, text) block.type = text end,
	overload = function() end, -- said in the words of the page
	generic = function() end,
}

local function new_block()
	return { help = {}, fields = {}, params = {}, results = {} }
end

local function take_line(block, line, refuse)
	local tag, text = line:match("^%-%-%-@(%l+)%s*(.*)$")
	if not tag then
		table.insert(block.help, line:sub(4))
	elseif TAGS[tag] then
		TAGS[tag](block, text)
	else
		refuse("the tag @" .. tag .. " is not known here")
	end
end

-- What a line of code declares goes into the page, with the block above it.
local function take_code(page, block, line, refuse)
	local name, args = line:match("^function ([%w_.]+)%((.-)%) end$")
	if not name then
		local table_name, key
		table_name, key, args = line:match('^([%w_]+)%["([%w_]+)"%] = function%((.-)%) end$')
		name = key and ('%s["%s"]'):format(table_name, key)
	end
	local alias, original = line:match("^([%w_.]+) = ([%w_.]+)$")
	if name then
		block.name, block.args = name, args
		table.insert(page.items, block)
	elseif block.type then
		block.name = alias
		table.insert(page.items, block)
	elseif alias and alias ~= page.name then
		table.insert(page.items, { alias = alias, original = original })
	elseif line ~= page.name .. " = {}" then
		refuse("neither a function nor the module's table: " .. line)
	end
end

local function parse(path, text)
	local page = { name = path:match("([^/]+)%.lua$"), intro = {}, items = {} }
	local block, number = new_block(), 0
	local function refuse(message)
		error(("%s:%d: %s"):format(path, number, message), 0)
	end
	local function finish()
		if #block.fields > 0 then table.insert(page.items, block) end
		block = new_block()
	end
	for line in text:gmatch("([^\n]*)\n") do
		number = number + 1
		if line == "---@meta" and number == 1 then goto continue end
		if line:match("^%-%-%-") then
			take_line(block, line, refuse)
		elseif line:match("^%-%- ") then
			table.insert(page.intro, line:sub(4))
		elseif line == "" then
			finish()
		else
			take_code(page, block, line, refuse)
			finish()
		end
		::continue::
	end
	finish()
	if #page.intro == 0 then refuse("no comment says what the module is for") end
	return page
end

-- ---- the page ------------------------------------------------------------------------------------

-- "type, data?, options?", from the parameters' own lines, which must be those of the function.
local function arguments(item)
	local names = {}
	for i, param in ipairs(item.params) do names[i] = (param.name:gsub("%?$", "")) end
	if table.concat(names, ", ") ~= item.args then
		error(("%s(%s) has the parameters (%s)"):format(item.name, item.args, table.concat(names, ", ")), 0)
	end
	for i, param in ipairs(item.params) do names[i] = param.name end
	return table.concat(names, ", ")
end

local function add_rows(out, rows)
	local widths = { 0, 0 }
	for _, row in ipairs(rows) do
		widths[1] = math.max(widths[1], #row.name)
		widths[2] = math.min(math.max(widths[2], #row.kind), 24)
	end
	local format = ("    %%-%ds  %%-%ds  %%s"):format(widths[1], widths[2])
	for _, row in ipairs(rows) do
		out[#out + 1] = (format:format(row.name, row.kind, row.help):gsub("%s+$", ""))
	end
end

local function add_function(out, item)
	local results = {}
	for i, result in ipairs(item.results) do results[i] = result.name end
	local arrow = #results > 0 and " -> " .. table.concat(results, ", ") or ""
	out[#out + 1] = ("%s(%s)%s"):format(item.name, arguments(item), arrow)
	for _, line in ipairs(item.help) do out[#out + 1] = "    " .. line end
	add_rows(out, item.params)
	local said = {}
	for _, result in ipairs(item.results) do
		if result.name ~= result.kind or result.help ~= "" then said[#said + 1] = result end
	end
	for _, result in ipairs(said) do result.name = "-> " .. result.name end
	add_rows(out, said)
end

local function add_class(out, item)
	out[#out + 1] = item.class .. (item.class_help ~= "" and " " .. item.class_help or "")
	for _, line in ipairs(item.help) do out[#out + 1] = "    " .. line end
	add_rows(out, item.fields)
end

local function render(page)
	local out = { page.name }
	for _, line in ipairs(page.intro) do out[#out + 1] = "    " .. line end
	for _, item in ipairs(page.items) do
		out[#out + 1] = ""
		if item.alias then
			table.remove(out) -- right below what it is another name of
			out[#out + 1] = ("%s: the same as %s"):format(item.alias, item.original)
		elseif item.args then
			add_function(out, item)
		elseif item.class then
			add_class(out, item)
		else
			out[#out + 1] = item.name
			for _, line in ipairs(item.help) do out[#out + 1] = "    " .. line end
		end
	end
	return table.concat(out, "\n") .. "\n"
end

local out, rows, readers, i = arg[1], read(arg[2]), "", 3
while arg[i] ~= "--" do
	readers = readers .. read(arg[i])
	i = i + 1
end
for at = i + 1, #arg do
	local text, name = read(arg[at]), arg[at]:match("([^/]+)%.lua$")
	if name == "hook" then text = add_hook_fields(text, hook_fields(text, rows, readers)) end
	write(("%s/%s.lua"):format(out, name), text)
	write(("%s/%s.txt"):format(out, name), render(parse(arg[at], text)))
end
