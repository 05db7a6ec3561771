---@meta
-- The event that runs, and how to raise others.  The event is the argument of execute(event), and this
-- global; its data is looked up under its category as well, so that event.data.error finds
-- {"task":{"error":"..."}} of a task.failed.
-- A new event's cause is the one that runs; a chain of more than 16 causes is refused.  Few scripts look
-- at what dispatch returns, so a refusal is also noted in the run's output.

---@class Event
---@field id string
---@field type string category.action
---@field data table what the sender gave
---@field timestamp integer when it happened, seconds since 1970
---@field timestamp_ns integer the same in nanoseconds
---@field stack? string the stack it belongs to
---@field severity? string debug, info, warning, error or critical
---@field source? string what raised it, in the sender's words
---@field run_id? string the run it belongs to
---@field cause? string the id of the event whose hook raised this one
---@field agent_name string the host it is about; "local" when nobody said
---@field attempt integer 1 for the first run, more after a retry
---@field count integer how many events this run stands for
---@field task? table data.task, when the sender gave one; so are the next
---@field agent? table data.agent
---@field resource? table data.resource
---@field workflow? table data.workflow
---@field deploy? table data.deploy
---@field health? table data.health
---@field schedule? table data.schedule
---@field state? table data.state
---@field secret? table data.secret
---@field stack_data? table data.stack_data
---@field backup? table data.backup
---@field db? table data.db
---@field network? table data.network
---@field security? table data.security
---@field file? table data.file
---@field custom? table data.custom
---@field system? table data.system
event = {}

---@class DispatchOptions
---@field stack? string a string data.stack sets it as well; else that of the event that runs
---@field id? string known to the sender: the same id is accepted once
---@field severity? string debug, info, warning, error or critical
---@field agent? string
---@field run_id? string
---@field source? string
---@field timestamp? string|number RFC 3339, or seconds since 1970

---Raise an event.
---@param type string category.action
---@param data? table an object in JSON
---@param options? DispatchOptions
---@return boolean accepted
---@return string id or why not
function event.dispatch(type, data, options) end

---Raise an event of type custom with name, message and timestamp as its data.
---@param name string
---@param message any
---@return boolean accepted
---@return string id or why not
function event.dispatch_custom(name, message) end

---Raise file.created, file.modified or file.deleted.
---@param kind "created"|"modified"|"deleted"
---@param path string
---@param watcher? string
---@return boolean accepted
---@return string id or why not
function event.dispatch_file(kind, path, watcher) end
