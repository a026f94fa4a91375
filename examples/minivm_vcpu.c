// SPDX-License-Identifier: MIT
/* minivm: the guest's program, and the vCPU that runs it.  KVM only. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "minivm.h"

#define GUEST_DONE (-1) /* besides the characters it prints */
#define GUEST_LOST (-2)

#ifdef __aarch64__
#include "minivm_arm64.h"
#else
#include "minivm_x86.h"
#endif

const uint64_t guest_text = GUEST_TEXT, guest_result = GUEST_RESULT;

void guest_copy(unsigned char *to, const char *line)
{
	memcpy(to + GUEST_CODE, guest_code, sizeof(guest_code));
	memcpy(to + GUEST_TEXT, line, strlen(line) + 1);
}

int guest_load(struct gmem *g, uint64_t offset, const char *line)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_write(g, offset + GUEST_CODE, guest_code, sizeof(guest_code),
		       &err) < 0)
		return failed("load the program", &err);
	if (gmem_write(g, offset + GUEST_TEXT, line, strlen(line) + 1, &err) <
	    0)
		return failed("load the line", &err);
	return 0;
}

static int vcpu_open(struct machine *m)
{
	int kvm = open(GMEM_DEVICE, O_RDWR | O_CLOEXEC);
	void *run;

	if (kvm < 0)
		return sys_failed(GMEM_DEVICE);
	m->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	close(kvm);
	m->vcpu = ioctl(gmem_vm_fd(m->vm), KVM_CREATE_VCPU, 0);
	if (m->run_size < 0 || m->vcpu < 0)
		return sys_failed("make a vCPU");
	run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   m->vcpu, 0);
	if (run == MAP_FAILED)
		return sys_failed("map the vCPU");
	m->run = run;
	return 0;
}

void vcpu_close(struct machine *m)
{
	if (m->run)
		munmap(m->run, m->run_size);
	if (m->vcpu >= 0)
		close(m->vcpu);
	m->run = NULL;
	m->vcpu = -1;
}

/* Completes the last exit, so that the vCPU can be started again. */
static int complete_exit(struct machine *m)
{
	int r;

	m->run->immediate_exit = 1;
	r = ioctl(m->vcpu, KVM_RUN, 0);
	m->run->immediate_exit = 0;
	if (r == 0 || errno != EINTR)
		return sys_failed("complete an exit of the vCPU");
	return 0;
}

/* A store to a read-only slot is an exit, and the guest continues behind it. */
static int is_refused_store(struct machine *m)
{
	const struct kvm_run *run = m->run;

	if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write ||
	    run->mmio.phys_addr < ROM_GPA ||
	    run->mmio.phys_addr >= ROM_GPA + ROM_SIZE)
		return 0;
	m->refused_at = run->mmio.phys_addr;
	return 1;
}

int guest_run(struct machine *m, uint64_t base)
{
	int printed = 0;

	if (m->vcpu < 0 && vcpu_open(m) < 0)
		return -1;
	if (vcpu_start(gmem_vm_fd(m->vm), m->vcpu, base) < 0)
		return sys_failed("set the vCPU up");
	m->refused_at = 0;
	for (;;) {
		int c;

		if (ioctl(m->vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			return sys_failed("run the vCPU");
		}
		if (is_refused_store(m))
			continue;
		c = guest_exit(m->run);
		if (c == GUEST_DONE)
			return complete_exit(m) < 0 ? -1 : printed;
		if (c == GUEST_LOST) {
			fprintf(stderr, "minivm: unexpected exit %u\n",
				m->run->exit_reason);
			return -1;
		}
		m->last = c;
		if (!m->quiet)
			putchar(c);
		printed++;
	}
}
