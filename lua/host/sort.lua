-- table.sort in Lua: its comparator may wait, and no input keeps it from a look at the clock.
-- A merge sort, so a comparator that contradicts itself gives some order and no error.

local error, type = error, type

local RUN = 12 -- shorter pieces are sorted by insertion

local function by_value(a, b)
	return a < b
end

local function insertion(t, first, last, less)
	for i = first + 1, last do
		local value, j = t[i], i - 1
		while j >= first and less(value, t[j]) do
			t[j + 1] = t[j]
			j = j - 1
		end
		t[j + 1] = value
	end
end

local function merge(t, spare, first, middle, last, less)
	for i = first, middle do
		spare[i] = t[i]
	end
	local left, right, to = first, middle + 1, first
	while left <= middle and right <= last do
		if less(t[right], spare[left]) then
			t[to], right = t[right], right + 1
		else
			t[to], left = spare[left], left + 1
		end
		to = to + 1
	end
	while left <= middle do
		t[to], left, to = spare[left], left + 1, to + 1
	end
end

local function sort(t, spare, first, last, less)
	if last - first < RUN then
		return insertion(t, first, last, less)
	end
	local middle = (first + last) // 2
	sort(t, spare, first, middle, less)
	sort(t, spare, middle + 1, last, less)
	if less(t[middle + 1], t[middle]) then
		merge(t, spare, first, middle, last, less)
	end
end

return function(t, less)
	if type(t) ~= "table" then
		error("bad argument #1 to 'sort' (table expected, got " .. type(t) .. ")", 2)
	end
	if less ~= nil and type(less) ~= "function" then
		error("bad argument #2 to 'sort' (function expected, got " .. type(less) .. ")", 2)
	end
	sort(t, {}, 1, #t, less or by_value)
end
