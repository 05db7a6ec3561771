/* Table-driven cases from tests/data/<name>.cases: an input line, a line with what is expected, an
 * empty line.  Lines that begin with # are comments. */
#ifndef SLOTH_TESTS_CASES_H
#define SLOTH_TESTS_CASES_H

#include <check.h>
#include <stdio.h>
#include <string.h>

/* Call fn for each case; fails the test when the file is missing or holds none. */
static inline void
each_case(const char *path, void (*fn)(const char *input, const char *expected))
{
	char lines[2][512], line[512];
	int at = 0, count = 0;
	FILE *f = fopen(path, "re");

	ck_assert_msg(f != NULL, "%s: cannot be read (run from the top of the source)", path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || (at == 0 && !line[0]))
			continue;
		memcpy(lines[at++], line, sizeof(line));
		if (at == 2) {
			fn(lines[0], lines[1]);
			at = 0;
			count++;
		}
	}
	(void)fclose(f);
	ck_assert_msg(count > 0 && at == 0, "%s: %d whole cases and %d odd lines", path, count, at);
}

#endif
