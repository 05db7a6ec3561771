#!/usr/bin/env bats
# What cannot be meant is refused by sloth-runner at once, with a sentence that says what to do instead.

load functions
bats_require_minimum_version 1.5.0

setup() {
	start_fsd
	printf 'return { event_type = "task.failed", execute = function() return true end }\n' >"$BATS_TEST_TMPDIR/ok.lua"
}
teardown() { cleanup; }

# refused CODE PART COMMAND...: it ends with that code and one line on standard error that has the part.
refused() {
	local code=$1 part=$2 errors
	shift 2
	run -"$code" timeout 30 bash -c '"$@" 2>"$0"' "$BATS_TEST_TMPDIR/err" "$@"
	errors=$(cat "$BATS_TEST_TMPDIR/err")
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" = 1 ] && [[ $errors == "error: "*"$part"* ]] && [ -z "$output" ] ||
		{ printf '%s\n' "$* printed: $output" "and said: $errors" "not: $part"; return 1; }
}

@test "flags that contradict each other, or have nothing to say" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	refused 2 "--limit and --all exclude each other" sloth-runner events list --all --limit 3
	refused 2 "--limit is for --history" sloth-runner hook show ok --limit 3
	refused 2 "by their ids or by --type, --status, --stack, --severity, --text, --since, --until, not both" \
		sloth-runner events replay 0123abcd --type task.failed
	refused 2 "say which events: their ids, or --type, --status" sloth-runner events replay
}

@test "a limit of nothing" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	for command in "events list" "events watch" "hook logs ok" "hook show ok --history" "hook why ok"; do
		# shellcheck disable=SC2086 # words
		refused 2 "--limit is a number from 1 to 9999999, not '0'" sloth-runner $command --limit 0
	done
}

@test "what no event can have is not looked for, nor waited for" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	for command in "events list" "events replay --dry-run"; do
		# shellcheck disable=SC2086 # words
		refused 2 "none of debug, info, warning, error, critical; did you mean 'warning'?" \
			sloth-runner $command --severity warnin
		# shellcheck disable=SC2086 # words
		refused 2 "'Task.failed' is not an event type; did you mean 'task.failed'?" sloth-runner $command --type Task.failed
		# shellcheck disable=SC2086 # words
		refused 2 "nothing lies between them; exchange them" sloth-runner $command --since 1h --until 2h
	done
	refused 2 "did you mean 'task.failed'?" sloth-runner events watch --type Task.failed
	refused 2 "none of debug, info" sloth-runner events watch --filter severity=loud
	refused 2 "'Task.*' is not an event type" sloth-runner hook why ok --type 'Task.*'
	refused 2 "must be a word or category.action" sloth-runner hook test ok --event-type 'Task Failed'
}

@test "a type that could be and that nobody knows is pointed out" {
	run -0 --separate-stderr sloth-runner events list --type tsk.failed
	[ "$output" = "No events." ]
	[[ $stderr == "warning: no known event type is 'tsk.failed'; did you mean 'task.failed'?"* ]]
	run -0 --separate-stderr sloth-runner events list --type 'nothing.*' -o json
	[ "$output" = "[]" ]
	[[ $stderr == "warning: no known event type is 'nothing.*'"* ]]
	run -0 --separate-stderr sloth-runner events list --type task.failed
	[ -z "$stderr" ]
	timeout 100 sloth-runner events watch --type tsk.failed --limit 1 >"$BATS_TEST_TMPDIR/seen" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	wait_for 10 'grep -q "no known event type is .tsk.failed." "$BATS_TEST_TMPDIR/err"'
	wait_for 10 'sloth-runner events emit tsk.failed >/dev/null && [ -s "$BATS_TEST_TMPDIR/seen" ]'
	wait "$!"
}

@test "data that is no object" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	refused 2 "--mock-data is a JSON object such as {\"name\":\"value\"}, not an array" sloth-runner hook test ok --mock-data '[]'
	refused 2 "not a string" sloth-runner hook test ok --mock-data '"x"'
	refused 2 "--mock-data is not JSON: line 1, column 1:" sloth-runner hook test ok --mock-data '{'
}

@test "a word that is nearly one is told which" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	refused 2 "unknown flag '--limt'; did you mean '--limit'?" sloth-runner hook why ok --limt=3
	refused 2 "unknown flag '--scrpt'; did you mean '--script'?" sloth-runner hook add x --scrpt y
	refused 2 "unknown flag '-q' (see 'sloth-runner hook why --help')" sloth-runner hook why ok -q
	refused 1 "hook 'okk' is not registered; did you mean 'ok'?" sloth-runner hook get okk
	refused 1 "hook 'nothing' is not registered (sloth-runner hook list)" sloth-runner hook get nothing
	run -0 --separate-stderr sloth-runner hook list --event task.faild
	[[ $stderr == "warning: no known event type is 'task.faild'; did you mean 'task.failed'?"* ]]
	[[ $output == "No hooks of that kind."* ]]
}

