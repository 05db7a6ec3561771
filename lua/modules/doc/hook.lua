---@meta
-- What a hook is: a file in hooks/ that returns this table, or one that defines on_event(event).  Write
-- ---@type Hook above the table, and an editor with a language server completes its fields and checks them.
-- Most fields are files of ctl/hooks/<hook>/ too, where they can be overridden.  A rule is the text that
-- stands there, or a table of its parts: retries = 3, retries = { count = 3, backoff = "1s" }.

---@class Hook
---@field event_type? string|string[] the types it hears; task.* and * may be written
---@field event_types? string|string[] the same
---@field execute? fun(event: Event): boolean?, any what is run: true, or false and why
---@field on_event? fun(event: Event): boolean?, any another name of execute
---@field handler? fun(event: Event): boolean?, any another name of execute
---@field filter? fun(event: Event): boolean?, string? a false result: the event is none for this hook, and why
---@field enabled? boolean false: events do not reach it
---@field name? string another name it is found under
---@field stack? string the stack behind whose wall it stands

---What is run for an event, in a file that returns no table; its types stand in a first line such as
---"-- event: task.failed".
---@param event Event
---@return boolean? success
---@return any message
function on_event(event) end
