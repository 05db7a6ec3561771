-- io.lines: the lines of a file, which is closed at the end of the loop.  Raises when the file cannot
-- be opened.  Without a name it reads standard input, which is empty.

local error = error

return function(open)
	return function(name, ...)
		if name == nil then
			return function() end
		end
		local file, problem = open(name)
		if not file then
			error(problem, 2)
		end
		return file:lines(...), nil, nil, file
	end
end
