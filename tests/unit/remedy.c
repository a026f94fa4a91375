// SPDX-License-Identifier: MIT
/*
 * Remedies lead somewhere: who does what a refusal says, on the VM that it was
 * said of, comes to a call that works and never back to the same refusal.
 */
#include "unit.h"

#define MOST 6 /* refusals on the way: one for each flag, and the last */

struct host {
	const char *profile;
	uint32_t type;
	bool private, in_place;
};

static const struct host vms[] = {
	{ "6.12", GMEM_VM_SW_PROTECTED, true, false },
	{ "6.18", GMEM_VM_DEFAULT, false, false },
	{ "6.18", GMEM_VM_SW_PROTECTED, true, false },
	{ "7.3", GMEM_VM_DEFAULT, false, false },
	{ "7.3", GMEM_VM_SW_PROTECTED, true, false },
	{ "inplace", GMEM_VM_DEFAULT, false, false },
	{ "inplace", GMEM_VM_SW_PROTECTED, true, true },
};

static struct gmem_vm *open_vm(const struct host *v)
{
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = v->type };
	struct gmem_model_opts m = { .sz = sizeof(m), .vm = &o };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	t_ok(gmem_model_vm_open(v->profile, &m, &vm, &err), err);
	return vm;
}

/* What a table of remedies relies on is in their text. */
static void says(const struct gmem_error *err, const char *what)
{
	if (!strstr(err->remedy, what))
		fail_msg("%s: '%s' does not say %s",
			 gmem_reason_str(err->reason), err->remedy, what);
}

/* The flags of a file after doing what @err says. */
static uint64_t make_so(const struct host *v, uint64_t flags,
			const struct gmem_error *err)
{
	uint64_t check = flags & GMEM_CREATE_CHECK_ONLY;

	switch (err->reason) {
	case GMEM_REASON_INIT_SHARED_UNMAPPABLE:
		says(err, "add GMEM_CREATE_MMAP");
		return flags | GMEM_CREATE_MMAP;
	case GMEM_REASON_FLAG_UNSUPPORTED:
		says(err, "leave the flag out");
		return flags & ~err->value;
	case GMEM_REASON_GUEST_ONLY:
		says(err, "neither for one with it");
		return check | (v->private ? 0 : SHARED_FLAGS);
	case GMEM_REASON_NEVER_USED:
		says(err, "GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED");
		return check | SHARED_FLAGS;
	default:
		fail_msg("no remedy for %s: %s", gmem_reason_str(err->reason),
			 err->msg);
	}
	return flags;
}

static void each_file_can_be_made_in_the_end(void **state)
{
	static const uint64_t flag[] = {
		GMEM_CREATE_MMAP,
		GMEM_CREATE_INIT_SHARED,
		GMEM_CREATE_GUEST_ONLY,
		GMEM_CREATE_UNBOUND,
	};
	unsigned int refusals = 0;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(vms); i++) {
		struct gmem_vm *vm = open_vm(&vms[i]);

		for (unsigned int set = 0; set < 16; set++) {
			struct gmem_create_opts o = {
				.sz = sizeof(o), .flags = GMEM_CREATE_CHECK_ONLY
			};
			struct gmem_error err = { .sz = sizeof(err) };
			int tries = 0;

			for (unsigned int j = 0; j < 4; j++)
				o.flags |= set >> j & 1 ? flag[j] : 0;
			while (gmem_create(vm, MiB, &o, NULL, &err) < 0) {
				refusals++;
				if (++tries > MOST)
					fail_msg("%s, type %u, flags %u: "
						 "back to %s",
						 vms[i].profile, vms[i].type,
						 set, err.msg);
				o.flags = make_so(&vms[i], o.flags, &err);
			}
		}
		assert_int_equal(gmem_vm_destroy(vm, NULL), 0);
	}
	assert_true(refusals > 20);
}

/* The flags of a slot after doing what @err says. */
static uint64_t bind_so(uint64_t flags, bool shared,
			const struct gmem_error *err)
{
	const uint64_t hva = GMEM_SLOT_DIRTY_LOG | GMEM_SLOT_READONLY |
			     GMEM_SLOT_ALIAS;

	switch (err->reason) {
	case GMEM_REASON_VALUE_UNKNOWN:
		return flags & ~GMEM_SLOT_HVA;
	case GMEM_REASON_DIRTY_LOG:
		says(err, "GMEM_SLOT_DIRTY_LOG");
		return flags &
		       ~(shared ? GMEM_SLOT_FD : GMEM_SLOT_DIRTY_LOG);
	case GMEM_REASON_READONLY:
		says(err, "GMEM_SLOT_READONLY");
		return flags & ~(shared ? GMEM_SLOT_FD : GMEM_SLOT_READONLY);
	case GMEM_REASON_RANGE_BOUND:
		says(err, "without GMEM_SLOT_FD");
		return flags & ~GMEM_SLOT_FD;
	case GMEM_REASON_HVA_PRIVATE:
		says(err, "bind in fd mode without");
		return flags & ~(GMEM_SLOT_HVA | hva);
	case GMEM_REASON_NOT_MAPPABLE:
	case GMEM_REASON_PRIVATE:
		/* of the file and of the guest: what is left is fd mode */
		return flags & ~(GMEM_SLOT_HVA | hva);
	case GMEM_REASON_READONLY_UNSUPPORTED:
		says(err, "bind it writable");
		return flags & ~GMEM_SLOT_READONLY;
	default:
		fail_msg("no remedy for %s: %s", gmem_reason_str(err->reason),
			 err->msg);
	}
	return flags;
}

static void each_file_can_be_bound_in_the_end(void **state)
{
	unsigned int refusals = 0;

	(void)state;
	for (size_t i = 0; i < T_ARRAY_SIZE(vms); i++) {
		struct gmem_vm *vm = open_vm(&vms[i]);
		struct gmem_create_opts o = {
			.sz = sizeof(o),
			.flags = vms[i].in_place  ? GMEM_CREATE_MMAP
				 : vms[i].private ? 0
						  : SHARED_FLAGS
		};
		struct gmem_error err = { .sz = sizeof(err) };
		struct gmem *g = NULL;

		t_ok(gmem_create(vm, MiB, &o, &g, &err), err);
		for (uint64_t flags = 0; flags <= 0x1f; flags++) {
			struct gmem_slot s = {
				.sz = sizeof(s),
				.gmem = g,
				.len = MiB,
				.flags = flags | GMEM_SLOT_CHECK_ONLY,
			};
			int tries = 0;

			while (gmem_bind(&s, &err) < 0) {
				refusals++;
				if (++tries > MOST)
					fail_msg("%s, type %u, flags 0x%x: "
						 "back to %s",
						 vms[i].profile, vms[i].type,
						 (unsigned int)flags, err.msg);
				s.flags = bind_so(
					s.flags,
					o.flags & GMEM_CREATE_INIT_SHARED,
					&err);
			}
		}
		assert_int_equal(gmem_vm_destroy(vm, NULL), 0);
	}
	assert_true(refusals > 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_can_be_made_in_the_end),
		cmocka_unit_test(each_file_can_be_bound_in_the_end),
	};

	return t_main(tests);
}
