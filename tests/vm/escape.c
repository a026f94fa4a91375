// SPDX-License-Identifier: MIT
/*
 * A guest reaches only its own memory, neither itself nor through KVM, whose
 * own accesses go to the slot's userspace_addr whatever the guest sees: clocks,
 * string I/O, emulated instructions, page tables.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "canary.h"
#include "guest.h"

#define FILE_SIZE (8UL << 20) /* more than where the program's data lies */
#define GPA (16UL << 20)
#define HALF (FILE_SIZE / 2)
#define PAGE_OF(at) ((at) & ~4095UL)

/* Default guest memory, and canaries at all addresses from 0 on. */
static void start(struct guest *s, struct live *l)
{
	guest_start(s, l);
	canary_low(FILE_SIZE);
	assert_true(canary_has_page_zero());
	assert_true(canary_low_pages() > FILE_SIZE / l->page / 2);
	assert_true(canary_in_data() < FILE_SIZE);
	assert_true(canary_in_bss() < FILE_SIZE);
	live_ok(l, gmem_create(l->vm, FILE_SIZE, NULL, &l->g, &l->err));
}

static void start_bound(struct guest *s, struct live *l)
{
	start(s, l);
	live_ok(l, t_bind(l->g, 0, GPA, 0, FILE_SIZE, NULL, &l->err));
}

static void whole_at(struct guest *s, const char *file, int line)
{
	uint64_t changed = canary_low_changed();

	if (changed != CANARY_WHOLE)
		print_error("the VMM's memory has changed at 0x%lx\n", changed);
	if (s->leaks)
		print_error("the guest read %u words of it\n", s->leaks);
	if (changed != CANARY_WHOLE || s->leaks) {
		canary_low_mend();
		_fail(file, line);
	}
}
#define whole(s) whole_at((s), __FILE__, __LINE__)

/* Offsets in the file that are the VMM's addresses, if it starts at 0. */
static uint64_t target(unsigned int i)
{
	const uint64_t at[] = {
		0,
		0x1000,
		0x10000,
		PAGE_OF(canary_in_data()),
		PAGE_OF(canary_in_bss()),
		FILE_SIZE - 4096,
	};

	return i < T_ARRAY_SIZE(at) ? at[i] : UINT64_MAX;
}
#define for_each_target(at) \
	for (unsigned int i_ = 0; ((at) = target(i_)) != UINT64_MAX; i_++)

/*
 * Touches a shared page of a slot without a shared side.  In place the page is
 * in the file.
 */
static void touch_shared(struct guest *s, uint64_t gpa)
{
	int want = live_has("in-place") ? 0 : -EFAULT;
	uint32_t value = 0;
	int r;

	r = guest_write(s, gpa, 0xdeadbee0);
	whole(s);
	t_code(r, want);
	if (want < 0)
		assert_int_equal(s->vcpu.run->exit_reason, KVM_EXIT_UNKNOWN);
	t_code(guest_read(s, gpa, &value), want);
	assert_false(canary_is(value));
	if (want < 0)
		assert_int_equal(s->vcpu.run->exit_reason, KVM_EXIT_UNKNOWN);
	else
		assert_int_equal(value, 0xdeadbee0);
}

static void a_shared_page_without_a_shared_side_is_a_fault(void **state)
{
	struct live *l = *state;
	struct guest s;
	uint32_t value;
	uint64_t at;

	start_bound(&s, l);
	for_each_target(at)
	{
		uint64_t gpa = GPA + at;

		t_code(guest_write(&s, gpa, 0x1000 + (uint32_t)at), 0);
		guest_convert(&s, at, gpa, l->page, false);
		touch_shared(&s, gpa + 0x198);
		guest_convert(&s, at, gpa, l->page, true);
		t_code(guest_read(&s, gpa, &value), 0);
		assert_int_equal(value, 0x1000 + at);
		whole(&s);
	}
}

static void a_shared_slot_faults_page_by_page(void **state)
{
	struct live *l = *state;
	struct guest s;

	start_bound(&s, l);
	guest_convert(&s, 0, GPA, FILE_SIZE, false);
	for (uint64_t at = 0; at < FILE_SIZE; at += 31 * l->page)
		touch_shared(&s, GPA + at + 8);
	whole(&s);
}

