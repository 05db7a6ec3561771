---@meta
-- Ask web servers.  A status such as 404 is no error.  Without a response (refused, timeout, more than 5
-- redirects or 16 MiB) there is a result all the same: its status_code is 0, and the second result says why.
-- Options that are not listed raise.  Also taken: url and the options in one table, get(url, headers) and
-- post(url, body, headers).
http = {}

---@class HttpOptions
---@field headers? table<string, string>
---@field body? string|table a table is sent as JSON
---@field json? any sent as JSON
---@field query? table<string, string|number>
---@field timeout? string|number seconds, or text such as "30s"
---@field insecure? boolean true takes any certificate
---@field proxy? string "http://host:port"

---@class HttpRequest: HttpOptions
---@field url string
---@field method? string GET unless given

---@class HttpResult
---@field status_code integer 0: there was no response
---@field status string "200 OK"
---@field body string
---@field text string body
---@field headers table<string, string|string[]> names as in "Content-Type"; a list where one is repeated
---@field success boolean status_code is 2xx
---@field ok boolean success
---@field json? any the value of a JSON body
---@field elapsed_ms integer
---@field error? string why there was no response

---@param url string
---@param options? HttpOptions
---@return HttpResult result
---@return string? err
function http.get(url, options) end

---@param url string
---@param options? HttpOptions
---@return HttpResult result
---@return string? err
function http.head(url, options) end

---@param url string
---@param options? HttpOptions
---@return HttpResult result
---@return string? err
function http.delete(url, options) end

---@param url string
---@param options? HttpOptions
---@return HttpResult result
---@return string? err
function http.post(url, options) end

---@param url string
---@param options? HttpOptions
---@return HttpResult result
---@return string? err
function http.put(url, options) end

---@param url string
---@param options? HttpOptions
---@return HttpResult result
---@return string? err
function http.patch(url, options) end

---@param request HttpRequest
---@return HttpResult result
---@return string? err
function http.request(request) end
