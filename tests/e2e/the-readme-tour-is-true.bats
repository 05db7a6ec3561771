#!/usr/bin/env bats
# The README's tour, command by command, against what it says is printed; and the published examples.

load functions
bats_require_minimum_version 1.5.0

setup() { export HOME=$BATS_TEST_TMPDIR BUILD; }
teardown() {
	[ ! -e "$STATE/master.json" ] || sloth-runner master stop
	cleanup
}

# masked: without what differs from run to run; a terminal's columns are no difference.
masked() {
	sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g; s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g' |
		tr -s ' \t\n' ' '
}

# Each command of the console blocks: calls step COMMAND EXPECTED.
each_step() {
	local line command= expected= inside=
	while IFS= read -r line; do
		case $inside$line in
		'```console') inside=yes ;;
		'yes```' | 'yes$ '*)
			[ -z "$command" ] || step "$command" "$expected" || return 1
			command= expected=
			if [ "$line" = '```' ]; then inside=; else command=${line#'$ '}; fi
			;;
		'yes> '*) command+=$'\n'${line#'> '} ;;
		yes*) expected+=$line$'\n' ;;
		esac
	done <"$TOP/README.md"
}

step() {
	local printed
	steps=$((steps + 1))
	printed=$(cd "$MNT" && timeout 20 bash -ec "$1" 2>&1) || { echo "failed: $1"; echo "$printed"; return 1; }
	[ "$(masked <<<"$printed")" = "$(masked <<<"${2%$'\n'}")" ] || {
		printf '%s\n' "command: $1" "printed: $printed" "README:  $2"
		return 1
	}
}

@test "every command of the tour prints what the README says" {
	"$TOP/tools/dev/run"
	steps=0
	each_step
	[ "$steps" -eq 10 ]
}

@test "every file the README and the other pages link to is there" {
	local page target
	for page in "$TOP"/README.md "$TOP"/docs/*.md "$TOP"/docs/decisions/*.md; do
		while read -r target; do
			[ -e "$(dirname "$page")/$target" ] || { echo "$page: no $target"; return 1; }
		done < <(grep -oE '\]\([^)#]+\)' "$page" | sed -E 's/^\]\(|\)$//g' | grep -v '^https\?:')
	done
}

@test "every published example runs on the event it names" {
	local hook
	"$TOP/tools/dev/run"
	sloth-runner events emit system.cpu_high '{"resource":{"current":93.5}}' --id hot-1 --wait
	sloth-runner events emit system.cpu_high '{"resource":{"current":95}}' --id hot-2 --wait
	grep -q '^scaling up from 93.5 percent' "$MNT/events/hot-1/hooks/cpu_cooldown/output"
	grep -q 'cooldown active' "$MNT/events/hot-2/hooks/cpu_cooldown/output"
	sloth-runner events emit deploy.started '{"deploy":{"deploy_id":"d-1","version":"v2"}}' --id good --wait
	[ "$(cat "$MNT"/events/good/effects/*/type)" = deploy.staging_success ]
	run -5 sloth-runner events emit deploy.started '{"deploy":{"deploy_id":"d-2","test_command":"false"}}' --id bad --wait
	[ "$(cat "$MNT"/events/bad/effects/*/type)" = deploy.failed ]
	grep -q 'tests failed' "$MNT/events/bad/hooks/deploy_pipeline/error"
	for hook in "$TOP"/docs/examples/hooks/*.lua; do
		[ -s "$MNT/ctl/hooks/$(basename "$hook" .lua)/log" ] || { echo "never ran: $hook"; return 1; }
	done
}
