---@meta
-- Values by key, kept by the daemon, one space for each stack.  A value is what JSON can hold, and comes back
-- as it was set.  All functions wait for the daemon and raise when it refuses (a full disk, a number
-- expected).
state = {}

---@param key string
---@param default? any
---@return any value default, or nil, where there is none
function state.get(key, default) end

---@param key string
---@param value any
---@param ttl? number|string how long it stays: seconds, or text such as "10m"
---@return true
function state.set(key, value, ttl) end

state.set_with_ttl = state.set

---@param key string
---@return boolean existed
function state.delete(key) end

---@param key string
---@return boolean
function state.exists(key) end

---Atomic; a missing key counts as 0.
---@param key string
---@param by? number 1
---@return number value the new one
function state.incr(key, by) end

state.increment = state.incr

---Atomic; a missing key counts as 0.
---@param key string
---@param by? number 1
---@return number value the new one
function state.decr(key, by) end

state.decrement = state.decr

---Set it only where it holds the old value.
---@param key string
---@param old any nil: only where there is none
---@param new any
---@return boolean swapped
function state.compare_swap(key, old, new) end

---@param prefix? string
---@return string[]
function state.keys(prefix) end

---@param prefix? string
---@return true
function state.clear(prefix) end
