// SPDX-License-Identifier: MIT
/* What is said of the input of a load and of the output of a store. */
#include <fcntl.h>

#include "unit.h"

static void says(const struct gmem_error *err, int fd, const char *what)
{
	assert_int_equal(err->value, fd);
	assert_string_equal(err->msg, what);
}

static void an_input_is_read(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_load_opts o = { .sz = sizeof(o),
				    .flags = GMEM_LOAD_INPUT_OFFSET };
	int fd = unit_input(u, "text", 4, 0);
	struct gmem_error err;

	t_refused(gmem_load(g, 0, fd, 4, &o, &err), -ESPIPE,
		  GMEM_REASON_NO_POSITION, err);
	says(&err, fd,
	     "the input has no offsets: it is a pipe, a socket or a device");
	unit_reset(u);
	unit_answer(u, "read", 0, 1, 1, -EIO);
	t_refused(gmem_load(g, 0, fd, 4, NULL, &err), -EIO, GMEM_REASON_INPUT,
		  err);
	says(&err, fd, "reading the input failed with EIO");
	assert_int_equal(unit_sys.close(u, fd), 0);
	t_refused(gmem_load(g, 0, fd, 4, NULL, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	says(&err, fd, "the input cannot be read");
}

static void an_output_is_written(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET };
	int fd = unit_memfd(u, "", 0, 0);
	struct gmem_error err;

	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	t_refused(gmem_store(g, 0, fd, 4, &o, &err), -ESPIPE,
		  GMEM_REASON_NO_POSITION, err);
	says(&err, fd,
	     "the output has no offsets: it is a pipe, a socket or a device, "
	     "or appends");
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	unit_reset(u);
	unit_answer(u, "pwrite64", 0, 1, 1, -ENOSPC);
	t_refused(gmem_store(g, 0, fd, 4, &o, &err), -ENOSPC,
		  GMEM_REASON_OUTPUT, err);
	says(&err, fd, "writing the output failed with ENOSPC");
	assert_int_equal(unit_sys.close(u, fd), 0);
	t_refused(gmem_store(g, 0, fd, 4, NULL, &err), -EBADF,
		  GMEM_REASON_BAD_FD, err);
	says(&err, fd, "the output cannot be written");
}

/* It has offsets; that it cannot be written is another thing. */
static void an_output_that_is_only_open_for_reading(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, MiB, SHARED_FLAGS);
	struct gmem_store_opts o = { .sz = sizeof(o),
				     .flags = GMEM_STORE_OUTPUT_OFFSET };
	int fd = open("/proc/self/exe", O_RDONLY);
	struct gmem_error err;

	assert_true(fd >= 0);
	unit_answer(u, "fcntl", 0, 1, 1, 0);
	t_refused(gmem_store(g, 0, fd, 4, &o, &err), -EBADF, GMEM_REASON_BAD_FD,
		  err);
	says(&err, fd, "the output cannot be written");
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_input_is_read, unit_default),
		TEST(an_output_is_written, unit_default),
		TEST(an_output_that_is_only_open_for_reading, unit_default),
	};

	return t_main(tests);
}
