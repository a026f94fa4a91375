// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "printed.h"
#include "t.h"

static FILE *kept;
static int stdout_was = -1;

void printed_begin(void)
{
	if (!kept)
		kept = tmpfile();
	assert_non_null(kept);
	fflush(stdout);
	stdout_was = dup(STDOUT_FILENO);
	assert_true(stdout_was >= 0);
	rewind(kept);
	assert_int_equal(ftruncate(fileno(kept), 0), 0);
	assert_true(dup2(fileno(kept), STDOUT_FILENO) >= 0);
}

void printed_drop(void)
{
	fflush(stdout);
	if (stdout_was < 0)
		return;
	dup2(stdout_was, STDOUT_FILENO);
	close(stdout_was);
	stdout_was = -1;
}

const char *printed(void)
{
	static char text[8192];
	ssize_t n;

	printed_drop();
	n = pread(fileno(kept), text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}
