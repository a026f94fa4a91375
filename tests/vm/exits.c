// SPDX-License-Identifier: MIT
/* Exits of a vCPU to its VMM, and conversions that a guest asks for. */
#include <linux/kvm.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_exit.h>
#include <gmem_region.h>

#include "vcpu.h"

#define RAM (16 * l->page) /* at guest address 0; the code is in page 0 */
#define PAGE (8 * l->page) /* the page that is converted */

#define ENOSYS_OF_KVM 1000

static void enable_map_gpa_range(struct live *l)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { GMEM__HC_MAP_GPA_RANGE_BIT },
	};

	t_code(raw_ioctl(gmem_vm_fd(l->vm), KVM_ENABLE_CAP, &cap), 0);
}

/* Ordinary memory of a VM of @type, as for shared pages. */
static unsigned char *start(struct live *l, uint32_t type)
{
	unsigned char *ram;

	live_vm(l, type);
	ram = live_memory(l, RAM, 0);
	vcpu_copy(ram);
	return ram;
}

/*
 * Half of a file as the guest's RAM, all of it still shared: what the guest has
 * there is the memory returned, which in place is the file.
 */
static unsigned char *start_private(struct live *l)
{
	struct gmem_slot opts = {
		.sz = sizeof(opts),
		.flags = GMEM_SLOT_FD | GMEM_SLOT_LEAVE_SHARED,
	};
	unsigned char *ram;

	live_need("private-memory");
	if (live_has("in-place")) {
		live_vm(l, GMEM_VM_SW_PROTECTED);
		live_file(l, 2 * RAM / l->page, GMEM_CREATE_MMAP);
		live_ok(l, t_bind(l->g, 0, 0, RAM, RAM, &opts, &l->err));
		ram = raw_map(l, gmem_fd(l->g), 2 * RAM,
			      PROT_READ | PROT_WRITE);
		vcpu_copy(ram + RAM);
		return ram + RAM;
	}
	opts.flags |= GMEM_SLOT_USERSPACE_ADDR;
	ram = start(l, GMEM_VM_SW_PROTECTED);
	live_ok(l, gmem_create(l->vm, 2 * RAM, NULL, &l->g, &l->err));
	opts.userspace_addr = (uintptr_t)ram;
	live_ok(l, t_bind(l->g, 0, 0, RAM, RAM, &opts, &l->err));
	return ram;
}

