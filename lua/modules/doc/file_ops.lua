---@meta
-- Changes to files that leave them alone when nothing is to change.  A file keeps its mode and is replaced in
-- one step, under a lock, so that many hooks may add lines to one file at once.
file_ops = {}

---@class LineOptions
---@field path? string
---@field line? string may be several lines
---@field state? "present"|"absent" present: lines that match regexp become line, else it is appended where it is missing; absent: lines that match, or are equal, go
---@field regexp? string a POSIX extended expression; \d \s \w and a leading (?i) are understood
---@field create? boolean false refuses a missing file; else it is made, with the directories on the way

---@class LineResult
---@field changed boolean
---@field path string
---@field success boolean true
---@field message string which is also the result as text

---Also taken: path, line and the options as three arguments.
---@param options LineOptions
---@return LineResult? result
---@return LineResult|string reason the result again, or why it failed
---@overload fun(path: string, line: string, options?: LineOptions): LineResult?, LineResult|string
function file_ops.lineinfile(options) end
