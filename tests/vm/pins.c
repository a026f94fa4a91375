// SPDX-License-Identifier: MIT
/*
 * Pages that the kernel itself holds for the host: a pipe by vmsplice(2), a
 * buffer that is registered with io_uring, a transfer in flight.  In place such
 * a page cannot become private; with two backings it is another page.
 *
 * No kernel that converts in place here has a block layer or another file
 * system whose O_DIRECT does not copy (that of tmpfs does), so the transfer is
 * one of process_vm_readv(2): it pins the pages as O_DIRECT does, with
 * FOLL_PIN and without FOLL_LONGTERM, until it ends, and waits in the middle
 * for a page that userfaultfd(2) withholds.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "live.h"

#define PAGES 8
#define PINNED (3 * l->page)
#define SIZE (PAGES * l->page)

/* From the kernel's ABI, since headers may lack it. */
#define IO_URING_SETUP 425
#define IO_URING_REGISTER 427
#define REGISTER_BUFFERS 0
#define PARAMS 120 /* bytes */

struct pin {
	int pipe[2];
	int ring;
	/* a transfer of @len bytes from @page to @to, which @fault withholds */
	int fault;
	pthread_t thread;
	void *page;
	unsigned char *to;
	size_t len;
	ssize_t moved;
};

static void by_pipe(struct pin *p, void *page, size_t len)
{
	struct iovec v = { page, len };

	assert_int_equal(pipe2(p->pipe, O_CLOEXEC), 0);
	assert_int_equal(vmsplice(p->pipe[1], &v, 1, 0), len);
}

static void by_ring(struct pin *p, void *page, size_t len)
{
	struct iovec v = { page, len };
	uint32_t params[PARAMS / 4] = { 0 };

	p->ring = (int)syscall(IO_URING_SETUP, 1, params);
	if (p->ring < 0 && (errno == ENOSYS || errno == EPERM))
		t_skip("io-uring", "the kernel has no io_uring: %s",
		       strerrorname_np(errno));
	assert_true(p->ring >= 0);
	assert_int_equal(
		syscall(IO_URING_REGISTER, p->ring, REGISTER_BUFFERS, &v, 1),
		0);
}

static void *transfer(void *arg)
{
	struct pin *p = arg;
	struct iovec to = { p->to, p->len }, from = { p->page, p->len };

	p->moved = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	return NULL;
}

static void by_transfer(struct pin *p, void *page, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg = { 0 };
	struct pollfd waits;

	p->fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (p->fault < 0 && (errno == ENOSYS || errno == EPERM))
		t_skip("userfaultfd", "the kernel has no userfaultfd: %s",
		       strerrorname_np(errno));
	assert_true(p->fault >= 0);
	assert_int_equal(ioctl(p->fault, UFFDIO_API, &api), 0);
	p->page = page;
	p->len = len;
	p->to = mmap(NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p->to != MAP_FAILED);
	reg.range = (struct uffdio_range){ (uintptr_t)p->to, len };
	assert_int_equal(ioctl(p->fault, UFFDIO_REGISTER, &reg), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, transfer, p), 0);
	waits = (struct pollfd){ p->fault, POLLIN, 0 };
	assert_int_equal(poll(&waits, 1, -1), 1);
	assert_int_equal(read(p->fault, &msg, sizeof(msg)), sizeof(msg));
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
}

/* Returns the first byte that was read. */
static unsigned char end_transfer(struct pin *p)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)p->to, p->len } };
	unsigned char first;

	assert_int_equal(ioctl(p->fault, UFFDIO_ZEROPAGE, &zero), 0);
	assert_int_equal(pthread_join(p->thread, NULL), 0);
	assert_int_equal(p->moved, p->len);
	first = *p->to;
	munmap(p->to, p->len);
	return first;
}

typedef void (*pin_fn)(struct pin *p, void *page, size_t len);

static void pin(struct pin *p, pin_fn by, void *page, size_t len)
{
	*p = (struct pin){ { -1, -1 }, -1, .fault = -1 };
	by(p, page, len);
}

