// SPDX-License-Identifier: MIT
/* The scripted kernel under a scenario. */
#include "fault.h"

#define SET_ATTRIBUTES 0x4020aed2

static void start(struct fault *t)
{
	t->k->init(&t->u.f);
	t->sys = &fake_sys;
	t->priv = &t->u.f;
}

static bool stop(struct fault *t)
{
	bool balanced = fake_balanced(&t->u.f);

	fake_fini(&t->u.f);
	return balanced;
}

static void arm(struct fault *t, const struct shot *shot)
{
	unsigned int times = shot->times;

	fake_reset(&t->u.f);
	t->u.f.fail_alloc = shot->alloc;
	/* Asked for ever, a kernel that says EAGAIN relents one day. */
	if (shot->s->patient && shot->code == EAGAIN && times > 1)
		times = 50;
	if (shot->call)
		fake_fail(&t->u.f, FAKE_ANY, 0, shot->call, times, -shot->code);
	if (shot->second)
		fake_fail(&t->u.f, FAKE_ANY, 0, shot->second, 1, -shot->code);
}

static bool met(struct fault *t, const struct shot *shot)
{
	bool came = shot->alloc ? t->u.f.n_allocs >= shot->alloc
				: fake_count(&t->u.f, FAKE_ANY, 0) >=
					  (shot->second ? shot->second
							: shot->call);

	fake_reset(&t->u.f);
	return came;
}

static void fail_attributes(struct fault *t, int code)
{
	fake_fail(&t->u.f, FAKE_IOCTL, SET_ATTRIBUTES, 1, 1, -code);
}

static void listed(struct fault *t, const char *caller)
{
	unit_listed(&t->u.f, caller);
}

static struct count count(struct fault *t)
{
	struct count c = { .allocs = t->u.f.live_allocs,
			   .maps = fake_mappings(&t->u.f) };

	assert_int_equal(t->u.f.live_threads, 0);
	for (size_t i = 0; i < FAKE_FDS; i++)
		c.fds += t->u.f.fds[i].type != FAKE_FD_FREE;
	return c;
}

static bool slot(struct fault *t, uint32_t id)
{
	return fake_slot(&t->u.f, id);
}

static bool private(struct fault *t, uint64_t offset)
{
	return t->u.f.inplace
		       ? fake_file_private(&t->u.f, gmem_fd(t->g), offset)
		       : fake_gpa_private(&t->u.f, t->gpa + offset);
}

static void allocate(struct fault *t, uint64_t offset, uint64_t len, int node)
{
	fake_allocate(&t->u.f, gmem_fd(t->g), offset, len, node);
}

static uint64_t resident(struct fault *t)
{
	return fake_allocated(&t->u.f, gmem_fd(t->g), 0, gmem_size(t->g), -1);
}

static uint64_t policy_nodes(struct fault *t)
{
	return fake_file(&t->u.f, gmem_fd(t->g))->policy.nodes;
}

static void state(struct fault *t, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < FAKE_SLOTS; i++) {
		const struct fake_slot *s = fake_slot(&t->u.f, i);

		if (s)
			n += (size_t)snprintf(
				buf + n, len - n, "slot %u: %#llx + %#llx\n", i,
				(unsigned long long)s->r.region.guest_phys_addr,
				(unsigned long long)s->r.region.memory_size);
	}
	if (!t->g)
		return;
	for (uint64_t at = 0; at < gmem_size(t->g); at += t->page)
		n += (size_t)snprintf(buf + n, len - n, "%d", private(t, at));
	(void)snprintf(buf + n, len - n, "\n%llu bytes, nodes %#llx\n",
		       (unsigned long long)resident(t),
		       (unsigned long long)policy_nodes(t));
}

static int input(struct fault *t, size_t len)
{
	return fake_input(&t->u.f, t->buf, len, 1500);
}

const struct fault_ops fault_on_fake = {
	.start = start,
	.stop = stop,
	.arm = arm,
	.met = met,
	.fail_attributes = fail_attributes,
	.listed = listed,
	.count = count,
	.state = state,
	.slot = slot,
	.private = private,
	.allocate = allocate,
	.resident = resident,
	.policy_nodes = policy_nodes,
	.input = input,
	.for_ever = true,
};