static uint32_t word(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t load(struct live *l, uint64_t gpa)
{
	uint32_t value;

	t_code(vcpu_load(l, gpa, &value), 0);
	return value;
}

/* The guest asks, the VMM converts by the library, the guest continues. */
static void convert(struct live *l, bool private)
{
	struct vcpu_hypercall *call;
	uint64_t offset, len;

	t_code(vcpu_map_gpa_range(l, PAGE, l->page / 4096, private),
	       VCPU_EXIT_HYPERCALL);
	call = vcpu_hypercall(l);
	assert_int_equal(call->nr, 12);
	assert_int_equal(call->args[2], private ? 1 << 4 : 0);
	offset = RAM + call->args[0];
	len = call->args[1] * 4096;
	if (private)
		live_ok(l, gmem_set_private(l->g, offset, len, &l->err));
	else
		live_ok(l, t_share(l->g, offset, len, &l->err));
	call->ret = 0;
	t_code(vcpu_continue(l), 0);
}

/*
 * Only the page at @offset has memory in the file; -1 for none.  In place the
 * shared ones have theirs there too.
 */
static void assert_resident(struct live *l, int64_t offset)
{
	int fd = gmem_fd(l->g);

	if (!live_has("residency"))
		return;
	if (live_has("in-place")) {
		assert_int_equal(raw_resident(fd, 0, 2 * RAM), 2);
		return;
	}
	assert_int_equal(raw_resident(fd, 0, 2 * RAM), offset < 0 ? 0 : 1);
	if (offset >= 0)
		assert_int_equal(raw_resident(fd, offset, l->page), 1);
}

/* One page of memory: what the guest wrote stays, and the host sees it again.
 */
static void a_guest_converts_in_place(struct live *l, const unsigned char *ram)
{
	convert(l, true);
	assert_int_equal(live_touch(ram + PAGE), BUS_ADRERR);
	/* this VM type keeps the contents */
	assert_int_equal(load(l, PAGE), 0x11);
	t_code(vcpu_store(l, PAGE, 0x22), 0);
	assert_int_equal(live_touch(ram + PAGE), BUS_ADRERR);

	convert(l, false);
	assert_int_equal(word(ram + PAGE), 0x22);
	assert_int_equal(load(l, PAGE), 0x22);
	t_code(vcpu_store(l, PAGE, 0x33), 0);
	assert_int_equal(word(ram + PAGE), 0x33);

	convert(l, true);
	assert_int_equal(live_touch(ram + PAGE), BUS_ADRERR);
	assert_int_equal(load(l, PAGE), 0x33);
	assert_resident(l, 0);
}

static void a_guest_converts_by_guest_address(struct live *l,
					      const unsigned char *ram)
{
	assert_resident(l, -1);
	convert(l, true);
	t_code(vcpu_store(l, PAGE, 0x22), 0);
	assert_int_equal(word(ram + PAGE), 0x11);
	assert_int_equal(load(l, PAGE), 0x22);
	assert_resident(l, (int64_t)(RAM + PAGE));

	convert(l, false);
	assert_int_equal(load(l, PAGE), 0x11);
	t_code(vcpu_store(l, PAGE, 0x33), 0);
	assert_int_equal(word(ram + PAGE), 0x33);

	/* this VM type keeps the contents of the file */
	convert(l, true);
	assert_int_equal(load(l, PAGE), 0x22);
}

static void a_guest_converts_its_memory_both_ways(void **state)
{
	struct live *l = *state;
	unsigned char *ram = start_private(l);

	enable_map_gpa_range(l);
	t_code(vcpu_store(l, PAGE, 0x11), 0);
	assert_int_equal(word(ram + PAGE), 0x11);
	if (live_has("in-place"))
		a_guest_converts_in_place(l, ram);
	else
		a_guest_converts_by_guest_address(l, ram);
}

/* From now on userspace_addr of slot 0 has no memory at @offset. */
static void take_away(struct live *l, uint64_t offset)
{
	struct gmem_slot s = { .sz = sizeof(s) };

	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	assert_int_equal(
		mprotect((void *)(uintptr_t)(s.userspace_addr + offset),
			 l->page, PROT_NONE),
		0);
}

/*
 * A shared access for which userspace_addr has no memory is EFAULT too, but
 * without an exit that says where.  In place the guest does not miss it.
 */
static void a_shared_fault_has_no_exit_and_goes_on_when_private(void **state)
{
	struct live *l = *state;

	(void)start_private(l);
	take_away(l, PAGE);
	if (live_has("in-place")) {
		t_code(vcpu_store(l, PAGE + 8, 0x44), 0);
	} else {
		t_code(vcpu_store(l, PAGE + 8, 0x44), -EFAULT);
		assert_int_equal(vcpu_exit_reason(l), KVM_EXIT_UNKNOWN);
	}

	live_ok(l, gmem_set_private(l->g, RAM + PAGE, l->page, &l->err));
	if (!live_has("in-place"))
		t_code(vcpu_continue(l), 0);
	assert_int_equal(load(l, PAGE + 8), 0x44);
	assert_resident(l, (int64_t)(RAM + PAGE));
}

/*
 * Attributes that outlived a slot apply to the next one there.  In place they
 * stay with the file, and the next slot has none.
 */
static void a_private_fault_goes_on_when_made_shared(void **state)
{
	struct live *l = *state;
	unsigned char *ram = start_private(l), *plain;
	int vm = gmem_vm_fd(l->vm);
	uint64_t flags, gpa, size;

	plain = live_memory(l, RAM, 0);
	vcpu_copy(plain);
	live_ok(l, gmem_set_private(l->g, RAM + PAGE, l->page, &l->err));
	live_ok(l,
		gmem_unbind(l->vm, 0, 0, GMEM_UNBIND_KEEP_ATTRIBUTES, &l->err));
	t_code(raw_plain(vm, 1, 0, RAM, plain), 0);
	if (live_has("in-place")) {
		t_code(vcpu_store(l, PAGE + 8, 0x55), 0);
		assert_int_equal(live_touch(ram + PAGE), BUS_ADRERR);
	} else {
		t_code(vcpu_store(l, PAGE + 8, 0x55), -EFAULT);
		assert_true(guest_fault(l, &flags, &gpa, &size));
		assert_int_equal(flags, GMEM__ATTRIBUTE_PRIVATE);
		assert_int_equal(gpa, PAGE);
		assert_int_equal(size, l->page);
		assert_int_equal(word(plain + PAGE + 8), 0);

		t_code(raw_attributes(vm, gpa, size, 0), 0);
		t_code(vcpu_continue(l), 0);
	}
	assert_int_equal(word(plain + PAGE + 8), 0x55);
	t_code(raw_delete(vm, 1), 0);
}

static void unbind_leaves_no_attributes_to_the_next_slot(void **state)
{
	struct live *l = *state;
	unsigned char *plain;
	int vm;

	(void)start_private(l);
	vm = gmem_vm_fd(l->vm);
	plain = live_memory(l, RAM, 0);
	vcpu_copy(plain);
	live_ok(l, gmem_set_private(l->g, RAM + PAGE, l->page, &l->err));
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	t_code(raw_plain(vm, 1, 0, RAM, plain), 0);
	t_code(vcpu_store(l, PAGE, 0x66), 0);
	assert_int_equal(word(plain + PAGE), 0x66);
	t_code(raw_delete(vm, 1), 0);
}

/*
 * Makes @plain the guest's RAM, with a page that ends KVM_RUN with a memory
 * fault: a private one, or in place one of a file that is closed.
 */
static void fault_page(struct live *l, unsigned char *plain)
{
	int vm = gmem_vm_fd(l->vm), fd;

	if (!live_has("in-place")) {
		t_code(raw_plain(vm, 1, 0, RAM, plain), 0);
		t_code(raw_attributes(vm, PAGE, l->page,
				      GMEM__ATTRIBUTE_PRIVATE),
		       0);
		return;
	}
	t_code(raw_plain(vm, 1, 0, PAGE, plain), 0);
	fd = raw_create(vm, l->page, 0);
	assert_true(fd >= 0);
	t_code(raw_bind(vm, 2, PAGE, l->page, plain + PAGE, fd, 0), 0);
	close(fd);
}

/* The page is ordinary memory, that of @plain. */
static void mend_page(struct live *l, unsigned char *plain)
{
	int vm = gmem_vm_fd(l->vm);

	if (!live_has("in-place")) {
		t_code(raw_attributes(vm, PAGE, l->page, 0), 0);
		return;
	}
	t_code(raw_delete(vm, 2), 0);
	t_code(raw_plain(vm, 2, PAGE, l->page, plain + PAGE), 0);
}

/* exit_reason is valid only after EFAULT and EHWPOISON. */
static void exit_reason_is_stale_after_eintr(void **state)
{
	struct live *l = *state;
	uint64_t flags, gpa, size;
	unsigned char *plain;

	live_need("private-memory");
	plain = start(l, GMEM_VM_SW_PROTECTED);
	fault_page(l, plain);
	t_code(vcpu_store(l, PAGE, 1), -EFAULT);
	assert_true(guest_fault(l, &flags, &gpa, &size));
	vcpu_interrupt(l, true);
	t_code(vcpu_continue(l), -EINTR);
	assert_true(guest_fault(l, &flags, &gpa, &size));

	/* but not after an EFAULT that has no exit */
	vcpu_interrupt(l, false);
	mend_page(l, plain);
	assert_int_equal(mprotect(plain + PAGE, l->page, PROT_NONE), 0);
	t_code(vcpu_continue(l), -EFAULT);
	assert_int_equal(vcpu_exit_reason(l), KVM_EXIT_UNKNOWN);
}

/* The numbers of the exit, and how the guest gets the answer. */
static void map_gpa_range_comes_with_its_numbers(void **state)
{
	struct live *l = *state;
	unsigned char *ram = start(l, GMEM_VM_DEFAULT);
	struct vcpu_hypercall *call;

	t_code(raw_plain(gmem_vm_fd(l->vm), 0, 0, RAM, ram), 0);
	enable_map_gpa_range(l);
	t_code(vcpu_map_gpa_range(l, 0x123000, 7, true), VCPU_EXIT_HYPERCALL);
	call = vcpu_hypercall(l);
	assert_int_equal(call->nr, 12);
	assert_int_equal(call->args[0], 0x123000);
	assert_int_equal(call->args[1], 7);
	assert_int_equal(call->args[2], 1 << 4);
	assert_int_equal(call->flags & 1, 0);
	call->ret = EAGAIN;
	t_code(vcpu_continue(l), 0);
	assert_int_equal(vcpu_answer(l), EAGAIN);
	t_code(vcpu_map_gpa_range(l, 0, 1, false), VCPU_EXIT_HYPERCALL);
	call->ret = 0;
	t_code(vcpu_continue(l), 0);
	assert_int_equal(vcpu_answer(l), 0);
}

/* KVM checks first, and answers itself unless the VMM asked for the exit. */
static void map_gpa_range_is_refused_by_kvm(void **state)
{
	struct live *l = *state;
	unsigned char *ram = start(l, GMEM_VM_DEFAULT);

	t_code(raw_plain(gmem_vm_fd(l->vm), 0, 0, RAM, ram), 0);
	t_code(vcpu_map_gpa_range(l, PAGE, 1, true), 0);
	assert_int_equal(vcpu_answer(l), -ENOSYS_OF_KVM);
	enable_map_gpa_range(l);
	t_code(vcpu_map_gpa_range(l, PAGE + 1, 1, true), 0);
	assert_int_equal(vcpu_answer(l), -EINVAL);
	t_code(vcpu_map_gpa_range(l, PAGE, 0, true), 0);
	assert_int_equal(vcpu_answer(l), -EINVAL);
}

/* Private pages are in the file, shared ones elsewhere unless in place. */
static void pre_fault_takes_each_page_from_its_side(void **state)
{
	struct live *l = *state;
	uint64_t gpa = 4 * l->page, size = 8 * l->page;
	unsigned char *ram = start_private(l);

	live_need("pre-fault");
	live_ok(l, gmem_set_private(l->g, RAM + PAGE, l->page, &l->err));
	t_code(vcpu_pre_fault(l, &gpa, &size), 0);
	assert_int_equal(gpa, 12 * l->page);
	assert_int_equal(size, 0);
	if (live_has("in-place") && live_has("residency"))
		assert_int_equal(raw_resident(gmem_fd(l->g), RAM + 4 * l->page,
					      8 * l->page),
				 8);
	else
		assert_resident(l, (int64_t)(RAM + PAGE));
	t_code(vcpu_store(l, PAGE, 0x77), 0);
	assert_int_equal(load(l, PAGE), 0x77);
	if (live_has("in-place"))
		assert_int_equal(live_touch(ram + PAGE), BUS_ADRERR);
	else
		assert_int_equal(word(ram + PAGE), 0);
}

/* 0 means that there was progress, not that everything is done. */
static void pre_fault_stops_where_the_slot_ends(void **state)
{
	struct live *l = *state;
	uint64_t gpa = RAM - 2 * l->page, size = 4 * l->page;

	live_need("pre-fault");
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 16, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, RAM, NULL, &l->err));
	t_code(vcpu_pre_fault(l, &gpa, &size), 0);
	assert_int_equal(gpa, RAM);
	assert_int_equal(size, 2 * l->page);
	if (live_has("residency"))
		assert_int_equal(raw_resident(gmem_fd(l->g), 0, RAM), 2);
	t_code(vcpu_pre_fault(l, &gpa, &size), -ENOENT);
	assert_int_equal(gpa, RAM);
	assert_int_equal(size, 2 * l->page);
	gpa = 0;
	size = 0;
	t_code(vcpu_pre_fault(l, &gpa, &size), -EINVAL);
}

