// SPDX-License-Identifier: MIT
#include "fault.h"

#include "seam.h"

static const int codes[] = { EINVAL, ENOMEM, EINTR, EAGAIN, EMFILE,
			     EIO,    ENOTTY, EPERM, EFAULT, EEXIST,
			     ENOENT, EBADF,  ENODEV };

#define check(shot, condition)                                  \
	do {                                                    \
		if (!(condition))                               \
			complain((shot), #condition, __LINE__); \
	} while (0)

static void complain(const struct shot *shot, const char *what, int line)
{
	if (shot->alloc)
		print_error("%s on %s, allocation %u failing: !(%s)\n",
			    shot->s->caller, shot->k->profile, shot->alloc,
			    what);
	else
		print_error("%s on %s, call %u%s failing with %s: !(%s)\n",
			    shot->s->caller, shot->k->profile, shot->call,
			    shot->times > 1 ? " and all after it"
			    : shot->on	    ? " and all after another"
			    : shot->second  ? " and another"
					    : "",
			    strerrorname_np(shot->code), what);
	_fail(__FILE__, line);
}

static struct fault *set_up(const struct shot *shot)
{
	const struct scenario *s = shot->s;
	struct fault *t = calloc(1, sizeof(*t));
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = s->type,
				  .hugetlb_encoding = shot->k->encoding };
	struct gmem_error err;

	assert_non_null(t);
	t->fd = -1;
	t->gpa = GiB;
	t->k = shot->k;
	kernel_start(t);
	t->page = t->k->huge ? t->k->huge : unit_sys.page_size(&t->u);
	if (s->type)
		t_ok(gmem__vm_open_on(&unit_sys, &t->u, &o, &t->u.vm, &err),
		     err);
	if (s->prepare)
		s->prepare(t);
	return t;
}

static void tear_down(struct fault *t, const struct shot *shot)
{
	int r = t->u.vm ? gmem_vm_destroy(t->u.vm, NULL)
			: gmem_close(t->g, NULL);

	check(shot, r == 0);
	if (t->fd >= 0)
		(void)unit_sys.close(&t->u, t->fd);
	check(shot, kernel_stop(t));
	free(t);
}

/* The record against the attributes, the slot table against the slots. */
static void compare(struct fault *t, const struct shot *shot)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	if (shot->s->right) {
		check(shot, shot->s->right(t));
		return;
	}
	if (!t->u.vm)
		return;
	for (uint32_t i = 0; i < 4; i++)
		check(shot, (gmem_slot_get(t->u.vm, i, 0, &s, NULL) == 0) ==
				    (unit_slot(&t->u, i) != NULL));
	if (!t->g || shot->s->type != GMEM_VM_SW_PROTECTED)
		return;
	for (uint64_t at = 0; at < gmem_size(t->g); at += t->page) {
		uint64_t a = 0;

		check(shot, gmem_get_attributes(t->g, at, t->page, &a, NULL,
						NULL) == 0);
		if (a != GMEM_ATTRIBUTE_UNSET)
			check(shot,
			      (a == GMEM_ATTRIBUTE_PRIVATE) ==
				      unit_private(&t->u, t->g, t->gpa, at));
	}
}

static void check_error(const struct shot *shot, const struct fault *t, int r,
			const struct gmem_error *err)
{
	int code = shot->alloc ? ENOMEM : shot->code;
	bool memory = shot->alloc && r == -ENOMEM &&
		      err->reason == GMEM_REASON_NO_MEMORY;

	/* What could not be looked at has no errno of its own to tell. */
	if (err->reason == GMEM_REASON_PLACEMENT_UNKNOWN ||
	    (err->reason == GMEM_REASON_SHARED_MEMORY &&
	     !(err->flags & GMEM_ERROR_DIAGNOSED)))
		code = 0;
	check(shot, err->code == r);
	check(shot, err->reason != GMEM_REASON_NONE);
	check(shot, err->msg[0] && err->remedy[0]);
	check(shot, !t->touched);
	check(shot,
	      memory || err->sys_errno == code ||
		      (shot->s->instead && err->sys_errno == shot->s->instead));
}

