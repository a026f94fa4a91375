// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "live.h"

#define GUEST_DONE (-1)
#define GUEST_LOST (-2)

#ifdef __aarch64__
#include "minivm_arm64.h"
#else
#include "minivm_x86.h"
#endif

#define EXIT_MEMORY_FAULT 39

struct pre_fault { /* kvm_pre_fault_memory */
	uint64_t gpa;
	uint64_t size;
	uint64_t flags;
	uint64_t padding[5];
};
#define PRE_FAULT_MEMORY GMEM__IOWR(0xd5, 64)

_Static_assert(sizeof(struct pre_fault) == 64, "UAPI");

uint64_t guest_result(void)
{
	return GUEST_RESULT;
}

void guest_copy(unsigned char *ram, const char *text)
{
	memcpy(ram + GUEST_CODE, guest_code, sizeof(guest_code));
	memcpy(ram + GUEST_TEXT, text, strlen(text) + 1);
}

void guest_load(struct live *l, struct gmem *g, uint64_t offset,
		const char *text)
{
	live_ok(l, gmem_write(g, offset + GUEST_CODE, guest_code,
			      sizeof(guest_code), &l->err));
	live_ok(l, gmem_write(g, offset + GUEST_TEXT, text, strlen(text) + 1,
			      &l->err));
}

/* A vCPU of l->vm, made once. */
static void need_vcpu(struct live *l)
{
	int kvm, vm = gmem_vm_fd(l->vm);
	void *run;

	if (l->vcpu >= 0)
		return;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	l->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	close(kvm);
	l->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	assert_true(l->vcpu >= 0);
	run = mmap(NULL, l->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   l->vcpu, 0);
	assert_true(run != MAP_FAILED);
	l->run = run;
}

/* Completes an exit that the vCPU is still handling. */
static void complete_exit(struct live *l)
{
	struct kvm_run *run = (void *)l->run;

	run->immediate_exit = 1;
	t_code(raw_ioctl(l->vcpu, KVM_RUN, NULL), -EINTR);
	run->immediate_exit = 0;
}

int guest_run(struct live *l)
{
	int printed = 0;

	need_vcpu(l);
	assert_int_equal(vcpu_start(gmem_vm_fd(l->vm), l->vcpu, 0), 0);
	for (;;) {
		const struct kvm_run *run = (const void *)l->run;
		int r = raw_ioctl(l->vcpu, KVM_RUN, NULL), c;

		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		c = guest_exit(run);
		if (c == GUEST_DONE) {
			complete_exit(l);
			return printed;
		}
		if (c == GUEST_LOST)
			fail_msg("unexpected exit %u", run->exit_reason);
		printed++;
	}
}

bool guest_fault(const struct live *l, uint64_t *flags, uint64_t *gpa,
		 uint64_t *size)
{
	const struct kvm_run *run = (const void *)l->run;

	/* Distribution headers may be older than this exit. */
	memcpy(flags, l->run + 32, sizeof(*flags));
	memcpy(gpa, l->run + 40, sizeof(*gpa));
	memcpy(size, l->run + 48, sizeof(*size));
	return run->exit_reason == EXIT_MEMORY_FAULT;
}

int guest_pre_fault(struct live *l, uint64_t gpa)
{
	struct pre_fault args = { .gpa = gpa, .size = l->page };

	need_vcpu(l);
	return raw_ioctl(l->vcpu, PRE_FAULT_MEMORY, &args);
}

/*
 * A private access to a slot without a guest_memfd faults, a shared one
 * does not.
 */
bool guest_private(struct live *l, uint64_t gpa)
{
	int vm = gmem_vm_fd(l->vm), r;
	void *page = mmap(NULL, l->page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	t_code(raw_plain(vm, LIVE_SLOTS, gpa, l->page, page), 0);
	r = guest_pre_fault(l, gpa);
	t_code(raw_delete(vm, LIVE_SLOTS), 0);
	munmap(page, l->page);
	if (r != -EFAULT)
		t_code(r, 0);
	return r == -EFAULT;
}