/* The guest then runs twice more, so that KVM makes the access. */
static int point_msr(struct guest *s, uint32_t msr, uint64_t gpa)
{
	struct code *c = guest_code(s);

	code_wrmsr(c, msr, (uint32_t)gpa | MSR_ENABLE);
	code_out(c, GUEST_PORT, 1);
	code_out(c, GUEST_PORT, 2);
	code_halt(c);
	code_wrmsr(c, msr, 0);
	return guest_go(s);
}

static const uint32_t clocks[] = {
	MSR_WALL_CLOCK,	    MSR_SYSTEM_TIME,	 MSR_STEAL_TIME,
	MSR_WALL_CLOCK_OLD, MSR_SYSTEM_TIME_OLD,
};

/* Checks that KVM writes where such a register points, in ordinary memory. */
static void clocks_are_written_to_memory(void **state)
{
	const unsigned char *at;
	struct guest s;

	guest_start(&s, *state);
	for (size_t i = 0; i < T_ARRAY_SIZE(clocks); i++) {
		unsigned int bytes = 0;
		uint64_t offset = GUEST_RAM_SIZE / 2 + i * 64;

		t_code(point_msr(&s, clocks[i], GUEST_RAM + offset), 0);
		at = s.ram + offset;
		for (unsigned int n = 0; n < 64; n++)
			bytes += at[n] != 0;
		/* a clock that has lost no time may be zero */
		if (clocks[i] != MSR_STEAL_TIME)
			assert_true(bytes > 0);
		t_code(guest_on(&s), 0);
	}
}

/* Nothing is shared, and nothing needs to be. */
static void clocks_in_private_memory_reach_nothing(void **state)
{
	struct live *l = *state;
	struct guest s;
	uint64_t at;

	start_bound(&s, l);
	for_each_target(at)
	{
		for (size_t i = 0; i < T_ARRAY_SIZE(clocks); i++) {
			(void)point_msr(&s, clocks[i], GPA + at + 64 * i);
			whole(&s);
		}
	}
}

static void string_input_to_private_memory_reaches_nothing(void **state)
{
	struct live *l = *state;
	struct guest s;
	uint64_t at;

	start_bound(&s, l);
	for_each_target(at)
	{
		code_in_string(guest_code(&s), GUEST_PORT, (uint32_t)(GPA + at),
			       16);
		(void)guest_go(&s);
		assert_true(s.io > 0);
		whole(&s);
		/* KVM found no memory there and exited */
		assert_true(s.mmio_in_slots > 0);
	}
}

static void string_output_of_private_memory_reads_nothing(void **state)
{
	struct live *l = *state;
	struct guest s;
	uint64_t at;

	start_bound(&s, l);
	for_each_target(at)
	{
		code_out_string(guest_code(&s), GUEST_PORT,
				(uint32_t)(GPA + at), 16);
		(void)guest_go(&s);
		whole(&s);
		assert_true(s.mmio_in_slots > 0);
	}
}

/* One side has no slot, so that KVM emulates it; the other is private. */
static void emulated_copies_of_private_memory_reach_nothing(void **state)
{
	struct live *l = *state;
	struct guest s;
	uint64_t at;

	start_bound(&s, l);
	for_each_target(at)
	{
		code_copy(guest_code(&s), GUEST_HOLE, (uint32_t)(GPA + at), 4);
		(void)guest_go(&s);
		whole(&s);
		assert_true(s.mmio_in_slots > 0);
		code_copy(guest_code(&s), (uint32_t)(GPA + at), GUEST_HOLE, 4);
		(void)guest_go(&s);
		whole(&s);
		assert_true(s.mmio_in_slots > 0);
	}
}

/*
 * The processor walks page tables in private memory; KVM, to emulate an
 * instruction, walks those at userspace_addr.
 */
static void page_tables_in_private_memory_reach_nothing(void **state)
{
	const uint32_t maps[] = { GUEST_RAM, GPA, GPA + HALF, GUEST_HOLE };
	uint64_t word = GUEST_RAM_SIZE / 2;
	struct live *l = *state;
	struct guest s;
	uint64_t at;

	start_bound(&s, l);
	for_each_target(at)
	{
		uint32_t directory = (uint32_t)(GPA + at);
		struct code *c = guest_code(&s);
		uint32_t seen = 0;

		memset(s.ram + word, 0, sizeof(seen));
		for (size_t i = 0; i < T_ARRAY_SIZE(maps); i++)
			code_store(c, directory + (maps[i] >> 22) * 4,
				   FLAT_PDE(maps[i]));
		code_halt(c);
		/* paging is on from here */
		code_store(c, (uint32_t)(GUEST_RAM + word), 0x600d);
		code_store(c, GUEST_HOLE, 0x11);
		code_load(c, GUEST_HOLE);
		t_code(guest_go(&s), 0);
		flat_paging(&s.vcpu, directory);
		(void)guest_on(&s);
		memcpy(&seen, s.ram + word, sizeof(seen));
		assert_int_equal(seen, 0x600d);
		whole(&s);
	}
}

