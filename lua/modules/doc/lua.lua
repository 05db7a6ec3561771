---@meta
-- What hooks find beside the library of Lua 5.4, for scripts written for Lua 5.1.  What of the library itself
-- is here in another form, or not at all, is listed in docs/sandbox.md.

---table.unpack.
---@generic T
---@param list T[]
---@param first? integer
---@param last? integer
---@return T ...
function unpack(list, first, last) end

---load.
---@param chunk string|function
---@param name? string
---@param mode? "t"
---@param env? table
---@return function? chunk
---@return string? reason
function loadstring(chunk, name, mode, env) end

---#list.
---@param list any[]
---@return integer
function table.getn(list) end

---x ^ y.
---@param x number
---@param y number
---@return number
function math.pow(x, y) end
