---@meta
-- log with names and values after the message: slog.info("done", "took", 3) or slog.info("done", {took = 3}).
slog = {}

---@param message any
---@param ... any a table, or names and values in turn
function slog.debug(message, ...) end

---@param message any
---@param ... any a table, or names and values in turn
function slog.info(message, ...) end

---@param message any
---@param ... any a table, or names and values in turn
function slog.warn(message, ...) end

---@param message any
---@param ... any a table, or names and values in turn
function slog.error(message, ...) end
