---@meta
-- Moments as seconds since 1970, durations as Go writes them ("1h30m").  A moment that is left out is now.
-- Layouts are Go's: "2006-01-02 15:04:05".
time = {}

---@return number seconds with a fraction
function time.now() end

---@return integer seconds
function time.unix() end

---@return integer nanoseconds
function time.unix_nano() end

---@param ts? number
---@return string text "2026-01-31T23:59:59.000000000Z"
function time.rfc3339(ts) end

---In local time.
---@param ts? number
---@param layout? string
---@return string
function time.format(ts, layout) end

---@param layout string in local time; "rfc3339" reads that
---@param text string
---@return number? ts
---@return string? reason
function time.parse(layout, text) end

---@param text string "1h30m"
---@return number? seconds
---@return string? reason
function time.duration(text) end

---@param ts number
---@param duration number|string seconds, or text such as "1m30s"
---@return number ts
function time.add(ts, duration) end

---@param ts number
---@param duration number|string seconds, or text such as "1m30s"
---@return number ts
function time.sub(ts, duration) end

---@param ts number
---@return number seconds
function time.since(ts) end

---@param ts number
---@return number seconds
time["until"] = function(ts) end

---@param a number
---@param b number
---@return boolean
function time.before(a, b) end

---@param a number
---@param b number
---@return boolean
function time.after(a, b) end

---@param a number
---@param b number
---@return boolean
function time.equal(a, b) end

---In local time, as are the next.
---@param ts? number
---@return integer
function time.year(ts) end

---@param ts? number
---@return integer
function time.month(ts) end

---@param ts? number
---@return integer
function time.day(ts) end

---@param ts? number
---@return integer
function time.hour(ts) end

---@param ts? number
---@return integer
function time.minute(ts) end

---@param ts? number
---@return integer
function time.second(ts) end

---0 is Sunday.
---@param ts? number
---@return integer
function time.weekday(ts) end

---Wait; other hooks run meanwhile.
---@param duration number|string seconds, or text such as "1m30s"
function time.sleep(duration) end
