// SPDX-License-Identifier: MIT
/*
 * An adopted VM goes back to its owner without the attributes that slots left
 * when their reset failed, and with all that is its owner's.
 */
#include "unit.h"

#include "file.h"
#include "seam.h"
#include "vm.h"

#define ATTRIBUTES "KVM_SET_MEMORY_ATTRIBUTES"

struct seen {
	struct gmem_vm *owner;
	struct gmem *g;
	uint64_t reset[8][2]; /* ranges made shared */
	unsigned int n;
};

static void note(void *arg, const struct gmem_trace *e)
{
	struct seen *s = arg;

	if (strcmp(e->call, ATTRIBUTES) != 0 || e->result < 0 ||
	    e->arg[3] != GMEM_ATTRIBUTE_SHARED)
		return;
	assert_true(s->n < T_ARRAY_SIZE(s->reset));
	s->reset[s->n][0] = e->arg[1];
	s->reset[s->n++][1] = e->arg[2];
}

/* .vm is adopted from .owner; .g is a private file of 4 MiB. */
static void adopt(struct unit *m, struct seen *s)
{
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED,
				  .trace = note,
				  .trace_arg = s };

	s->owner = unit_vm(m, GMEM_VM_SW_PROTECTED, NULL, NULL);
	t_ok(gmem__vm_adopt_on(&unit_sys, m, gmem_vm_fd(s->owner), &o, &m->vm,
			       &m->err),
	     m->err);
	s->g = unit_create(m, 4 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
}

static void unbind_owing(struct unit *m, const struct seen *s)
{
	t_ok(gmem_model_fail(s->owner, ATTRIBUTES, 1, ENOMEM, &m->err), m->err);
	t_refused(gmem_unbind(s->g->vm, 0, 0, 0, &m->err), -EIO,
		  GMEM_REASON_RESET_PENDING, m->err);
}

static void end(struct unit *m, struct seen *s)
{
	m->vm = NULL;
	t_ok(gmem_vm_destroy(s->owner, &m->err), m->err);
}

static void was_reset(const struct seen *s, unsigned int i, uint64_t gpa,
		      uint64_t len)
{
	assert_true(i < s->n);
	assert_int_equal(s->reset[i][0], gpa);
	assert_int_equal(s->reset[i][1], len);
}

static void destroy_resets_what_is_owed(void **state)
{
	struct unit *m = *state;
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	assert_int_equal(s.n, 0);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 1);
	was_reset(&s, 0, GiB, 4 * MiB);
	end(m, &s);
}