static void check_counts(const struct shot *shot, struct fault *t,
			 const struct count *was)
{
	struct count is = kernel_count(t);

	check(shot, is.fds == was->fds);
	check(shot, is.maps <= was->maps + shot->s->views);
	check(shot, is.maps >= was->maps || (shot->s->flags & FAULT_FREES));
	if (shot->s->flags & FAULT_FREES)
		check(shot, is.allocs <= was->allocs);
	else
		check(shot, is.allocs == was->allocs);
}

/* Everything after a failure that can be repaired. */
static void recover(const struct shot *shot, struct fault *t)
{
	const struct scenario *s = shot->s;
	struct gmem_error err = { .sz = sizeof(err) };
	int r = s->again ? s->again(t, &err) : s->run(t, &err);

	if (r < 0)
		print_error("%s\n", err.msg);
	check(shot, r >= 0);
	compare(t, shot);
}

struct before {
	struct count count;
	char state[STATE_LEN], after[STATE_LEN];
};

static void check_state(const struct shot *shot, struct fault *t,
			struct before *b)
{
	kernel_state(t, b->after, sizeof(b->after));
	if (strcmp(b->state, b->after) != 0)
		print_error("before:\n%safter:\n%s", b->state, b->after);
	check(shot, !strcmp(b->state, b->after));
}

/* Returns whether there was such a call or allocation. */
static bool shoot(const struct shot *shot)
{
	const struct scenario *s = shot->s;
	struct gmem_error err = { .sz = sizeof(err) };
	struct fault *t = set_up(shot);
	static struct before was;
	bool came;
	int r;

	was.count = kernel_count(t);
	kernel_state(t, was.state, sizeof(was.state));
	kernel_arm(t, shot);
	r = s->run(t, &err);
	unit_listed(&t->u, s->caller);
	came = kernel_met(t, shot);
	if (r >= 0) {
		check(shot, err.code == 0 && err.reason == GMEM_REASON_NONE);
		check(shot, !err.msg[0] && !err.remedy[0]);
	} else {
		check_error(shot, t, r, &err);
		/* EIO is a dead VM */
		if (shot->code == EIO)
			goto out;
		/* After two failures, what is there is what was reported. */
		if (shot->second || (s->end && shot->times > 1))
			compare(t, shot);
		if (s->end && (shot->second || shot->times > 1))
			check(shot, s->end(t));
		/* and after many, unless it says so, anything goes */
		if (shot->second || shot->times > 1 || (s->flags & FAULT_GONE))
			goto out;
		check_counts(shot, t, &was.count);
		compare(t, shot);
		if (!(s->flags & (FAULT_PARTLY | FAULT_FREES)) &&
		    !((s->flags & FAULT_PROGRESS) && err.done))
			check_state(shot, t, &was);
		recover(shot, t);
	}
	if (s->undo && !(shot->code == EIO && s->flags & FAULT_DEAD))
		s->undo(t);
out:
	tear_down(t, shot);
	return came;
}

/*
 * Every two calls of at most @calls and those that the first failure adds; or
 * all after the second one too.
 */
static void run_twice(struct shot *shot, unsigned int calls)
{
	static const int twice[] = { ENOMEM, EPERM };

	for (size_t i = 0; i < T_ARRAY_SIZE(twice); i++) {
		shot->code = twice[i];
		for (shot->call = 1; shot->call <= calls; shot->call++) {
			shot->second = shot->call + 1;
			while (shoot(shot))
				shot->second++;
		}
	}
	shot->second = 0;
}

