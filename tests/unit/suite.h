/* The main() every unit test shares: run one suite, speak TAP. */
#ifndef SLOTH_TESTS_SUITE_H
#define SLOTH_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Takes: suite.  Returns the exit code. */
static inline int
suite_run(Suite *suite)
{
	SRunner *sr = srunner_create(suite);
	int failed;

	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
