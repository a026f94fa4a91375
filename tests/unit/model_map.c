// SPDX-License-Identifier: MIT
/* What the host sees through mappings of a file that converts in place. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

#include "uapi.h"
#include "uapi_proposed.h"

#define PAGES 16

static int convert(struct unit *m, unsigned int page, unsigned int n,
		   uint64_t attributes)
{
	struct gmem__attributes2 a = { .offset = page * m->page,
				       .size = n * m->page,
				       .attributes = attributes };

	return model__sys.ioctl(m->k, gmem_fd(m->g),
				GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
}

static unsigned char *map(struct unit *m, unsigned int page, unsigned int n)
{
	void *p;

	t_code(model__sys.mmap(m->k, &p, n * m->page, PROT_READ | PROT_WRITE,
			       MAP_SHARED, gmem_fd(m->g), page * m->page),
	       0);
	return p;
}

static void unmap(struct unit *m, unsigned char *p, unsigned int n)
{
	t_code(model__sys.munmap(m->k, p, n * m->page), 0);
}

/* The first byte at @p as the host sees it, or -errno. */
static int seen(struct unit *m, const unsigned char *p)
{
	unsigned char byte;
	int64_t n = model__sys.vm_read(m->k, &byte, p, 1);

	if (n == -ENOSYS || n == -EPERM)
		t_skip("process-vm", "no process_vm_readv()");
	return n == 1 ? byte : (int)n;
}

