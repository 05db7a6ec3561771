#!/usr/bin/env bats
# modules/ says what hooks may call, to people and to language servers: all of it, and nothing else.

load functions
setup() {
	start_fsd
	DOCS=$MNT/modules/.luals
}
teardown() { cleanup; }

# modules: the modules a worker has, from its sources.
modules() {
	{
		sed -n 's/^\t{"\([a-z_]*\)", module_[a-z_]*},$/\1/p' "$TOP/lua/modules/modules.c"
		find "$TOP/lua/sloth" -name '*.lua' -printf '%f\n' 2>/dev/null | sed 's/\.lua$//'
	} | sort
}

# documented NAME...: the functions that the definition files of these modules define, by running them.
documented() {
	lua5.4 - "$DOCS" "$@" <<-'LUA'
	local env = { math = {}, table = {} }
	for i = 2, #arg do assert(loadfile(arg[1] .. "/" .. arg[i] .. ".lua", "t", env))() end
	for name, value in pairs(env) do
		if type(value) == "function" then print(name) end
		for key, member in pairs(type(value) == "table" and value or {}) do
			if type(member) == "function" then print(name .. "." .. key) end
		end
	end
	LUA
}

# run_hook: run the body on standard input in a hook and show its output.
run_hook() {
	local id
	{ echo 'return { event_type = "t.x", execute = function()'; cat; echo 'return true end }'; } | add_hook body
	id=$(emit '{"type":"t.x"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ] || cat "$MNT/events/$id/hooks/body/error"
	cat "$MNT/events/$id/hooks/body/output"
}

@test "every function of every module of a worker is documented, and no other" {
	mapfile -t names < <(modules)
	[ "${#names[@]}" -gt 10 ]
	[ "$(ls "$MNT/modules" | grep -vx -e hook -e lua)" = "$(modules)" ]
	run_hook >"$BATS_TEST_TMPDIR/real" <<-LUA
	for name in ("${names[*]}"):gmatch("%S+") do
		local module = require(name)
		if type(module) == "function" then print(name) end
		for key, member in pairs(type(module) == "table" and module or {}) do
			if type(member) == "function" then print(name .. "." .. key) end
		end
	end
	LUA
	documented "${names[@]}" >"$BATS_TEST_TMPDIR/said"
	grep -qx exec.run "$BATS_TEST_TMPDIR/said"
	diff <(sort "$BATS_TEST_TMPDIR/said") <(sort "$BATS_TEST_TMPDIR/real")
	for function in $(cat "$BATS_TEST_TMPDIR/said"); do
		key=${function#*.}
		grep -qE "^(${function//./\\.}|${function%.*}\\[\"$key\"\\])(\\(|:)" "$MNT/modules/${function%%.*}" ||
			{ echo "modules/${function%%.*} does not tell of $function"; return 1; }
	done
}

@test "what is said to be there beside Lua's library is there" {
	[ "$(documented lua | sort | tr '\n' ' ')" = "loadstring math.pow table.getn unpack " ]
	[ "$(run_hook <<<'print(type(loadstring), type(unpack), math.pow(2, 3), table.getn({ 1, 2 }))')" = \
		"$(printf 'function\tfunction\t8.0\t2')" ]
}

@test "annotations say what is in a hook's table: each field that scripts may give" {
	add_hook a <<<'return { event_type = "t.x", execute = function() return true end }'
	settings=$(find "$MNT/ctl/hooks/a" -maxdepth 1 -perm 644 -printf '%f\n' | grep -vx event)
	[ "$(wc -w <<<"$settings")" -gt 15 ]
	for field in $settings $(sed -n 's/^\t{"\([a-z_]*\)", FIELD_.*/\1/p' "$TOP/lua/host/meta.c"); do
		grep -q "^---@field $field? [^ ]" "$DOCS/hook.lua" || { echo "not said: $field"; return 1; }
		grep -q "^    $field? " "$MNT/modules/hook"
	done
	grep -q '^---@field timeout? number|string how long it may run' "$DOCS/hook.lua"
	grep -q '^---@field retries? string|number|table how often' "$DOCS/hook.lua"
	grep -q '^---@field once_within? string|number|boolean ' "$DOCS/hook.lua"
	grep -q '^---@field event_type? string|string\[\] ' "$DOCS/hook.lua"
	[ "$(grep -c '^---@field timeout' "$DOCS/hook.lua")" -eq 1 ]
}

@test "annotations say what is in an event, all of it and nothing else" {
	mkdir "$MNT/stacks/prod"
	add_hook first <<-'LUA'
	local data = {}
	for name in ("task agent resource workflow deploy health schedule state secret stack_data backup db " ..
			"network security file custom system"):gmatch("%S+") do
		data[name] = { name = name }
	end
	return { event_type = "t.x", execute = function(event)
		return event.dispatch("t.y", data, { severity = "info", run_id = "r", source = "s", stack = "prod" })
	end }
	LUA
	cat >"$MNT/stacks/prod/hooks/second.lua" <<-'LUA'
	return { event_type = "t.y", execute = function(event)
		for name in pairs(event) do print(name) end
		return true
	end }
	LUA
	wait_for 5 'grep -qsx ok "$MNT/stacks/prod/ctl/hooks/second/status"'
	id=$(emit '{"type":"t.x"}')
	timeout 100 cat "$MNT/events/$id/wait"
	id=$(ls "$MNT/events/$id/effects")
	timeout 100 cat "$MNT/events/$id/wait"
	diff <(sort "$MNT/events/$id/hooks/second@prod/output") \
		<(sed -n '/^---@class Event$/,/^event = /s/^---@field \([a-z_]*\).*/\1/p' "$DOCS/event.lua" | sort)
}

@test "a parameter that is documented is one of the function" {
	for name in $(ls "$DOCS"); do
		lua5.4 -e 'assert(loadfile(arg[1], "t"))' "$DOCS/$name"
		awk '/^---@param / { n = $2; sub(/\?$/, "", n); said = said sep n; sep = ", " }
		     /^function |= function\(/ { match($0, /\(.*\) end/); got = substr($0, RSTART + 1, RLENGTH - 6)
				if (got != said) { print FILENAME ": " $0 " has " said; bad = 1 } }
		     !/^---/ { said = sep = "" }
		     END { exit bad }' "$DOCS/$name"
	done
}

@test "annotations name no type that is not declared" {
	cat "$DOCS"/*.lua >"$BATS_TEST_TMPDIR/all"
	sed -n 's/^---@\(class\|generic\) \([A-Za-z]*\).*/\2/p' "$BATS_TEST_TMPDIR/all" | sort -u >"$BATS_TEST_TMPDIR/declared"
	sed -nE 's/^---@(param|field) [^ ]+ ([^ ]+).*/\2/p; s/^---@return ([^ ]+).*/\1/p; s/^---@class [^:]+: //p' \
		"$BATS_TEST_TMPDIR/all" | grep -oE '\b[A-Z][A-Za-z]*' | sort -u >"$BATS_TEST_TMPDIR/used"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/used")" -gt 5 ]
	[ -z "$(comm -23 "$BATS_TEST_TMPDIR/used" "$BATS_TEST_TMPDIR/declared")" ]
}

@test "an editor that opens a hook finds the annotations through .luarc.json" {
	[ "$(jq -r '."runtime.version"' "$MNT/.luarc.json")" = "Lua 5.4" ]
	[ -e "$MNT/$(jq -r '."workspace.library"[0]' "$MNT/.luarc.json")/event.lua" ]
	[ -z "$(ls "$MNT" | grep luarc)" ] # a dot file
}

@test "a language server has no complaint about the templates" {
	requires lua-language-server
	mkdir "$BATS_TEST_TMPDIR/work"
	cp -r "$MNT/.luarc.json" "$MNT/modules" "$BATS_TEST_TMPDIR/work/"
	cp "$MNT"/templates/hooks/*.lua "$BATS_TEST_TMPDIR/work/"
	cd "$BATS_TEST_TMPDIR/work"
	lua-language-server --check . --checklevel Warning --logpath "$BATS_TEST_TMPDIR"
}

@test "the pages are made for reading" {
	head -n1 "$MNT/modules/event" | grep -qx event
	grep -qx 'event.dispatch(type, data?, options?) -> accepted, id' "$MNT/modules/event"
	[ "$(cat "$MNT"/modules/* | awk 'length > 200' | wc -l)" -eq 0 ]
}