static void unpin(struct pin *p)
{
	int *const fds[] = { &p->pipe[0], &p->pipe[1], &p->ring, &p->fault };

	if (p->fault >= 0)
		end_transfer(p);
	for (size_t i = 0; i < T_ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* A bound file of a VM that converts in place, with a page pinned. */
static unsigned char *start_in_place(struct live *l, struct pin *p, pin_fn by)
{
	unsigned char *map;

	live_need("in-place");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	live_file(l, PAGES, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, SIZE, NULL, &l->err));
	map = raw_map(l, gmem_fd(l->g), SIZE, PROT_READ | PROT_WRITE);
	map[PINNED] = 1;
	pin(p, by, map + PINNED, l->page);
	l->n_calls = 0;
	return map;
}

static int set_private(struct live *l, uint64_t flags, const int *cancel)
{
	struct gmem_attributes_opts o = {
		.sz = sizeof(o),
		.flags = flags,
		.cancel = cancel,
	};

	return gmem_set_attributes(l->g, 0, SIZE, GMEM_ATTRIBUTE_PRIVATE, &o,
				   &l->err);
}

/* Record and kernel have all of it as @private. */
static void assert_all(struct live *l, unsigned char *map, bool private)
{
	uint64_t attributes, run;

	live_ok(l,
		gmem_get_attributes(l->g, 0, SIZE, &attributes, &run, &l->err));
	assert_int_equal(attributes, private ? GMEM_ATTRIBUTE_PRIVATE
					     : GMEM_ATTRIBUTE_SHARED);
	assert_int_equal(run, SIZE);
	for (uint64_t at = 0; at < SIZE; at += l->page)
		assert_int_equal(!live_touch(map + at), !private);
}

static void in_use(struct live *l, uint64_t flags)
{
	int r = set_private(l, flags, NULL);

	t_code(r, -EAGAIN);
	t_reason(&l->err, GMEM_REASON_PAGE_IN_USE);
	assert_int_equal(l->err.value, PINNED);
	assert_int_equal(l->err.sys_errno, EAGAIN);
	assert_int_equal(l->err.done, 0);
}

/* ------------------------------------------------------------ converting -- */

static void is_not_made_private(struct live *l, pin_fn by)
{
	unsigned char *map;
	struct pin p;

	map = start_in_place(l, &p, by);
	in_use(l, 0);
	assert_true(l->n_calls > 1);
	assert_all(l, map, false);
	assert_int_equal(map[PINNED], 1);
	in_use(l, GMEM_ATTRIBUTES_NOWAIT);
	assert_all(l, map, false);

	/* as the remedy says */
	unpin(&p);
	live_ok(l, set_private(l, 0, NULL));
	assert_all(l, map, true);
}

static void a_page_in_a_pipe_is_not_made_private(void **state)
{
	is_not_made_private(*state, by_pipe);
}

static void a_registered_buffer_is_not_made_private(void **state)
{
	is_not_made_private(*state, by_ring);
}

static void a_page_of_a_transfer_in_flight_is_not_made_private(void **state)
{
	is_not_made_private(*state, by_transfer);
}

/* There the pages that a host can pin are not those that become private. */
static void with_two_backings_a_pin_is_in_no_way(void **state)
{
	static const pin_fn kinds[] = { by_pipe, by_ring, by_transfer };
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_USERSPACE_ADDR | GMEM_SLOT_LEAVE_SHARED,
	};
	struct live *l = *state;
	unsigned char *memory;
	struct pin p;

	live_need("two-backings");
	live_vm(l, GMEM_VM_SW_PROTECTED);
	live_file(l, PAGES, 0);
	memory = live_memory(l, SIZE, 1);
	opts.userspace_addr = (uintptr_t)memory;
	live_ok(l, t_bind(l->g, 0, 0, 0, SIZE, &opts, &l->err));
	for (size_t i = 0; i < T_ARRAY_SIZE(kinds); i++) {
		pin(&p, kinds[i], memory + PINNED, l->page);
		live_ok(l, set_private(l, 0, NULL));
		live_ok(l, t_share(l->g, 0, SIZE, &l->err));
		unpin(&p);
	}
}

static struct pin *held; /* what the callbacks end */
static int stop;

static void end_pin(struct live *l, const struct gmem_trace *event)
{
	(void)l;
	if (event->result < 0)
		unpin(held);
}

static void is_waited_for(struct live *l, pin_fn by)
{
	unsigned char *map;
	struct pin p;

	map = start_in_place(l, &p, by);
	held = &p;
	l->on_call = end_pin;
	live_ok(l, set_private(l, 0, NULL));
	l->on_call = NULL;
	assert_true(l->n_calls > 1);
	assert_int_equal(l->calls[0].result, -EAGAIN);
	assert_all(l, map, true);
}

static void a_pin_that_ends_is_waited_for(void **state)
{
	is_waited_for(*state, by_pipe);
}

static void a_transfer_that_ends_is_waited_for(void **state)
{
	is_waited_for(*state, by_transfer);
}

static void cancel(struct live *l, const struct gmem_trace *event)
{
	(void)l;
	stop = event->result < 0;
}

static void waiting_for_a_pin_can_be_cancelled(void **state)
{
	struct live *l = *state;
	unsigned char *map;
	struct pin p;

	map = start_in_place(l, &p, by_pipe);
	stop = 0;
	l->on_call = cancel;
	t_code(set_private(l, 0, &stop), -ECANCELED);
	l->on_call = NULL;
	t_reason(&l->err, GMEM_REASON_CANCELLED);
	assert_int_equal(l->err.done, 0);
	assert_int_equal(l->n_calls, 1);
	assert_all(l, map, false);
	unpin(&p);
}

