---@meta
-- A function without a module: whether a list holds a value.

---@param list any[]
---@param value any
---@return boolean found compared with ==
function contains(list, value) end
