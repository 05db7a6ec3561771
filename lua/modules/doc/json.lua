---@meta
-- JSON text from Lua values and back.  Integers stay integers, keys come out sorted; an empty table is {}
-- unless json.array made it.
json = {}

---null inside tables, both ways.
---@type lightuserdata
json.null = nil

---Raises on what has no JSON form.
---@param value any
---@param options? { indent: boolean }
---@return string
function json.encode(value, options) end

json.stringify = json.encode

---encode, indented.
---@param value any
---@return string
function json.pretty(value) end

---@param text string
---@return any value nil: see the reason
---@return string? reason "line L column C: message"
function json.decode(text) end

json.parse = json.decode

---Mark a table as a list: an empty one is [] then.
---@generic T
---@param list? T[]
---@return T[] list
function json.array(list) end
