---@meta
-- Run programs.  A command runs with bash -c in a process group of its own; what it leaves behind is ended
-- with the run.  A failing command never raises.  exec(command, options) is exec.run.

---@class ExecOptions
---@field workdir? string where it runs; the home of the hook's owner
---@field env? table<string, string> variables over those of the run
---@field stdin? string what it reads
---@field timeout? string|number seconds, or text such as "30s"; at most the run's own

---Passes for its stdout where a string is expected: "..", tostring, # and the methods of strings.
---@class ExecResult: string
---@field stdout string
---@field stderr string
---@field exit_code integer -1: ended by a signal
---@field success boolean exit_code is 0
---@field output string stdout
---@field code integer exit_code
---@field error string stderr, or why it did not start

---@class ExecModule
---@overload fun(command: string, options?: ExecOptions): ExecResult, string?, boolean
exec = {}

---@param command string
---@param options? ExecOptions
---@return ExecResult result
---@return string? err nil when exit_code is 0, else stderr or "exit status N"
---@return boolean failed
function exec.run(command, options) end

exec.sh = exec.run
exec.command = exec.run

---@param command string
---@param options? ExecOptions
---@return string? stdout nil when it failed
---@return string? err
function exec.output(command, options) end
