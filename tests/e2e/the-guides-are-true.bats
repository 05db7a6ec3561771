#!/usr/bin/env bats
# Every command of the guides prints what they say.

load functions
load pages
setup() { start_fsd; }
teardown() { cleanup; }

@test "hooks: every command prints what the page says" {
	run_page "$TOP/docs/guides/hooks.md"
	[ "$steps" -gt 20 ]
}

@test "conditions: every command prints what the page says" {
	requires jq
	run_page "$TOP/docs/conditions.md"
	[ "$steps" -gt 6 ]
}

@test "troubleshooting: every command prints what the page says" {
	requires jq
	run_page "$TOP/docs/guides/troubleshooting.md"
	[ "$steps" -gt 20 ]
}