/* ----------------------------------------------------- fatal, then fixed -- */

/* What the library makes of the end of KVM_RUN, of which @r is the result. */
static struct gmem_answer serve(struct live *l, int r, struct gmem_guard *guard)
{
	struct gmem_answer a = GMEM_INIT(struct gmem_answer);
	struct gmem_exit e = GMEM_INIT(struct gmem_exit);

	live_ok(l, gmem_exit_decode(r < 0 ? -1 : r, r < 0 ? -r : 0, l->run,
				    l->run_size, &e, &l->err));
	live_ok(l, gmem_vm_serve(l->vm, &e, guard, NULL, &a, &l->err));
	return a;
}

static void what_was_unreachable_is_used_once_there_is_memory(void **state)
{
	struct gmem_guard guard = GMEM_INIT(struct gmem_guard);
	struct live *l = *state;
	struct gmem_answer a;
	unsigned char *ram;

	ram = start(l, GMEM_VM_DEFAULT);
	t_code(raw_plain(gmem_vm_fd(l->vm), 0, 0, RAM, ram), 0);
	assert_int_equal(mprotect(ram + PAGE, l->page, PROT_NONE), 0);
	a = serve(l, vcpu_store(l, PAGE + 8, 0x77), &guard);
	assert_int_equal(a.kind, GMEM_ANSWER_FATAL);
	assert_int_equal(a.reason, GMEM_REASON_UNREACHABLE);
	assert_int_equal(mprotect(ram + PAGE, l->page, PROT_READ | PROT_WRITE),
			 0);
	t_code(vcpu_continue(l), 0);
	assert_int_equal(word(ram + PAGE + 8), 0x77);
	t_code(raw_delete(gmem_vm_fd(l->vm), 0), 0);
}

