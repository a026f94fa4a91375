// SPDX-License-Identifier: MIT
#include "fault.h"

static const int codes[] = { EINVAL, ENOMEM, EINTR, EAGAIN, EMFILE,
			     EIO,    ENOTTY, EPERM, EFAULT, EEXIST,
			     ENOENT, EBADF,  ENODEV };

/* What was there before the call. */
struct count {
	unsigned int fds, maps, allocs;
};

static struct count count(const struct fake *f)
{
	struct count c = { .allocs = f->live_allocs };

	for (size_t i = 0; i < FAKE_FDS; i++)
		c.fds += f->fds[i].type != FAKE_FD_FREE;
	for (size_t i = 0; i < FAKE_MAPS; i++)
		c.maps += f->maps[i].addr != NULL;
	return c;
}

/* One failing call or allocation; for the message of a failed check. */
struct shot {
	const struct scenario *s;
	unsigned int call, times, alloc;
	int code;
};

#define check(shot, condition)                                  \
	do {                                                    \
		if (!(condition))                               \
			complain((shot), #condition, __LINE__); \
	} while (0)

static void complain(const struct shot *shot, const char *what, int line)
{
	if (shot->alloc)
		print_error("%s, allocation %u failing: !(%s)\n",
			    shot->s->caller, shot->alloc, what);
	else
		print_error("%s, call %u%s failing with %s: !(%s)\n",
			    shot->s->caller, shot->call,
			    shot->times > 1 ? " and all after it" : "",
			    strerrorname_np(shot->code), what);
	_fail(__FILE__, line);
}

static struct fault *set_up(const struct scenario *s)
{
	struct fault *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->fd = -1;
	s->profile(&t->u.f);
	if (s->type)
		t->u.vm = fake_vm(&t->u.f, s->type);
	if (s->prepare)
		s->prepare(t);
	fake_reset(&t->u.f);
	return t;
}

static void tear_down(struct fault *t, const struct shot *shot)
{
	int r;

	fake_reset(&t->u.f);
	r = t->u.vm ? gmem_vm_destroy(t->u.vm, NULL) : gmem_close(t->g, NULL);
	check(shot, r == 0);
	if (t->fd >= 0)
		(void)fake_sys.close(&t->u.f, t->fd);
	check(shot, fake_balanced(&t->u.f));
	fake_fini(&t->u.f);
	free(t);
}

/* The record against the attributes, the slot table against the slots. */
static void compare(struct fault *t, const struct shot *shot)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	struct fake *f = &t->u.f;

	if (!t->u.vm)
		return;
	for (uint32_t i = 0; i < 4; i++)
		check(shot, (gmem_slot_get(t->u.vm, i, 0, &s, NULL) == 0) ==
				    (fake_slot(f, i) != NULL));
	if (!t->g || !(f->inplace || f->cap_vm[233]))
		return;
	for (uint64_t at = 0; at < gmem_size(t->g); at += 4096) {
		bool kernel = f->inplace
				      ? fake_file_private(f, gmem_fd(t->g), at)
				      : fake_gpa_private(f, t->gpa + at);
		uint64_t a = 0;

		check(shot,
		      gmem_get_attributes(t->g, at, 4096, &a, NULL, NULL) == 0);
		if (a != GMEM_ATTRIBUTE_UNSET)
			check(shot, (a == GMEM_ATTRIBUTE_PRIVATE) == kernel);
	}
}

static void check_error(const struct shot *shot, const struct fault *t, int r,
			const struct gmem_error *err)
{
	check(shot, err->code == r);
	check(shot, err->reason != GMEM_REASON_NONE);
	check(shot, err->msg[0] && err->remedy[0]);
	check(shot, !t->touched);
	if (shot->alloc) {
		check(shot, r == -ENOMEM);
		check(shot, err->reason == GMEM_REASON_NO_MEMORY);
	} else {
		check(shot, err->sys_errno == shot->code);
	}
}

/* Everything after a failure that can be repaired. */
static void recover(const struct shot *shot, struct fault *t,
		    const struct count *was)
{
	const struct scenario *s = shot->s;
	struct gmem_error err = { .sz = sizeof(err) };
	struct count is = count(&t->u.f);
	int r;

	check(shot, is.fds == was->fds);
	check(shot, is.maps >= was->maps && is.maps <= was->maps + s->views);
	check(shot, is.allocs == was->allocs);
	compare(t, shot);
	fake_reset(&t->u.f);
	r = s->again ? s->again(t, &err) : s->run(t, &err);
	if (r < 0)
		print_error("%s\n", err.msg);
	check(shot, r >= 0);
	compare(t, shot);
}

/* Returns whether there was such a call or allocation. */
static bool shoot(const struct shot *shot)
{
	const struct scenario *s = shot->s;
	struct fault *t = set_up(s);
	struct fake *f = &t->u.f;
	struct gmem_error err = { .sz = sizeof(err) };
	struct count was = count(f);
	bool met;
	int r;

	f->fail_alloc = shot->alloc;
	if (shot->call)
		fake_fail(f, FAKE_ANY, 0, shot->call, shot->times, -shot->code);
	r = s->run(t, &err);
	met = shot->alloc ? f->n_allocs >= shot->alloc
			  : fake_count(f, FAKE_ANY, 0) >= shot->call;
	unit_listed(f, s->caller);
	if (r < 0) {
		check_error(shot, t, r, &err);
		/* EIO is a dead VM, and after two faults anything goes */
		if (shot->times == 1 && shot->code != EIO)
			recover(shot, t, &was);
	} else {
		check(shot, err.code == 0 && err.reason == GMEM_REASON_NONE);
		check(shot, !err.msg[0] && !err.remedy[0]);
	}
	if (r >= 0 && s->undo) {
		fake_reset(f);
		s->undo(t);
	}
	tear_down(t, shot);
	return met;
}

void fault_run(const struct scenario *s)
{
	unsigned int calls = 0, allocs = 0;

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		struct shot shot = { .s = s, .times = 1, .code = codes[i] };

		do
			shot.call++;
		while (shoot(&shot));
		calls = shot.call - 1;
		shot.call = 0;
		if (codes[i] == EINTR) /* for ever, it is retried for ever */
			continue;
		shot.times = UINT32_MAX;
		do
			shot.call++;
		while (shoot(&shot));
	}
	for (struct shot shot = { .s = s, .times = 1, .alloc = 1 };
	     shoot(&shot); shot.alloc++)
		allocs++;
	print_message("%s: %u calls, %u allocations\n", s->caller, calls,
		      allocs);
	assert_true(calls > 0);
}

void fault_sw(struct fake *f)
{
	fake_init_sw(f, true);
}

void fault_private(struct fault *t)
{
	t->g = unit_create(&t->u, 64 * KiB, 0);
	t->gpa = GiB;
}

void fault_shared(struct fault *t)
{
	t->g = unit_create(&t->u, 64 * KiB, SHARED_FLAGS);
	t->gpa = GiB;
}

void fault_bound(struct fault *t)
{
	fault_private(t);
	unit_bind(&t->u, t->g, 0, t->gpa);
}
