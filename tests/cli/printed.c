// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "printed.h"
#include "t.h"

static FILE *kept, *from;
static int was = -1; /* the descriptor of @from, meanwhile */

void printed_begin(FILE *stream)
{
	if (!kept)
		kept = tmpfile();
	assert_non_null(kept);
	from = stream;
	fflush(from);
	was = dup(fileno(from));
	assert_true(was >= 0);
	rewind(kept);
	assert_int_equal(ftruncate(fileno(kept), 0), 0);
	assert_true(dup2(fileno(kept), fileno(from)) >= 0);
}

void printed_drop(void)
{
	if (was < 0)
		return;
	fflush(from);
	dup2(was, fileno(from));
	close(was);
	was = -1;
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