/* ------------------------------------------------ slots that come and go */

/* All of the accesses above, on one page. */
static void attack(struct guest *s, uint64_t offset, uint64_t gpa)
{
	guest_convert(s, offset, gpa, s->l->page, false);
	touch_shared(s, gpa);
	guest_convert(s, offset, gpa, s->l->page, true);
	for (size_t i = 0; i < T_ARRAY_SIZE(clocks); i++)
		(void)point_msr(s, clocks[i], gpa + 64 * i);
	code_in_string(guest_code(s), GUEST_PORT, (uint32_t)gpa, 16);
	(void)guest_go(s);
	whole(s);
	code_copy(guest_code(s), GUEST_HOLE, (uint32_t)gpa, 4);
	(void)guest_go(s);
	whole(s);
}

/* Accesses the slot @id at its ends and where the VMM's data would be. */
static void attack_slot(struct guest *s, uint32_t id)
{
	struct gmem_slot slot = { .sz = sizeof(slot) };
	struct live *l = s->l;
	uint64_t at;

	live_ok(l, gmem_slot_get(l->vm, id, 0, &slot, &l->err));
	attack(s, slot.offset, slot.gpa);
	attack(s, slot.offset + slot.len - l->page,
	       slot.gpa + slot.len - l->page);
	for_each_target(at)
	{
		if (at < slot.len)
			attack(s, slot.offset + at, slot.gpa + at);
		if (at - slot.offset < slot.len)
			attack(s, at, slot.gpa + at - slot.offset);
	}
}

static struct gmem_slot bound(struct guest *s, uint32_t id, uint64_t gpa,
			      uint64_t offset, uint64_t len)
{
	struct gmem_slot slot = { .sz = sizeof(slot) };
	struct live *l = s->l;

	live_ok(l, t_bind(l->g, id, gpa, offset, len, NULL, &l->err));
	live_ok(l, gmem_slot_get(l->vm, id, 0, &slot, &l->err));
	return slot;
}

static void slots_in_the_middle_of_a_file_reach_nothing(void **state)
{
	struct live *l = *state;
	struct gmem_slot a, b;
	struct guest s;

	start(&s, l);
	a = bound(&s, 0, GPA, HALF, HALF);
	attack_slot(&s, 0);
	b = bound(&s, 1, GPA + FILE_SIZE, 0, HALF / 2);
	attack_slot(&s, 1);
	attack_slot(&s, 0);
	assert_true(a.userspace_addr >= 0x10000);
	assert_true(b.userspace_addr >= 0x10000);

	/* unbind one and keep the other; bind it again, elsewhere */
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	attack_slot(&s, 1);
	(void)bound(&s, 2, GPA + HALF, HALF - l->page, HALF);
	attack_slot(&s, 2);
	attack_slot(&s, 1);
	live_ok(l, gmem_unbind(l->vm, 1, 0, 0, &l->err));
	attack_slot(&s, 2);
	live_ok(l, gmem_unbind(l->vm, 2, 0, 0, &l->err));

	/* after its last slot is gone, the file gets a new reservation */
	(void)bound(&s, 3, GPA, l->page, FILE_SIZE - l->page);
	attack_slot(&s, 3);
}

static void a_refused_close_leaves_slots_safe(void **state)
{
	struct live *l = *state;
	struct guest s;

	start_bound(&s, l);
	t_refused(gmem_close(l->g, &l->err), -EBUSY, GMEM_REASON_STILL_BOUND,
		  l->err);
	attack_slot(&s, 0);
	t_refused(t_bind(l->g, 1, GPA + FILE_SIZE, 0, HALF, NULL, &l->err),
		  -EEXIST, GMEM_REASON_RANGE_BOUND, l->err);
	t_refused(t_bind(l->g, 0, GPA + FILE_SIZE, 0, HALF, NULL, &l->err),
		  -EEXIST, GMEM_REASON_SLOT_IN_USE, l->err);
	attack_slot(&s, 0);
}

