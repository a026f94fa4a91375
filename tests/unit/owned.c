// SPDX-License-Identifier: MIT
/* A file has one handle in a VM: two would be two records of one kernel. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static void refused(struct unit *m, int fd)
{
	struct gmem *again = NULL;

	t_refused(gmem_adopt(m->vm, fd, NULL, &again, &m->err), -EEXIST,
		  GMEM_REASON_ALREADY_OWNED, m->err);
	assert_null(again);
	assert_int_equal(m->err.value, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static int stray(struct unit *m)
{
	return unit_file_fd(m, gmem_vm_fd(m->vm), 64 * KiB, SHARED_FLAGS);
}

/* Adopts @fd; the calls are those that it made. */
static struct gmem *taken(struct unit *m, int fd)
{
	struct gmem *g = NULL;

	unit_reset(m);
	t_ok(gmem_adopt(m->vm, fd, NULL, &g, &m->err), m->err);
	return g;
}

static void the_kernel_is_asked_once_which_file_a_handle_has(void **state)
{
	struct unit *m = *state;

	taken(m, stray(m));
	assert_int_equal(unit_count(m, "fstat", 0), 1);
	taken(m, stray(m));
	assert_int_equal(unit_count(m, "fstat", 0), 1);
	unit_create(m, 64 * KiB, SHARED_FLAGS);
	taken(m, stray(m));
	assert_int_equal(unit_count(m, "fstat", 0), 2);
	taken(m, stray(m));
	assert_int_equal(unit_count(m, "fstat", 0), 1);
}

/* Also where it could not say which file that is. */
static void a_handle_is_known_by_its_own_descriptor(void **state)
{
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 64 * KiB, SHARED_FLAGS);

	unit_create(m, 64 * KiB, SHARED_FLAGS);
	unit_answer(m, "fstat", 0, 2, 2, -ENOMEM);
	refused(m, gmem_fd(g));
	assert_int_equal(m->err.limit, gmem_fd(g));
	assert_int_equal(unit_count(m, "fstat", 0), 1);
}

static void an_inode_of_another_device_is_another_file(void **state)
{
	struct gmem__stat s = {
		.size = 64 * KiB, .mode = S_IFREG | 0600, .ino = 5, .dev = 1
	};
	struct unit *m = *state;
	int third = stray(m);
	struct gmem *second;

	m->stat = &s;
	taken(m, stray(m));
	s.dev = 2;
	second = taken(m, stray(m));
	refused(m, third);
	assert_int_equal(m->err.limit, gmem_fd(second));
	m->stat = NULL;
	assert_int_equal(unit_sys.close(m, third), 0);
}

/* The second fstat() is that of the handle that is looked at. */
static void close_it(struct unit *m, const struct unit_call *c, void *arg)
{
	struct gmem *g = m->g;

	(void)arg;
	if (!g || strcmp(c->name, "fstat") != 0 || !unit_count(m, c->name, 0))
		return;
	m->g = NULL;
	t_code(gmem_close(g, NULL), 0);
}

static void a_handle_may_go_while_it_is_looked_at(void **state)
{
	struct unit *m = *state;
	int fd = stray(m);

	unit_create(m, 64 * KiB, SHARED_FLAGS);
	m->hook = close_it;
	taken(m, fd);
	m->hook = NULL;
	assert_null(m->g);
}

/* A second descriptor of it, and the call during which another adopts that. */
struct rival {
	const char *call;
	int fd, r;
	struct gmem *g;
	struct gmem_error err;
};

static void adopt_it(struct unit *m, const struct unit_call *c, void *arg)
{
	struct rival *v = m->hook_arg;

	(void)arg;
	if (strcmp(c->name, v->call) != 0)
		return;
	m->hook = NULL;
	v->err.sz = sizeof(v->err);
	v->r = gmem_adopt(m->vm, v->fd, NULL, &v->g, &v->err);
}

static void of_two_that_adopt_a_file_at_once_one_wins(void **state)
{
	struct rival v = { .call = "mmap" };
	struct unit *m = *state;
	struct gmem *g;
	int fd = stray(m);

	v.fd = dup(fd);
	m->hook = adopt_it;
	m->hook_arg = &v;
	g = taken(m, fd);
	t_code(v.r, -EEXIST);
	t_reason(&v.err, GMEM_REASON_ALREADY_OWNED);
	assert_int_equal(v.err.limit, gmem_fd(g));
	assert_int_equal(close(v.fd), 0);
}

static void once_its_descriptor_is_closed_a_handle_owns_nothing(void **state)
{
	struct rival v = { .call = "close" };
	struct unit *m = *state;
	struct gmem *g = unit_create(m, 64 * KiB, SHARED_FLAGS);

	v.fd = dup(gmem_fd(g));
	refused(m, v.fd);
	m->hook = adopt_it;
	m->hook_arg = &v;
	t_ok(gmem_close(g, &m->err), m->err);
	t_code(v.r, 0);
	assert_int_equal(gmem_fd(v.g), v.fd);
}

/* The page that was tried, which could not be unmapped at first. */
static void an_adoption_that_fails_leaves_no_mapping(void **state)
{
	struct unit *m = *state;
	unsigned int before = unit_mappings(m);
	struct gmem *g = NULL;
	int fd = stray(m);

	unit_reset(m);
	unit_answer(m, "munmap", 0, 1, 1, -ENOMEM);
	unit_answer(m, "fcntl", 0, 1, 1, -EPERM);
	t_refused(gmem_adopt(m->vm, fd, NULL, &g, &m->err), -EPERM,
		  GMEM_REASON_ACCESS_DENIED, m->err);
	assert_null(g);
	assert_int_equal(unit_mappings(m), before);
	taken(m, fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_kernel_is_asked_once_which_file_a_handle_has,
		     unit_default73),
		TEST(a_handle_is_known_by_its_own_descriptor, unit_default73),
		TEST(an_inode_of_another_device_is_another_file,
		     unit_default73),
		TEST(a_handle_may_go_while_it_is_looked_at, unit_default73),
		TEST(of_two_that_adopt_a_file_at_once_one_wins, unit_default73),
		TEST(once_its_descriptor_is_closed_a_handle_owns_nothing,
		     unit_default73),
		TEST(an_adoption_that_fails_leaves_no_mapping, unit_default73),
	};

	return t_main(tests);
}