/* Nothing needs the page to be free to become what it is, or shared. */
static void a_pinned_page_stays_shared_or_is_made_so(void **state)
{
	struct live *l = *state;
	unsigned char *map;
	struct pin p;

	map = start_in_place(l, &p, by_ring);
	live_ok(l, gmem_set_private(l->g, 0, PINNED, &l->err));
	live_ok(l, t_share(l->g, 0, SIZE, &l->err));
	assert_all(l, map, false);
	unpin(&p);
}

/* ---------------------------------------------------------- ending files -- */

/* Of a file that is mapped there, a page that had a 1 when it was pinned. */
static unsigned char *pin_and_discard(struct live *l, struct pin *p, pin_fn by)
{
	unsigned char *map;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, PAGES, LIVE_SHARED);
	map = raw_map(l, gmem_fd(l->g), SIZE, PROT_READ | PROT_WRITE);
	map[PINNED] = 1;
	pin(p, by, map + PINNED, l->page);
	live_ok(l, gmem_discard(l->g, 0, SIZE, NULL, &l->err));
	return map;
}

/* The pipe keeps the page that the file no longer has. */
static void a_pinned_page_is_discarded_and_the_pin_keeps_it(void **state)
{
	struct live *l = *state;
	unsigned char *map, was = 0;
	struct pin p;

	map = pin_and_discard(l, &p, by_pipe);
	if (live_has("residency"))
		assert_int_equal(raw_resident(gmem_fd(l->g), 0, SIZE), 0);
	assert_int_equal(map[PINNED], 0);
	map[PINNED] = 2;
	assert_int_equal(read(p.pipe[0], &was, 1), 1);
	assert_int_equal(was, 1);
	unpin(&p);
}

/* Then the page of the pin is not the file's any more. */
static void what_was_discarded_is_made_private_in_spite_of_a_pin(void **state)
{
	struct live *l = *state;
	unsigned char *map;
	struct pin p;

	map = start_in_place(l, &p, by_ring);
	live_ok(l, gmem_discard(l->g, PINNED, l->page, NULL, &l->err));
	live_ok(l, set_private(l, 0, NULL));
	assert_all(l, map, true);
	unpin(&p);
}

/* The pin does not keep slot or file, only its page until it ends. */
static void a_pin_is_in_the_way_of_neither_unbind_nor_close(void **state)
{
	static const pin_fn kinds[] = { by_pipe, by_ring, by_transfer };
	struct live *l = *state;
	struct pin p;

	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	for (size_t i = 0; i < T_ARRAY_SIZE(kinds); i++) {
		unsigned char was = 1, *map;
		int fds;

		live_file(l, PAGES, LIVE_SHARED);
		fds = live_fds_of(gmem_fd(l->g));
		live_ok(l, t_bind(l->g, 0, 0, 0, SIZE, NULL, &l->err));
		live_ok(l, gmem_write(l->g, PINNED, &was, 1, &l->err));
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   gmem_fd(l->g), 0);
		assert_true(map != MAP_FAILED);
		pin(&p, kinds[i], map + PINNED, l->page);
		munmap(map, SIZE);
		assert_int_equal(live_fds_of(gmem_fd(l->g)), fds);
		live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
		live_ok(l, gmem_close(l->g, &l->err));
		assert_int_equal(live_guest_maps(), 0);
		was = 1;
		if (p.pipe[0] >= 0)
			assert_int_equal(read(p.pipe[0], &was, 1), 1);
		assert_int_equal(was, 1);
		unpin(&p);
	}
}

/* It reads what the page had when the file lost it. */
static void a_transfer_in_flight_ends_with_the_page_it_began_with(void **state)
{
	struct live *l = *state;
	unsigned char *map;
	struct pin p;

	map = pin_and_discard(l, &p, by_transfer);
	map[PINNED] = 2;
	assert_int_equal(end_transfer(&p), 1);
	close(p.fault);
}

int main(void)
{
	const struct CMUnitTest pins[] = {
		live_test(a_page_in_a_pipe_is_not_made_private),
		live_test(a_registered_buffer_is_not_made_private),
		live_test(a_page_of_a_transfer_in_flight_is_not_made_private),
		live_test(with_two_backings_a_pin_is_in_no_way),
		live_test(a_pin_that_ends_is_waited_for),
		live_test(a_transfer_that_ends_is_waited_for),
		live_test(waiting_for_a_pin_can_be_cancelled),
		live_test(a_pinned_page_stays_shared_or_is_made_so),
		live_test(a_pinned_page_is_discarded_and_the_pin_keeps_it),
		live_test(what_was_discarded_is_made_private_in_spite_of_a_pin),
		live_test(a_pin_is_in_the_way_of_neither_unbind_nor_close),
		live_test(
			a_transfer_in_flight_ends_with_the_page_it_began_with),
	};

	return t_main(pins);
}
