#!/usr/bin/env bats
# The manual page and the guides speak of the commands and flags that sloth-runner has, and of no others.

load functions
bats_require_minimum_version 1.5.0

# offered: each command that help tells of, with its arguments, other names and flags.
offered() {
	local group command
	for group in $(commands_of ''); do
		for command in $(commands_of "$group"); do offered_by "$group $command"; done
		[ -n "$(commands_of "$group")" ] || offered_by "$group"
	done
	echo "Global flags"
	sloth-runner --help | flags_of 'Global Flags'
}

# shellcheck disable=SC2086 # words
commands_of() { sloth-runner $1 --help | awk '/^Available Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'; }

# flags_of TITLE: "-f, --script, --file FILE" a line.
flags_of() { awk -v title="$1:" '$0 == title { on = 1; next } /^$/ { on = 0 } on' | sed -E 's/^ +//; s/   .*//'; }

# shellcheck disable=SC2086 # words
offered_by() {
	sloth-runner $1 --help | sed -nE "s/^  sloth-runner ($1.*) \[flags\]$/\1/p; s/^  ${1##* },(.*)/Also: \1/p" | sed 's/,/, /g'
	sloth-runner $1 --help | flags_of Flags
}

# documented: the same of the manual page.
documented() {
	sed -n '/^\.SH COMMANDS/,/^\.SH FINDING/p' "$TOP/docs/man/sloth-runner.1" | sed -E 's/\\f[BIR]//g; s/\\-/-/g' |
		awk '/^\.SS / { print substr($0, 5) } /^Also: / { sub(/\.$/, ""); print } flag { print; flag = 0 } /^\.TP/ { flag = 1 }'
}

@test "the manual page is one, and has every command and flag there is and no other" {
	requires man
	[ -z "$(man --warnings -l "$TOP/docs/man/sloth-runner.1" 2>&1 >/dev/null)" ]
	run -0 man -l "$TOP/docs/man/sloth-runner.1"
	[[ $output == *SYNOPSIS* ]]
	[ "$(offered | wc -l)" -gt 100 ]
	diff <(offered) <(documented)
}

@test "every flag of the guides is one" {
	comm -23 <(grep -hoE 'sloth-runner [^|;&)`]*' "$TOP"/README.md "$TOP"/docs/*.md "$TOP"/docs/guides/*.md |
		grep -oE -- ' --[a-z-]+' | sed 's/ //' | sort -u) <(offered | grep -oE -- '--[a-z-]+' | sort -u) >"$BATS_TEST_TMPDIR/unknown"
	diff "$BATS_TEST_TMPDIR/unknown" /dev/null
}
