// SPDX-License-Identifier: MIT
/*
 * minivm: a small virtual machine whose RAM is a guest_memfd.  Its one vCPU
 * prints a line, stores how long the line was and stops.
 *
 *	minivm [--poison]
 *
 * A slot has two addresses of the same RAM: the guest_memfd, and the host
 * mapping at userspace_addr, which KVM uses for its own accesses, such as
 * emulating an instruction.  libgmem makes both refer to the same pages.
 * --poison makes them differ, to find out which one a vCPU runs from on this
 * host: userspace_addr then has the same program with another line, and poison
 * everywhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem.h>

#define RAM_SIZE (2UL << 20) /* at guest physical address 0 */
#define SLOT 0
#define POISON 0xee

#define GUEST_DONE (-1) /* besides the characters it prints */
#define GUEST_LOST (-2)

#ifdef __aarch64__
#include "minivm_arm64.h"
#else
#include "minivm_x86.h"
#endif

static const char hello[] = "hello from a guest_memfd\n";
static const char in_file[] = "I run from the guest_memfd\n";
static const char in_decoy[] = "I run from userspace_addr\n";

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("minivm: ", stderr);
	gmem_print_error(stderr, what, err);
	return -1;
}

static int sys_failed(const char *what)
{
	fprintf(stderr, "minivm: %s: %s\n", what, strerror(errno));
	return -1;
}

/* A VM with RAM that holds the program and @text. */
static int make_vm(struct gmem_vm **vm, struct gmem **ram, const char *text)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};

	if (gmem_vm_open(NULL, vm, &err) < 0)
		return failed("make a VM", &err);
	if (gmem_create(*vm, RAM_SIZE, &opts, ram, &err) < 0)
		return failed("create the RAM", &err);
	if (gmem_write(*ram, GUEST_CODE, guest_code, sizeof(guest_code), &err))
		return failed("load the program", &err);
	if (gmem_write(*ram, GUEST_TEXT, text, strlen(text) + 1, &err))
		return failed("load the line", &err);
	return 0;
}

static int bind_ram(struct gmem *ram)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = SLOT,
		.len = RAM_SIZE,
		.gmem = ram,
	};

	if (gmem_bind(&slot, &err) < 0)
		return failed("bind the RAM", &err);
	return 0;
}

/* Maps this at userspace_addr instead of the file.  Only for this test. */
static unsigned char *put_decoy(struct gmem_vm *vm)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot slot = { .sz = sizeof(slot) };
	unsigned char *decoy;

	if (gmem_slot_get(vm, SLOT, 0, &slot, &err) < 0) {
		failed("look at the slot", &err);
		return NULL;
	}
	decoy = mmap((void *)(uintptr_t)slot.userspace_addr, RAM_SIZE,
		     PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (decoy == MAP_FAILED) {
		sys_failed("make the poison");
		return NULL;
	}
	memset(decoy, POISON, RAM_SIZE);
	memcpy(decoy + GUEST_CODE, guest_code, sizeof(guest_code));
	memcpy(decoy + GUEST_TEXT, in_decoy, sizeof(in_decoy));
	return decoy;
}

/* Runs the guest and prints its output.  Return: how many characters. */
static int run_guest(int vcpu, const struct kvm_run *run)
{
	int printed = 0;

	for (;;) {
		int c;

		if (ioctl(vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			return sys_failed("run the vCPU");
		}
		c = guest_exit(run);
		if (c == GUEST_DONE)
			return printed;
		if (c == GUEST_LOST) {
			fprintf(stderr, "minivm: unexpected exit %u\n",
				run->exit_reason);
			return -1;
		}
		putchar(c);
		printed++;
	}
}

/* Makes the vCPU, runs it and closes it. */
static int run_vcpu(int vm)
{
	struct kvm_run *run = MAP_FAILED;
	int kvm, size, vcpu = -1, printed = -1;

	kvm = open(GMEM_DEVICE, O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return sys_failed(GMEM_DEVICE);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (size < 0 || vcpu < 0) {
		sys_failed("make a vCPU");
		goto out;
	}
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || vcpu_start(vm, vcpu, 0) < 0) {
		sys_failed("set the vCPU up");
		goto out;
	}
	printed = run_guest(vcpu, run);
out:
	if (run != MAP_FAILED)
		munmap(run, size);
	if (vcpu >= 0)
		close(vcpu);
	close(kvm);
	return printed;
}

/* Finds where the guest stored its count of characters: it ran from there. */
static int report(struct gmem *ram, const unsigned char *decoy, int printed)
{
	struct gmem_error err = { .sz = sizeof(err) };
	const char *line = decoy ? in_file : hello;
	uint32_t want = printed, stored, other = 0;
	void *view;

	/* A mapping of its own: the slot's may be the decoy. */
	if (gmem_mmap(ram, 0, RAM_SIZE, NULL, &view, &err) < 0)
		return failed("map the RAM", &err);
	memcpy(&stored, (const unsigned char *)view + GUEST_RESULT,
	       sizeof(stored));
	if (decoy)
		memcpy(&other, decoy + GUEST_RESULT, sizeof(other));
	if (stored == want && want == strlen(line)) {
		printf("the guest ran from the guest_memfd%s and stored %u "
		       "there\n",
		       decoy ? ", userspace_addr being poison," : "", stored);
		return 0;
	}
	if (decoy && other == want && want == strlen(in_decoy) && !stored) {
		printf("the guest ran from userspace_addr and stored %u there: "
		       "without two-dimensional\npaging KVM does all itself, "
		       "and the guest_memfd was not used\n",
		       other);
		return 0;
	}
	fprintf(stderr,
		"minivm: the guest printed %u characters, but stored %u in "
		"the guest_memfd and %u in userspace_addr\n",
		want, stored, other);
	return -1;
}

int main(int argc, char **argv)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm = NULL;
	struct gmem *ram;
	const unsigned char *decoy = NULL;
	int printed, status = 1;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--poison"))) {
		fprintf(stderr, "usage: minivm [--poison]\n");
		return 2;
	}
	if (make_vm(&vm, &ram, argc == 2 ? in_file : hello) < 0)
		goto out;
	if (bind_ram(ram) < 0)
		goto out;
	if (argc == 2) {
		decoy = put_decoy(vm);
		if (!decoy)
			goto out;
	}
	printed = run_vcpu(gmem_vm_fd(vm));
	if (printed < 0 || report(ram, decoy, printed) < 0)
		goto out;
	status = 0;
out:
	if (gmem_vm_destroy(vm, &err) < 0) {
		failed("destroy the VM", &err);
		status = 1;
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "minivm: the output could not be written\n");
		status = 1;
	}
	return status;
}
