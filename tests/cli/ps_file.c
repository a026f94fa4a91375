// SPDX-License-Identifier: MIT
/*
 * What gmemctl ps asks the kernel about a file, through copies of descriptors:
 * the holders are this process and some that are not there.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ps_begin.h"
#include "t.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define NOBODY 2000000000 /* no process has this number */
#define MADE_BY_MMAP (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)

struct world {
	struct scan scan;
	struct gmem_vm *vm;
	struct gmem *g;
	struct mem *m;
	struct stat st;
	int fds; /* open ones before the scan */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	ps_begin(&w->scan);
	*state = w;
	return 0;
}

/* A filter may keep a process even from its own descriptors. */
static void needs_copies(void)
{
	char why[TARGET_WHY];
	int fd = target_copy(getpid(), STDERR_FILENO, why);

	if (fd < 0)
		t_skip("descriptors", "%s", why);
	(void)close(fd);
}

static int teardown(void **state)
{
	struct world *w = *state;

	scan_free(&w->scan);
	if (w->g)
		assert_int_equal(gmem_close(w->g, NULL), 0);
	if (w->vm)
		assert_int_equal(gmem_vm_destroy(w->vm, NULL), 0);
	free(w);
	return 0;
}

/* A file of four pages, of which the second is there, and its one holder. */
static void file(struct world *w, uint64_t flags, bool hold)
{
	const struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_error err;
	struct holder *h;

	needs_copies();
	err = (struct gmem_error){ .sz = sizeof(err) };
	if (gmem_vm_open(NULL, &w->vm, &err) < 0)
		t_skip("kvm", "%s", err.msg);
	if (!gmem_vm_has(w->vm, GMEM_FEATURE_INIT_SHARED))
		t_skip("init-shared", "no file that the host can touch");
	t_ok(gmem_create(w->vm, 4 * PAGE, &o, &w->g, &err), err);
	t_ok(gmem_populate(w->g, PAGE, PAGE, NULL, &err), err);
	assert_int_equal(fstat(gmem_fd(w->g), &w->st), 0);
	w->m = find_file(&w->scan, w->st.st_dev, w->st.st_ino);
	assert_non_null(w->m);
	w->m->size = 4 * PAGE;
	w->m->no_size.text[0] = '\0';
	h = hold ? find_holder(w->m, getpid(), "vmm") : NULL;
	if (h) {
		h->fd[0] = gmem_fd(w->g);
		h->fds = 1;
	}
	w->fds = open_fds();
}

static void scan(struct world *w)
{
	scan_files(&w->scan);
	assert_int_equal(open_fds(), w->fds);
}

static void what_is_resident(void **state)
{
	struct world *w = *state;

	file(w, MADE_BY_MMAP, true);
	scan(w);
	assert_string_equal(w->m->no_resident.text, "");
	assert_int_equal(w->m->resident, PAGE);
	assert_false(w->m->lower_bound);
	assert_false(w->m->resident_by_mapping);
	assert_null(w->m->nodes);
	assert_false(w->m->only_mapped);
}

static void on_which_nodes(void **state)
{
	struct world *w = *state;
	uint64_t bytes = 0;

	file(w, MADE_BY_MMAP, true);
	w->scan.nodes = true;
	scan(w);
	assert_string_equal(w->m->no_nodes.text, "");
	assert_non_null(w->m->nodes);
	for (size_t i = 0; i < NODES; i++)
		bytes += w->m->nodes[i];
	assert_int_equal(bytes, PAGE);
	assert_false(w->m->nodes_by_mapping);
}

static void of_a_file_that_cannot_be_mapped(void **state)
{
	struct world *w = *state;

	file(w, GMEM_CREATE_UNBOUND, true);
	w->scan.nodes = true;
	scan(w);
	assert_int_equal(w->m->resident, PAGE);
	assert_null(w->m->nodes);
	assert_string_equal(w->m->no_nodes.text,
			    "it was made without mmap: no page can be looked "
			    "at");
	assert_false(w->m->no_nodes.partial);
}

