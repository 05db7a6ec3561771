#!/usr/bin/env bats
# tools/gen/rows.lua: good rows become a table, a header and a page; a bad row is named by file and line.

setup() {
	dir=$(mktemp -d)
	gen="lua5.4 $BATS_TEST_DIRNAME/../../tools/gen/rows.lua"
	cat >"$dir/base.rows" <<'ROWS'
# a comment

/               0755 dir - - - "the root"
/stacks         0755 dir - stacks_edit - "stacks"
/stacks/{stack} 0755 dir stacks_set - - "a stack"
ROWS
}

teardown() {
	rm -rf "$dir"
}

# refuses ROW SENTENCE: the row is line 1 of bad.rows.
refuses() {
	printf '%s\n' "$1" >"$dir/bad.rows"
	run $gen c "$dir/base.rows" "$dir/bad.rows"
	[ "$status" -eq 1 ]
	[ "$output" = "$dir/bad.rows:1: $2" ] || {
		echo "$output"
		return 1
	}
}

@test "good rows compile, siblings together and the parameter last" {
	cat >"$dir/good.rows" <<'ROWS'
~/things          0755 dir   - -  notify "things with \ and ""quotes"""
~/things/{thing}  0644 value thing_set:thing_read thing_write - "one"
~/things/all      0444 text  all_read - unlisted,group "all"
/emit             0660 rpc   emit_ops - fresh,group "emit"
ROWS
	$gen c "$dir/base.rows" "$dir/good.rows" >"$dir/rows.c"
	$gen h "$dir/base.rows" "$dir/good.rows" >"$dir/handlers.h"
	root="$BATS_TEST_DIRNAME/../.."
	cat >"$dir/print.c" <<'C'
#include "rows.c"
#include <stdio.h>
const struct node_set thing_set, stacks_set;
const struct dir_edit stacks_edit;
const struct rpc_ops emit_ops;
int thing_read(struct node *node, struct sbuf *out, struct err *err) { (void)node, (void)out, (void)err; return 0; }
int all_read(struct node *node, struct sbuf *out, struct err *err) { return thing_read(node, out, err); }
int thing_write(struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{ (void)node, (void)text, (void)len, (void)req, (void)err; return 0; }
int main(void)
{
	for (unsigned i = 0; i < tree_row_count; i++) {
		const struct row *row = &tree_rows[i];
		printf("%u %s parent=%u children=%u+%u flags=%u mode=%o room=%s%s\n", i, row->path, row->parent,
			row->first_child, row->child_count, row->flags, row->mode, row->room, row->set ? " set" : "");
	}
}
C
	gcc -I"$dir" -I"$root" -D_GNU_SOURCE -o "$dir/print" "$dir/print.c"
	run "$dir/print"
	expected='0 / parent=0 children=1+3 flags=0 mode=755 room=base
1 /stacks parent=0 children=4+1 flags=0 mode=755 room=base
2 /things parent=0 children=5+2 flags=4 mode=755 room=good
3 /emit parent=0 children=0+0 flags=10 mode=660 room=good
4 /stacks/{stack} parent=1 children=7+1 flags=16 mode=755 room=base set
5 /things/all parent=2 children=0+0 flags=9 mode=444 room=good
6 /things/{thing} parent=2 children=0+0 flags=16 mode=644 room=good set
7 /stacks/{stack}/things parent=4 children=8+2 flags=4 mode=755 room=good
8 /stacks/{stack}/things/all parent=7 children=0+0 flags=9 mode=444 room=good
9 /stacks/{stack}/things/{thing} parent=7 children=0+0 flags=16 mode=644 room=good set'
	[ "$output" = "$expected" ] || {
		diff <(echo "$expected") <(echo "$output")
		return 1
	}
}

@test "the page lists each declared row once" {
	printf '%s\n' '~/a 0444 text a_read - unlisted "reads a | b"' >"$dir/good.rows"
	run $gen doc "$dir/base.rows" "$dir/good.rows"
	[ "$status" -eq 0 ]
	[[ "$output" == *'| `a` | 0444 | text | reads a \| b | *stack too*, not listed |'* ]]
	[[ "$output" == *'| `stacks/<stack>` | 0755 | directory | a stack |  |'* ]]
	[[ "$output" != *'stacks/<stack>/a'* ]]
}

@test "a row that is no row" {
	refuses '/x 0444 text x_read - -' 'a row is: path mode kind read write flags "help"'
	refuses 'x 0444 text x_read - - "x"' 'a row is: path mode kind read write flags "help"'
}

@test "bad paths" {
	refuses '/a//b 0444 text x_read - - "x"' "path '/a//b' has an empty component"
	refuses '/a/ 0444 text x_read - - "x"' "path '/a/' has an empty component"
	refuses '/{x}.lua 0444 text x_read - - "x"' "component '{x}.lua' is neither a name nor a whole {param}"
	refuses '/.help 0444 text x_read - - "x"' "'.help' is a name the tree makes itself"
	refuses '/{x}/{x} 0444 text x_read - - "x"' "parameter {x} stands twice in the path"
	refuses '/a/b 0444 text x_read - - "x"' "its directory '/a' has no row"
}

@test "bad columns" {
	refuses '/a 444 text x_read - - "x"' "mode '444' is not four octal digits like 0644"
	refuses '/a 0444 txt x_read - - "x"' "unknown kind 'txt'"
	refuses '/a 0444 text x_read - hidden "x"' "unknown flag 'hidden'; known are fresh, group, notify, quiet, unlisted"
	refuses '/a 0444 text x_read - - ""' "the help text is empty"
	refuses '/a 0444 text - - - "x"' "a text row needs a handler in the read column"
	refuses '/a 0644 value x_read - - "x"' "a value row needs a handler in the write column"
	refuses '/a 0444 text x_read x_write - "x"' "a text row has no handler in the write column; write '-'"
	refuses '/a 0444 text x-read - - "x"' "'x-read' is not the name of a handler"
}

@test "sets of names" {
	refuses '/{a} 0755 dir - - - "x"' "a row that ends in {a} must name the set of its names (in the read column)"
	refuses '/{a} 0444 text x_read - - "x"' \
		"a row that ends in {a} must name the set of its names (as set:handler in the read column)"
	refuses '/a 0755 dir a_set - - "x"' "only a row that ends in a {param} has a set of names, not '/a'"
}

@test "rows that contradict each other" {
	refuses '/stacks 0755 dir - - - "x"' "'/stacks' is declared already, at $dir/base.rows:4"
	refuses '/stacks/{other} 0755 dir other_set - - "x"' \
		"'/stacks' has a {param} row already, at $dir/base.rows:5"
	refuses '/stacks/{stack}/a 0444 text stacks_set - - "x"' \
		"'stacks_set' is used as const struct node_set and as text_read_fn"
	printf '%s\n' '/a 0444 text x_read - - "x"' '/a/b 0444 text x_read - - "x"' >"$dir/bad.rows"
	run $gen c "$dir/base.rows" "$dir/bad.rows"
	[ "$output" = "$dir/bad.rows:2: its parent '/a' is a text, not a dir" ]
}

@test "a tree has a root, and rows a file of their own" {
	printf '%s\n' '/a 0444 text x_read - - "x"' >"$dir/bad.rows"
	run $gen c "$dir/bad.rows"
	[ "$status" -eq 1 ] && [ "$output" = "no row declares the root directory '/'" ]
	run $gen c "$dir/bad.txt"
	[ "$status" -eq 1 ] && [ "$output" = "$dir/bad.txt: a file of rows is named <room>.rows" ]
	run $gen
	[ "$status" -eq 2 ]
}