/*
 * The slot is deleted behind the library's back.  Comparing shows that the
 * record has one, and with it in the kernel again the vCPU continues.
 */
static void a_guest_goes_on_once_kernel_and_record_agree(void **state)
{
	struct gmem_guard guard = GMEM_INIT(struct gmem_guard);
	struct gmem_slot s = { .sz = sizeof(s), .slot = 1 };
	struct gmem_answer a = { .kind = GMEM_ANSWER_RESUME };
	struct live *l = *state;
	struct gmem_region *r = NULL;
	unsigned char *ram;
	uint32_t value = 0;
	int vm;

	live_need("two-backings");
	ram = start(l, GMEM_VM_SW_PROTECTED);
	vm = gmem_vm_fd(l->vm);
	t_code(raw_plain(vm, 0, 0, PAGE, ram), 0);
	live_ok(l, gmem_region_create(l->vm, PAGE, NULL, &r, &l->err));
	s.gpa = PAGE;
	s.len = PAGE;
	live_ok(l, gmem_region_bind(r, &s, &l->err));
	t_code(raw_delete(vm, 1), 0);

	for (int i = 0; i < 8 && a.kind == GMEM_ANSWER_RESUME; i++)
		a = serve(l, i ? vcpu_continue(l) : vcpu_store(l, PAGE, 0x99),
			  &guard);
	assert_int_equal(a.kind, GMEM_ANSWER_FATAL);
	assert_int_equal(a.reason, GMEM_REASON_NO_PROGRESS);

	s = (struct gmem_slot){ .sz = sizeof(s) };
	live_ok(l, gmem_slot_get(l->vm, 1, 0, &s, &l->err));
	t_code(raw_bind(vm, 1, s.gpa, s.len,
			(void *)(uintptr_t)s.userspace_addr, s.fd, s.offset),
	       0);
	t_code(vcpu_continue(l), 0);
	t_code(vcpu_load(l, PAGE, &value), 0);
	assert_int_equal(value, 0x99);
	live_ok(l, gmem_region_unbind(r, 1, 0, 0, &l->err));
	live_ok(l, gmem_region_close(r, &l->err));
	t_code(raw_delete(vm, 0), 0);
}

int main(void)
{
	const struct CMUnitTest exits[] = {
		live_test(a_guest_converts_its_memory_both_ways),
		live_test(a_shared_fault_has_no_exit_and_goes_on_when_private),
		live_test(a_private_fault_goes_on_when_made_shared),
		live_test(unbind_leaves_no_attributes_to_the_next_slot),
		live_test(exit_reason_is_stale_after_eintr),
		live_test(map_gpa_range_comes_with_its_numbers),
		live_test(map_gpa_range_is_refused_by_kvm),
		live_test(pre_fault_takes_each_page_from_its_side),
		live_test(pre_fault_stops_where_the_slot_ends),
		live_test(what_was_unreachable_is_used_once_there_is_memory),
		live_test(a_guest_goes_on_once_kernel_and_record_agree),
	};

	return t_main(exits);
}
