---@meta
-- Whole files.  Relative paths mean the home of the hook's owner, and so does "~/".  A new file gets mode
-- 0644, one that is there keeps its own; no directories are made.  Only regular files are opened.
file = {}

---@param path string
---@return string? content
---@return string? reason
function file.read(path) end

---@param path string
---@param content string
---@return boolean written
---@return string? reason
function file.write(path, content) end

---@param path string
---@param content string
---@return boolean written
---@return string? reason
function file.append(path, content) end

---@param path string
---@return boolean
function file.exists(path) end
