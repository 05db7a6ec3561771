-- Turn files into a C table:  lua5.4 embed.lua NAME FILE...
-- writes `const struct embedded_file embedded_NAME[]` (base/embed.h), in the order given, each with its
-- path as given on the command line.  Bytes are written as octal escapes where C would misread them.

local name = assert(arg[1], "usage: embed.lua NAME FILE...")

local function literal(bytes)
	local out = {}
	for line in bytes:gmatch("[^\n]*\n?") do
		if line ~= "" then
			local text = line:gsub('[%c"\\?\128-\255]', function(c)
				return c == "\n" and "\\n" or ("\\%03o"):format(c:byte())
			end)
			out[#out + 1] = '\t\t"' .. text .. '"'
		end
	end
	return #out > 0 and table.concat(out, "\n") or '\t\t""'
end

io.write("/* Made by tools/gen/embed.lua. */\n#include \"base/embed.h\"\n\n")
io.write("const struct embedded_file embedded_", name, "[] = {\n")
for i = 2, #arg do
	local file = assert(io.open(arg[i], "rb"))
	local bytes = file:read("a")
	file:close()
	io.write('\t{"', arg[i], '",\n', literal(bytes), ",\n\t\t", #bytes, "},\n")
end
io.write("\t{0},\n};\n")