/* Each of them holds what is another file now, or nothing more. */
static void the_first_copy_that_is_of_it(void **state)
{
	struct world *w = *state;
	struct holder *h;
	int other, path;

	file(w, MADE_BY_MMAP, false);
	h = find_holder(w->m, NOBODY, "gone");
	h->fd[0] = 3;
	h->fds = 1;
	h = find_holder(w->m, getpid(), "vmm");
	other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	path = open("/", O_PATH | O_CLOEXEC);
	h->fd[0] = 999;
	h->fd[1] = other;
	h->fd[2] = path;
	h->fd[3] = gmem_fd(w->g);
	h->fds = 4;
	w->fds = open_fds();
	scan(w);
	assert_int_equal(w->m->resident, PAGE);
	assert_string_equal(w->m->no_resident.text, "");
	w->m->resident = 0;
	h->fds = 3;
	scan(w);
	assert_string_equal(w->m->no_resident.text,
			    "its holders closed it while it was looked at");
	assert_false(w->m->no_resident.partial);
	assert_int_equal(w->m->resident, 0);
	(void)close(other);
	(void)close(path);
}

/* So many are not listed, and the last that is listed is looked at. */
static void more_descriptors_than_are_listed(void **state)
{
	struct world *w = *state;
	struct holder *h;

	file(w, MADE_BY_MMAP, true);
	h = w->m->holders;
	for (int i = 0; i < HOLDER_FDS; i++)
		h->fd[i] = 999;
	h->fds = HOLDER_FDS + 1;
	scan(w);
	assert_string_equal(w->m->no_resident.text,
			    "its holders closed it while it was looked at");
	h->fd[HOLDER_FDS - 1] = gmem_fd(w->g);
	scan(w);
	assert_string_equal(w->m->no_resident.text, "");
}

static void a_file_of_another_kind(void **state)
{
	struct world *w = *state;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct holder *h;
	struct mem *m;

	needs_copies();
	assert_int_equal(fstat(fd, &w->st), 0);
	m = find_file(&w->scan, w->st.st_dev, w->st.st_ino);
	m->size = PAGE;
	m->no_size.text[0] = '\0';
	h = find_holder(m, getpid(), "vmm");
	h->fd[0] = fd;
	h->fds = 1;
	w->fds = open_fds();
	scan(w);
	assert_non_null(strstr(m->no_resident.text, "guest_memfd"));
	assert_true(m->no_resident.partial);
	assert_int_equal(m->resident, 0);
	(void)close(fd);
}

static void without_time(void **state)
{
	struct world *w = *state;

	file(w, MADE_BY_MMAP, true);
	w->scan.nodes = true;
	w->scan.budget = -1;
	scan(w);
	assert_string_equal(w->m->no_resident.text,
			    "the time of --budget is over");
	assert_string_equal(w->m->no_nodes.text,
			    "the time of --budget is over");
	assert_true(w->m->no_resident.partial && w->m->no_nodes.partial);
}

/* What only a mapping shows has no descriptor to ask. */
static void without_a_size_nothing_is_asked(void **state)
{
	struct world *w = *state;

	file(w, MADE_BY_MMAP, true);
	unknown(&w->m->no_size, false, "why not");
	scan(w);
	assert_int_equal(w->m->resident, 0);
	assert_true(w->m->only_mapped);
	assert_string_equal(w->m->no_size.text,
			    "only a mapping is left, which tells no more");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_resident),
		TEST(on_which_nodes),
		TEST(of_a_file_that_cannot_be_mapped),
		TEST(the_first_copy_that_is_of_it),
		TEST(more_descriptors_than_are_listed),
		TEST(a_file_of_another_kind),
		TEST(without_time),
		TEST(without_a_size_nothing_is_asked),
	};

	return t_main(tests);
}