@test "what is said twice, or says nothing, is no data and no event" {
	refused 2 "'a' is given twice" sloth-runner events emit custom.x a=1 b=2 a=3
	for event in '' , ' , '; do
		refused 2 "--event names no event" sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua" --event "$event"
	done
	[ ! -e "$MNT/hooks/ok.lua" ]
	run -1 sloth-runner hook check "$BATS_TEST_TMPDIR"
	[ "$output" = "$BATS_TEST_TMPDIR:1: cannot be read: Is a directory" ]
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	sloth-runner hook remove ok -y
	[ ! -e "$MNT/hooks/ok.lua" ]
}

@test "the hint for a missing stack can be pasted as it is" {
	local hint
	refused 1 "make it: mkdir $MNT/stacks/prod" sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua" --stack prod
	SLOTH_RUNNER_MOUNT="$BATS_TEST_TMPDIR/a mount's"
	ln -s "$MNT" "$SLOTH_RUNNER_MOUNT"
	run -1 sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua" --stack prod
	hint=${output#*make it: }
	bash -c "$hint"
	[ -d "$MNT/stacks/prod" ]
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua" --stack prod
	refused 2 "'a b' cannot be the name of a stack" sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua" --stack 'a b'
}

@test "a hook is told of once, however often it is named" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	sloth-runner hook stats ok ok ok@ -o json | jq -e 'length == 1'
	refused 1 "hook 'nope' is not registered" sloth-runner hook stats ok nope
}

@test "the priority of a hook is taken by hook add, or refused and no hook is left" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua" --priority -7
	[ "$(cat "$MNT/ctl/hooks/ok/priority")" = -7 ]
	for bad in 101 -101 x 1.5; do
		refused 2 "priority" sloth-runner hook add bad --script "$BATS_TEST_TMPDIR/ok.lua" --priority "$bad"
		grep -q -- "-100 to 100" "$BATS_TEST_TMPDIR/err"
		[ ! -e "$MNT/hooks/bad.lua" ]
	done
}

@test "a hook add that is refused leaves the settings as they were, too" {
	local flags=(--description new --enabled=false --priority 7 --event)
	refused 2 "'Bad' is not an event type" sloth-runner hook add ok --script "$BATS_TEST_TMPDIR/ok.lua" "${flags[@]}" 'Bad Type'
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	[ -z "$(cat "$MNT/ctl/hooks/ok/overrides")" ]
	[ "$(cat "$MNT/ctl/hooks/ok/status")" = ok ]
	echo "of before" >"$MNT/ctl/hooks/ok/description"
	echo "a.b c.*" >"$MNT/ctl/hooks/ok/event"
	cat "$MNT/ctl/hooks/ok/overrides" >"$BATS_TEST_TMPDIR/before"
	refused 2 "'Bad' is not an event type" sloth-runner hook add ok --script "$BATS_TEST_TMPDIR/ok.lua" --force "${flags[@]}" 'd.e,Bad'
	diff "$BATS_TEST_TMPDIR/before" "$MNT/ctl/hooks/ok/overrides"
	sloth-runner hook add ok --script "$BATS_TEST_TMPDIR/ok.lua" --force "${flags[@]}" d.e,f.*
	[ "$(cat "$MNT/ctl/hooks/ok/event" | xargs)" = "d.e f.*" ]
	[ "$(cat "$MNT"/ctl/hooks/ok/{enabled,description,priority} | xargs)" = "0 new 7" ]
}

@test "what was cut off is said" {
	sloth-runner hook add "$BATS_TEST_TMPDIR/ok.lua"
	for i in 1 2 3; do sloth-runner events emit task.failed --id "n-$i" --wait; done
	run -0 --separate-stderr sloth-runner hook show ok --history --limit 2
	[[ $stderr == "showing 2 of 3; use --limit for more" ]]
	run -0 --separate-stderr sloth-runner hook why ok --type task.failed --limit 2 -o json
	[ "$(jq -r 'map(.event_id) | join(" ")' <<<"$output")" = "n-3 n-2" ]
	[[ $stderr == "showing the newest 2; use --limit for more" ]]
	run -0 --separate-stderr sloth-runner hook why ok --type task.failed --limit 3
	[ -z "$stderr" ]
}