static void destroy_tells_what_it_could_not_reset(void **state)
{
	struct unit *m = *state;
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	t_ok(gmem_model_fail(s.owner, ATTRIBUTES, 1, ENOMEM, &m->err), m->err);
	t_refused(gmem_vm_destroy(m->vm, &m->err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, m->err);
	end(m, &s);
}

static void close_resets_it_too_or_stays_open(void **state)
{
	struct unit *m = *state;
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	t_ok(gmem_close(s.g, &m->err), m->err);
	t_ok(gmem_model_fail(s.owner, ATTRIBUTES, 1, ENOMEM, &m->err), m->err);
	t_refused(gmem_vm_close(m->vm, &m->err), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	t_ok(gmem_vm_close(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 1);
	was_reset(&s, 0, GiB, 4 * MiB);
	end(m, &s);
}

/* What was to be kept, and what others have there now, is not ours. */
static void what_is_the_owners_stays(void **state)
{
	struct unit *m = *state;
	struct gmem_slot n = { .sz = sizeof(n),
			       .slot = 2,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };

	/* in either order */
	for (int i = 0; i < 2; i++) {
		struct seen s = { .n = 0 };
		uint64_t kept = i ? GiB : GiB + 2 * MiB;

		n.gpa = i ? GiB + 2 * MiB : GiB;
		adopt(m, &s);
		unbind_owing(m, &s);
		t_ok(t_bind(s.g, 1, kept, 0, 1 * MiB, NULL, &m->err), m->err);
		t_ok(gmem_unbind(m->vm, 1, 0, GMEM_UNBIND_KEEP_ATTRIBUTES,
				 &m->err),
		     m->err);
		t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
		t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
		assert_int_equal(s.n, 2);
		was_reset(&s, 0, GiB + 1 * MiB, 1 * MiB);
		was_reset(&s, 1, GiB + 3 * MiB, 1 * MiB);
		end(m, &s);
	}
}

/* Whichever of them was left first. */
static void ranges_that_touch_are_reset_as_one(void **state)
{
	struct unit *m = *state;
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	for (int i = 0; i < 2; i++) {
		t_ok(t_bind(s.g, 0, i ? GiB + 4 * MiB : GiB - 1 * MiB, 0,
			    1 * MiB, NULL, &m->err),
		     m->err);
		unbind_owing(m, &s);
	}
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 1);
	was_reset(&s, 0, GiB - 1 * MiB, 6 * MiB);
	end(m, &s);
}

/* A range of which a part could not be reset is owed still, and no other. */
static void what_was_reset_is_not_reset_again(void **state)
{
	struct unit *m = *state;
	struct gmem_slot n = { .sz = sizeof(n),
			       .slot = 2,
			       .gpa = GiB + 1 * MiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	t_ok(t_bind(s.g, 0, GiB / 2, 0, 1 * MiB, NULL, &m->err), m->err);
	unbind_owing(m, &s);
	t_ok(gmem_close(s.g, &m->err), m->err);
	t_ok(gmem_model_fail(s.owner, ATTRIBUTES, 2, ENOMEM, &m->err), m->err);
	t_refused(gmem_vm_close(m->vm, &m->err), -ENOMEM, GMEM_REASON_NO_MEMORY,
		  m->err);
	assert_int_equal(s.n, 1);
	was_reset(&s, 0, GiB / 2, 1 * MiB);
	t_ok(gmem_vm_close(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 3);
	was_reset(&s, 1, GiB, 1 * MiB);
	was_reset(&s, 2, GiB + 2 * MiB, 2 * MiB);
	end(m, &s);
}

/* A slot in the middle resets its own part and nothing else. */
static void the_middle_is_not_owed_twice(void **state)
{
	struct unit *m = *state;
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	t_ok(t_bind(s.g, 1, GiB + 1 * MiB, 0, 1 * MiB, NULL, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, 0, &m->err), m->err);
	assert_int_equal(s.n, 1);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 3);
	was_reset(&s, 1, GiB, 1 * MiB);
	was_reset(&s, 2, GiB + 2 * MiB, 2 * MiB);
	end(m, &s);
}

/* The bind failed over what is kept, and then its file was closed. */
static void what_is_nobodys_stays(void **state)
{
	struct unit *m = *state;
	struct seen s = { .n = 0 };
	struct gmem *other;

	adopt(m, &s);
	t_ok(gmem_unbind(m->vm, 0, 0, 0, &m->err), m->err);
	other = unit_create(m, 1 * MiB, 0);
	t_ok(t_bind(other, 1, GiB + 1 * MiB, 0, 1 * MiB, NULL, &m->err),
	     m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	unit_reset(m);
	unit_answer(m, "ioctl", GMEM__KVM_SET_MEMORY_ATTRIBUTES, 1, 2, -ENOMEM);
	t_code(t_bind(s.g, 0, GiB, 0, 4 * MiB, NULL, &m->err), -ENOMEM);
	unit_reset(m);
	t_ok(gmem_close(other, &m->err), m->err);
	s.n = 0;
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 2);
	was_reset(&s, 0, GiB, 1 * MiB);
	was_reset(&s, 1, GiB + 2 * MiB, 2 * MiB);
	end(m, &s);
}

/* Then the whole range stays owed, but for what is kept or another's now. */
static void without_memory_it_is_owed_still(void **state)
{
	struct unit *m = *state;
	struct gmem_slot n = { .sz = sizeof(n),
			       .slot = 2,
			       .gpa = GiB,
			       .len = 1 * MiB,
			       .userspace_addr = 1 * MiB };
	struct seen s = { .n = 0 };

	adopt(m, &s);
	unbind_owing(m, &s);
	/* the reservation, the slot, and this */
	t_ok(gmem_model_fail(s.owner, "alloc", 3, ENOMEM, &m->err), m->err);
	t_ok(t_bind(s.g, 1, GiB + 2 * MiB, 0, 1 * MiB, NULL, &m->err), m->err);
	t_ok(gmem_unbind(m->vm, 1, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &m->err),
	     m->err);
	t_ok(gmem_slot_note(m->vm, &n, &m->err), m->err);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	assert_int_equal(s.n, 2);
	was_reset(&s, 0, GiB + 1 * MiB, 1 * MiB);
	was_reset(&s, 1, GiB + 3 * MiB, 1 * MiB);
	end(m, &s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(destroy_resets_what_is_owed, unit_bare73),
		TEST(destroy_tells_what_it_could_not_reset, unit_bare73),
		TEST(close_resets_it_too_or_stays_open, unit_bare73),
		TEST(what_is_the_owners_stays, unit_bare73),
		TEST(ranges_that_touch_are_reset_as_one, unit_bare73),
		TEST(what_was_reset_is_not_reset_again, unit_bare73),
		TEST(the_middle_is_not_owed_twice, unit_bare73),
		TEST(what_is_nobodys_stays, unit_bare73),
		TEST(without_memory_it_is_owed_still, unit_bare73),
	};

	return t_main(tests);
}
