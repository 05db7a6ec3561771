#!/usr/bin/env bats
# The README's tour, command by command, against what it says is printed; and the published examples.

load functions
load pages
bats_require_minimum_version 1.5.0

setup() { export HOME=$BATS_TEST_TMPDIR BUILD; }
teardown() {
	[ ! -e "$STATE/master.json" ] || sloth-runner master stop
	cleanup
}

@test "every command of the tour prints what the README says" {
	"$TOP/tools/dev/run"
	run_page "$TOP/README.md"
	[ "$steps" -eq 10 ]
}

@test "every file the README and the other pages link to is there" {
	local page target
	for page in "$TOP"/README.md "$TOP"/docs/*.md "$TOP"/docs/*/*.md; do
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