/* Page i holds i + 1. */
static void numbered(struct unit *m)
{
	unsigned char *p;

	unit_create(m, PAGES * m->page, SHARED_FLAGS);
	p = map(m, 0, PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		p[i * m->page] = (unsigned char)(i + 1);
	unmap(m, p, PAGES);
}

/* What is left on both sides of a hole shows what it did. */
static void a_hole_moves_nothing(void **state)
{
	struct unit *m = *state;
	unsigned char *p;

	numbered(m);
	p = map(m, 2, 8); /* pages 2 to 9 */
	unmap(m, p + 3 * m->page, 2);
	assert_int_equal(unit_file_mappings(m), 2);
	t_code(convert(m, 8, 1, GMEM__ATTRIBUTE_PRIVATE), 0);
	assert_int_equal(seen(m, p + 2 * m->page), 5);
	assert_int_equal(seen(m, p + 3 * m->page), -EFAULT);
	assert_int_equal(seen(m, p + 5 * m->page), 8);
	assert_int_equal(seen(m, p + 6 * m->page), -EFAULT);
	assert_int_equal(seen(m, p + 7 * m->page), 10);
	t_code(convert(m, 3, 1, GMEM__ATTRIBUTE_PRIVATE), 0);
	assert_int_equal(seen(m, p), 3);
	assert_int_equal(seen(m, p + 1 * m->page), -EFAULT);
	t_code(convert(m, 0, PAGES, 0), 0);
	assert_int_equal(seen(m, p + 1 * m->page), 4);
	assert_int_equal(seen(m, p + 6 * m->page), 9);
	unmap(m, p, 8);
	assert_int_equal(unit_file_mappings(m), 0);
}

/* As does what is left when its head or its tail goes. */
static void a_trimmed_mapping_moves_nothing(void **state)
{
	struct unit *m = *state;
	unsigned char *p;

	numbered(m);
	p = map(m, 2, 8);
	unmap(m, p, 2);
	unmap(m, p + 6 * m->page, 2);
	assert_int_equal(unit_file_mappings(m), 1);
	t_code(convert(m, 4, 1, GMEM__ATTRIBUTE_PRIVATE), 0);
	t_code(convert(m, 7, 1, GMEM__ATTRIBUTE_PRIVATE), 0);
	assert_int_equal(seen(m, p + 2 * m->page), -EFAULT);
	assert_int_equal(seen(m, p + 3 * m->page), 6);
	assert_int_equal(seen(m, p + 5 * m->page), -EFAULT);
	unmap(m, p, 8);
}

/* Both see the same page, whichever was made first. */
static void each_mapping_of_a_page_is_guarded(void **state)
{
	struct unit *m = *state;
	unsigned char *a, *b, *c;

	numbered(m);
	a = map(m, 0, 8);
	b = map(m, 4, 8);
	t_code(convert(m, 6, 1, GMEM__ATTRIBUTE_PRIVATE), 0);
	c = map(m, 6, 2);
	assert_int_equal(seen(m, a + 6 * m->page), -EFAULT);
	assert_int_equal(seen(m, b + 2 * m->page), -EFAULT);
	assert_int_equal(seen(m, c), -EFAULT);
	assert_int_equal(seen(m, c + m->page), 8);
	unmap(m, a, 8);
	assert_int_equal(seen(m, b + 2 * m->page), -EFAULT);
	t_code(convert(m, 6, 1, 0), 0);
	assert_int_equal(seen(m, b + 2 * m->page), 7);
	assert_int_equal(seen(m, c), 7);
	unmap(m, b, 8);
	unmap(m, c, 2);
}

/* The model's pages are written to its memfds: beyond this, that fails. */
static void limit(uint64_t bytes)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = bytes ? bytes : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* Half way through: the pages below the limit have moved already. */
static int convert_half(struct unit *m, uint64_t attributes)
{
	int r;

	assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	limit(8 * m->page);
	r = convert(m, 0, PAGES, attributes);
	limit(0);
	return r;
}

#define HOLE 14

static int number(unsigned int page)
{
	return page == HOLE ? 0 : (int)page + 1;
}

static void a_conversion_that_fails_is_taken_back(void **state)
{
	int punch = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
	struct unit *m = *state;
	unsigned char *p, *end;

	numbered(m);
	p = map(m, 0, PAGES);
	end = map(m, HOLE - 1, 2); /* has no part of the runs before */
	t_code(model__sys.fallocate(m->k, gmem_fd(m->g), punch, HOLE * m->page,
				    m->page),
	       0);
	t_code(convert(m, 12, 1, GMEM__ATTRIBUTE_PRIVATE), 0);
	t_code(convert_half(m, GMEM__ATTRIBUTE_PRIVATE), -ENOMEM);
	assert_int_equal(seen(m, end + m->page), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(seen(m, p + i * m->page),
				 i == 12 ? -EFAULT : number(i));
	assert_int_equal(seen(m, end), HOLE);
	unmap(m, end, 2);
	t_code(convert(m, 0, PAGES, GMEM__ATTRIBUTE_PRIVATE), 0);
	t_code(convert(m, 3, 1, 0), 0);
	t_code(convert_half(m, 0), -ENOMEM);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(seen(m, p + i * m->page),
				 i == 3 ? number(i) : -EFAULT);
	t_code(convert(m, 0, PAGES, 0), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(seen(m, p + i * m->page), number(i));
	unmap(m, p, PAGES);
}

/* Policies of memory that is no file's are the host's business. */
static void other_memory_is_the_hosts(void **state)
{
	struct unit *m = *state;
	int mode = -1, host = -1, r;
	void *p;

	t_code(model__sys.mmap(m->k, &p, m->page, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	       0);
	assert_int_equal(unit_file_mappings(m), 0);
	r = gmem__sys_linux.mbind(NULL, p, m->page, 0, NULL, 0, 0);
	t_code(model__sys.mbind(m->k, p, m->page, 0, NULL, 0, 0), r);
	r = gmem__sys_linux.get_mempolicy(NULL, &host, NULL, 0, p, 2);
	t_code(model__sys.get_mempolicy(m->k, &mode, NULL, 0, p, 2), r);
	assert_int_equal(mode, host);
	t_code(model__sys.munmap(m->k, p, m->page), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_hole_moves_nothing, unit_inplace),
		TEST(a_trimmed_mapping_moves_nothing, unit_inplace),
		TEST(each_mapping_of_a_page_is_guarded, unit_inplace),
		TEST(a_conversion_that_fails_is_taken_back, unit_inplace),
		TEST(other_memory_is_the_hosts, unit_inplace),
	};

	return t_main(tests);
}
