#!/usr/bin/env bats
# sloth-runner hook new: values are checked before anything is written, and can be nothing but values.

load functions
load pages
bats_require_minimum_version 1.5.0
setup() {
	export HOME=$BATS_TEST_TMPDIR/home
	mkdir "$HOME"
	start_fsd
}
teardown() { cleanup; }

# refused CODE SENTENCE COMMAND...: the command fails with the code and just this sentence; no hook is there.
refused() {
	local code=$1 sentence=$2
	shift 2
	run --separate-stderr "$@"
	[ "$status" -eq "$code" ] && [ -z "$output" ] && [ "$stderr" = "error: $sentence" ] && [ -z "$(ls "$MNT/hooks")" ] || {
		echo "exit code $status: $stderr"
		return 1
	}
}

@test "mistakes are one sentence, exit code 2, and no hook" {
	new='sloth-runner hook new h'
	refused 2 "a new hook needs a name: hook new NAME --template T" sloth-runner hook new --template webhook
	refused 2 "say which template: --template T; sloth-runner hook templates lists them" $new
	refused 2 "there is no template 'webhok'; sloth-runner hook templates lists them" $new -t webhok
	refused 2 "template 'webhook' needs 'url', the address that takes a POST of JSON: --set url=VALUE" $new -t webhook
	refused 2 "template 'webhook' has no parameter 'ulr'; it has url, events, member, prefix, timeout" \
		$new -t webhook --set ulr=http://x
	refused 2 "'url' of template 'webhook' has to be an address that begins with http:// or https://, not 'ftp://x'" \
		$new -t webhook --set url=ftp://x
	refused 2 "'timeout' of template 'webhook' has to be a duration such as 30s or 1h30m, not 'soon'" \
		$new -t webhook --set url=http://x --set timeout=soon
	refused 2 "'attempts' of template 'forward' has to be a number, not '5x'" $new -t forward --set attempts=5x
	refused 2 "'delete' of template 'clean_disk' has to be true or false, not 'yes'" $new -t clean_disk --set delete=yes
	refused 2 "'directory' of template 'clean_disk' has to be a path that begins with / or ~/, not 'tmp'" \
		$new -t clean_disk --set directory=tmp
	refused 2 "'steps' of template 'pipeline' has to be texts with commas between, or a JSON array of them, not '[1]'" \
		$new -t pipeline --set 'steps=[1]'
	refused 2 "'--set url' has to be --set NAME=VALUE" $new -t webhook --set url
	refused 2 "'a/b' cannot be the name of a hook: 1 to 64 of A-Z a-z 0-9 _ . -" sloth-runner hook new a/b -t notify
	run --separate-stderr $new -t notify --stack nowhere
	[ "$status" -eq 1 ]
	[[ $stderr == "error: stack 'nowhere' does not exist"* ]]
}

@test "a hook is not replaced without --force" {
	sloth-runner hook new h -t notify
	run --separate-stderr sloth-runner hook new h -t escalate
	[ "$status" -eq 1 ]
	[ "$stderr" = "error: hook 'h' exists already; --force replaces it" ]
	cmp "$MNT/hooks/h.lua" "$MNT/templates/hooks/notify.lua" # defaults fill nothing in
	sloth-runner hook new h -t escalate --force
	cmp "$MNT/hooks/h.lua" "$MNT/templates/hooks/escalate.lua"
}

@test "a value is a value, whatever is in it" {
	cat >"$BATS_TEST_TMPDIR/say.lua" <<-'LUA'
	-- Say it.
	local text = "" -- param text: what to say
	local list = { "a", "b" } -- param list: and that
	return { event_type = "t.x", execute = function() return true, json.encode({ text = text, list = list }) end }
	LUA
	for value in '"; os.execute("touch ~/x") --' "']]\\" '\' '\n' $'two\nlines\ttab\r' '-- param text: x' '%s ü ]==]' \
		$'\x7f\x01' '${HOME}$(touch ~/x)' '' ' '; do
		sloth-runner hook new h --force -t "$BATS_TEST_TMPDIR/say.lua" --set "text=$value" \
			--set "list=$(jq -nc --arg v "$value" '[$v, "c"]')"
		id=$(emit '{"type":"t.x"}')
		timeout 100 cat "$MNT/events/$id/wait" >/dev/null
		jq -e --arg v "$value" '. == {text: $v, list: [$v, "c"]}' "$MNT/events/$id/hooks/h/message"
		# what was made is a template again, and says what it holds
		sloth-runner hook new h --force -t "$MNT/hooks/h.lua" --set list=a,,b
		id=$(emit '{"type":"t.x"}')
		timeout 100 cat "$MNT/events/$id/wait" >/dev/null
		jq -e --arg v "$value" '. == {text: $v, list: ["a", "b"]}' "$MNT/events/$id/hooks/h/message"
	done
	[ -z "$(ls -A "$HOME")" ]
}