/* The VMM's next mapping may lie where the slot's memory was. */
static void memory_mapped_after_unbind_is_out_of_reach(void **state)
{
	struct live *l = *state;
	struct gmem_slot slot;
	struct guest s;
	void *fresh[8];
	uint64_t at;

	start(&s, l);
	for (int round = 0; round < 4; round++) {
		uint64_t base;

		slot = bound(&s, 0, GPA, HALF / 2, HALF);
		for (size_t i = 0; i < T_ARRAY_SIZE(clocks); i++)
			(void)point_msr(&s, clocks[i], GPA + 64 * i);
		live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
		base = slot.userspace_addr - slot.offset;
		fresh[0] = canary_fresh_at(
			(void *)base, /* NOLINT(performance-no-int-to-ptr) */
			FILE_SIZE);
		for (size_t i = 1; i < T_ARRAY_SIZE(fresh); i++)
			fresh[i] = canary_fresh(FILE_SIZE);
		t_code(guest_on(&s), 0); /* from the last clock on */
		for_each_target(at)
		{
			for (size_t i = 0; i < T_ARRAY_SIZE(clocks); i++)
				(void)point_msr(&s, clocks[i], GPA + at);
			(void)guest_write(&s, GPA + at, 1);
			(void)guest_write(&s, GPA + HALF + at, 1);
		}
		for (size_t i = 0; i < T_ARRAY_SIZE(fresh); i++) {
			assert_true(!fresh[i] ||
				    canary_untouched(fresh[i], FILE_SIZE));
			if (fresh[i]) {
				(void)*(volatile unsigned char *)fresh[i];
				assert_false(
					canary_untouched(fresh[i], FILE_SIZE));
				munmap(fresh[i], FILE_SIZE);
			}
		}
		whole(&s);
	}
}

/* A slot with the VMM's memory for shared pages reaches nothing beyond it. */
static void a_slot_on_the_callers_memory_reaches_no_further(void **state)
{
	struct live *l = *state;
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_USERSPACE_ADDR,
	};
	uint64_t len = 64 * l->page;
	unsigned char *memory;
	struct guest s;

	start(&s, l);
	live_need("two-backings");
	memory = live_memory(l, 3 * len, 0);
	canary_fill(memory, len);
	canary_fill(memory + 2 * len, len);
	opts.userspace_addr = (uintptr_t)memory + len;
	live_ok(l, t_bind(l->g, 0, GPA, len, len, &opts, &l->err));
	guest_convert(&s, len, GPA, len, false);
	for (uint64_t at = 0; at < 3 * len; at += l->page / 2) {
		(void)guest_write(&s, GPA + at - len, 0xdeadbee0);
		for (size_t i = 0; i < T_ARRAY_SIZE(clocks); i++)
			(void)point_msr(&s, clocks[i], GPA + at - len + 64 * i);
		code_in_string(guest_code(&s), GUEST_PORT,
			       (uint32_t)(GPA + at - len - 8), 4);
		(void)guest_go(&s);
	}
	assert_int_equal(s.leaks, 0);
	assert_true(canary_changed(memory, len) == CANARY_WHOLE);
	assert_true(canary_changed(memory + len, len) != CANARY_WHOLE);
	assert_true(canary_changed(memory + 2 * len, len) == CANARY_WHOLE);
	whole(&s);
}

int main(void)
{
	const struct CMUnitTest escape[] = {
		live_test(a_shared_page_without_a_shared_side_is_a_fault),
		live_test(a_shared_slot_faults_page_by_page),
		live_test(clocks_are_written_to_memory),
		live_test(clocks_in_private_memory_reach_nothing),
		live_test(string_input_to_private_memory_reaches_nothing),
		live_test(string_output_of_private_memory_reads_nothing),
		live_test(emulated_copies_of_private_memory_reach_nothing),
		live_test(page_tables_in_private_memory_reach_nothing),
		live_test(slots_in_the_middle_of_a_file_reach_nothing),
		live_test(a_refused_close_leaves_slots_safe),
		live_test(memory_mapped_after_unbind_is_out_of_reach),
		live_test(a_slot_on_the_callers_memory_reaches_no_further),
	};

	return t_main(escape);
}
