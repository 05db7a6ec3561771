---@meta
-- The environment: the worker's to read, and to change for this run and the programs it starts.
-- What set() changes ends with the run: hooks share a process, not an environment.
env = {}

---@param name string
---@param default? string
---@return string? value default, or nil, where there is none
function env.get(name, default) end

---@param name string
---@return boolean
function env.has(name) end

---For this run and what it starts.
---@param name string
---@param value string
function env.set(name, value) end

---For this run and what it starts.
---@param name string
function env.unset(name) end

---@return table<string, string> variables by name
function env.all() end

env.list = env.all

---@param text string with "$NAME" or "${NAME}" in it
---@return string text an unknown name becomes ""
function env.expand(text) end
