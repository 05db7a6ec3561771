---@meta
-- Lines in the recorded output of the run, "[INFO] text k=v".  A run that returns false without a message
-- takes its error from what log.error wrote.  Fields are sorted by name.
log = {}

---@param message any
---@param fields? table shown as k=v
function log.debug(message, fields) end

---@param message any
---@param fields? table shown as k=v
function log.info(message, fields) end

---info, with a tick in front.
---@param message any
---@param fields? table shown as k=v
function log.success(message, fields) end

---@param message any
---@param fields? table shown as k=v
function log.warn(message, fields) end

log.warning = log.warn

---@param message any
---@param fields? table shown as k=v
function log.error(message, fields) end

---A bare line.
---@param ... any
function log.print(...) end

---An indented rendering.
---@param value any
---@param title? string
function log.table(value, title) end
