---@meta
-- A function without a module: wait.  Other hooks run meanwhile.

---@param duration number|string seconds, or text such as "1m30s"
function sleep(duration) end
