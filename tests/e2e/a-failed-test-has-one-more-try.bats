#!/usr/bin/env bats
# tools/dev/prove: what fails beside other tests and holds alone is accepted and named; nothing else is.

load functions

# test_file NAME COMMANDS: a test that runs them; those of first_time only when it runs first.
test_file() {
	printf '%s\n' '#!/bin/bash' "$2" >"$BATS_TEST_TMPDIR/$1"
	chmod +x "$BATS_TEST_TMPDIR/$1"
}
first_time() { echo "[ -e $BATS_TEST_TMPDIR/seen ] && { echo 1..1; echo ok 1; exit; }; touch $BATS_TEST_TMPDIR/seen; echo 1..1; $1"; }
prove_all() { run "$TOP/tools/dev/prove" '' "$BATS_TEST_TMPDIR"/t*; }

setup() { test_file t0 'echo 1..1; echo ok 1'; }

@test "a test that fails once is named, and its second run decides" {
	test_file t1 "$(first_time 'echo not ok 1')"
	prove_all
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "passed only when run by itself: $BATS_TEST_TMPDIR/t1" ]
	grep -q 'Failed test:  1' <<<"$output" # the first result is told as well
	[ "$(grep -c "$BATS_TEST_TMPDIR/t0 \.* ok" <<<"$output")" -eq 1 ]
}

@test "a test that fails twice fails the run" {
	test_file t1 "$(first_time 'echo not ok 1')"
	test_file t2 'echo 1..1; echo not ok 1'
	prove_all
	[ "$status" -ne 0 ]
	[ "${lines[-1]}" = "failed twice: $BATS_TEST_TMPDIR/t2" ]
	[ "${lines[-2]}" = "passed only when run by itself: $BATS_TEST_TMPDIR/t1" ]
}

@test "what a sanitizer, an assertion or a fuzzer found has no second try, nor has a crash" {
	for what in '==1==ERROR: AddressSanitizer: heap-use-after-free' 'x.c:1:2: runtime error: shift' \
		"fsd: x.c:1: f: Assertion \`a' failed." '# input in base64:' 'x.c:1: (after this point) Received signal 11'; do
		rm -f "$BATS_TEST_TMPDIR/seen"
		test_file t1 "$(first_time "printf '%s\\n' $(printf %q "$what") >&2; echo not ok 1")"
		prove_all
		[ "$status" -ne 0 ]
		! grep -q 'once more' <<<"$output"
	done
	rm -f "$BATS_TEST_TMPDIR/seen"
	test_file t1 "$(first_time 'kill -SEGV $$')"
	prove_all
	[ "$status" -ne 0 ]
	! grep -q 'once more' <<<"$output"
}