@test "--event is the parameter events, --stack the place" {
	mkdir "$MNT/stacks/prod"
	run -0 sloth-runner hook new h -t notify --event deploy.failed,task.* --stack prod -o json
	[ "$(jq -c .event_types <<<"$output")" = '["deploy.failed","task.*"]' ]
	[ "$(jq -r .label <<<"$output")" = h@prod ]
	grep -qx 'local events = { "deploy.failed", "task.\*" } -- param list: .*' "$MNT/stacks/prod/hooks/h.lua"
	[ -z "$(cat "$MNT/stacks/prod/ctl/hooks/h/overrides")" ] # it stands in the script
}

@test "a template that does not load is taken back" {
	printf -- '-- Broken.\nlocal n = 1 -- param number: n\nreturn {{\n' >"$BATS_TEST_TMPDIR/broken.lua"
	run --separate-stderr sloth-runner hook new h -t "$BATS_TEST_TMPDIR/broken.lua"
	[ "$status" -eq 1 ]
	[[ $stderr == "error: 'h' was not added: broken: hooks/h.lua:"* ]]
	[ -z "$(ls "$MNT/hooks")" ]
	printf -- '-- Odd.\nlocal n = 1 -- param numbr: n\n' >"$BATS_TEST_TMPDIR/broken.lua"
	run --separate-stderr sloth-runner hook new h -t "$BATS_TEST_TMPDIR/broken.lua"
	[ "$status" -eq 2 ]
	[[ $stderr == *"broken.lua', line 2: a parameter is declared as local NAME = VALUE -- param TYPE[, required]: HELP" ]]
}

@test "templates are listed with their parameters" {
	run -0 sloth-runner hook templates
	for template in $(ls "$MNT/templates/hooks"); do
		grep -qx "${template%.lua}" <<<"$output"
	done
	[[ $output == *"(required)"* ]]
	[ "$(sloth-runner hook new --list)" = "$output" ]
	run -0 sloth-runner hook templates -o json
	[ "$(jq -r '.[].name' <<<"$output" | sort)" = "$(ls "$MNT/templates/hooks" | sed 's/\.lua$//')" ]
	jq -e '.[] | select(.name == "webhook") | .parameters[0] == {name: "url", type: "url", required: true,
		default: null, help: "the address that takes a POST of JSON"}' <<<"$output"
	jq -e '.[] | select(.name == "escalate") | [.parameters[] | .default] ==
		[["task.failed"], "task_name", 3, "10m", "alert.escalated"]' <<<"$output"
	[ "$(jq '[.[] | select((.parameters | length) < 2 or (.description | length) < 10)] | length' <<<"$output")" -eq 0 ]
	run -0 sloth-runner hook templates webhook -o json
	[ "$(jq length <<<"$output")" -eq 1 ]
}

@test "every default is a value its parameter takes" {
	sloth-runner hook templates -o json | jq -r '.[] | .name as $t | .parameters[] | select(.required | not) |
		[$t, .name, (.default | if type == "array" then tojson else tostring end)] | @tsv' >"$BATS_TEST_TMPDIR/defaults"
	while IFS=$'\t' read -r template name value; do
		sets=(--set "$name=$value")
		for required in $(sed -n 's/^local \([a-z_]*\) = nil -- param \(url\|path\|list\), required: .*/\1=\2/p' "$MNT/templates/hooks/$template.lua"); do
			case ${required#*=} in url) v=http://127.0.0.1:1/ ;; path) v=/nowhere ;; list) v=true ;; esac
			sets+=(--set "${required%%=*}=$v")
		done
		sloth-runner hook new h --force -t "$template" "${sets[@]}" >/dev/null
	done <"$BATS_TEST_TMPDIR/defaults"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/defaults")" -gt 30 ]
}

@test "the guide about templates prints what it says" {
	run_page "$TOP/docs/guides/templates.md"
	[ "$steps" -gt 20 ]
}