static void run_on(const struct scenario *s, const struct fault_kernel *k)
{
	struct shot shot = { .s = s, .k = k, .times = 1 };
	unsigned int calls = 0;

	for (size_t i = 0; i < T_ARRAY_SIZE(codes); i++) {
		shot.code = codes[i];
		shot.call = 1;
		while (!(codes[i] == EIO && s->flags & FAULT_DEAD) &&
		       shoot(&shot))
			shot.call++;
		if (shot.call > 1)
			calls = shot.call - 1;
		if (codes[i] == EINTR)
			continue; /* without limit, it is retried without limit
				   */
		shot.times = UINT32_MAX;
		for (shot.call = 1; shoot(&shot); shot.call++)
			;
		shot.times = 1;
	}
	run_twice(&shot, calls);
	shot.on = s->end != NULL;
	if (shot.on)
		run_twice(&shot, calls);
	shot.on = false;
	shot.call = 0;
	shot.code = 0;
	for (shot.alloc = 1; shoot(&shot); shot.alloc++)
		;
	print_message("%s on %s: %u calls, %u allocations\n", s->caller,
		      k->profile, calls, shot.alloc - 1);
	assert_true(calls + shot.alloc > 1);
}

void fault_run(const struct scenario *s)
{
	for (size_t i = 0; s->kernels[i]; i++)
		run_on(s, s->kernels[i]);
}

/* -------------------------------------------------------------- kernels -- */

#define MODEL(...) (&(const struct fault_kernel){ .profile = __VA_ARGS__ })

const struct fault_kernel *const fault_by_gpa[] = { MODEL("6.12"), MODEL("7.3"),
						    NULL };
const struct fault_kernel *const fault_in_place[] = {
	MODEL("inplace"),
#ifndef GMEM_WITHOUT_PROPOSED_UAPI
	MODEL("hugetlb-page-order", .encoding = GMEM_HUGETLB_PAGE_ORDER,
	      .huge = 64 * KiB),
#endif
	NULL
};
const struct fault_kernel *const fault_default[] = { MODEL("6.18"),
						     MODEL("7.3"), NULL };
/* Without process_vm_readv() the copies go through a pipe. */
const struct fault_kernel *const fault_piped[] = {
	MODEL("6.18", .lacks = "process_vm_readv process_vm_writev"), NULL
};
const struct fault_kernel *const fault_numa[] = { MODEL("7.3", .nodes = 2),
						  NULL };
/* As if mincore() were all there is. */
const struct fault_kernel *const fault_no_cachestat[] = {
	MODEL("7.3", .nodes = 2, .lacks = "cachestat"), NULL
};
const struct fault_kernel *const fault_model[] = { MODEL("inplace"), NULL };

/* ---------------------------------------------------------------- files -- */

uint64_t fault_size(const struct fault *t)
{
	return FAULT_PAGES * t->page;
}

static void file(struct fault *t, uint64_t flags)
{
	/* In huge pages it starts private. */
	uint64_t later = t->k->huge ? flags & GMEM_CREATE_INIT_SHARED : 0;
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = flags & ~later,
				      .hugetlb_size = t->k->huge };
	struct gmem_error err;

	t_ok(gmem_create(t->u.vm, fault_size(t), &o, &t->g, &err), err);
	if (later)
		t_ok(gmem_set_shared(t->g, 0, fault_size(t), &err), err);
}

void fault_private(struct fault *t)
{
	file(t, 0);
}

void fault_shared(struct fault *t)
{
	file(t, SHARED_FLAGS);
}

void fault_unmappable(struct fault *t)
{
	file(t, GMEM_CREATE_UNBOUND);
}

void fault_bind(struct fault *t, uint32_t slot, uint64_t gpa)
{
	struct gmem_error err;

	t_ok(t_bind(t->g, slot, gpa, 0, fault_size(t), NULL, &err), err);
}

void fault_bound(struct fault *t)
{
	fault_private(t);
	fault_bind(t, 0, t->gpa);
}
