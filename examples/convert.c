// SPDX-License-Identifier: MIT
/*
 * convert: what a VMM does when its guest wants memory private or shared.
 *
 *	convert [--model[=PROFILE]]
 *
 * The guest asks for it by an exit: gmem_exit_decode() reads it,
 * gmem_vm_serve() converts the region's memory, frees the side that is no
 * longer used and says what the guest gets.  convert_vcpu.h has the guest: a
 * vCPU of the VM type that has private memory and needs no measured launch;
 * with --model, a confidential guest of libgmem-model.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_model.h>
#include <gmem_region.h>

#define PAGES 16

/* Of linux/kvm_para.h, where that is new enough. */
#define HC_MAP_GPA_RANGE 12
#define HC_PRIVATE (1 << 4)

struct machine {
	struct gmem_vm *vm;
	struct gmem_region *region; /* from guest address 0 on */
	struct gmem *file;	    /* the region's */
	unsigned char *shared;	    /* shared pages; NULL: in the file */
	uint64_t page;
	struct gmem_guard guard; /* of its one vCPU */
	struct kvm_run *run;	 /* what an exit says */
	size_t run_size;
	int vcpu; /* -1: the model */
};

/* Four bytes that the guest loads or stores. */
struct access {
	uint64_t gpa;
	bool write, private;
	uint32_t value;
	bool begun; /* by the real vCPU */
};

#include "convert_vcpu.h"

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("convert: ", stderr);
	gmem_print_error(stderr, what, err);
	return -1;
}

/* Shared pages are in other memory, or in the same file as private ones. */
static int print_host_view(struct machine *m, uint64_t gpa)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint32_t value;
	int r = 0;

	if (m->shared)
		memcpy(&value, m->shared + gpa, sizeof(value));
	else
		r = gmem_read(m->file, gpa, &value, sizeof(value), &err);
	if (r == 0)
		printf("the host reads 0x%x\n", value);
	else if (err.reason == GMEM_REASON_PRIVATE)
		printf("the host cannot read it: %s\n",
		       gmem_reason_str(err.reason));
	else
		return failed("read it as the host", &err);
	return 0;
}

static int host_store(struct machine *m, uint64_t gpa, const void *from,
		      size_t len)
{
	struct gmem_error err = { .sz = sizeof(err) };

	if (m->shared)
		memcpy(m->shared + gpa, from, len);
	else if (gmem_write(m->file, gpa, from, len, &err) < 0)
		return failed("write to shared memory", &err);
	return 0;
}

/* What became of the exit.  Return: 0 done, 1 refused, -1 failed. */
static int print_answer(struct machine *m, const struct gmem_exit *exit,
			const struct gmem_answer *answer)
{
	printf("  exit: 0x%llx bytes at 0x%llx are to be %s\n",
	       (unsigned long long)exit->len, (unsigned long long)exit->gpa,
	       gmem_name(GMEM_NAME_ATTRIBUTE, exit->attributes));
	switch (answer->kind) {
	case GMEM_ANSWER_RESUME:
		printf("  done, and ");
		return print_host_view(m, exit->gpa);
	case GMEM_ANSWER_RETRY:
		printf("  not now: the page is in use\n");
		guest_let_go(m, exit->gpa);
		return 0;
	default:
		printf("  refused: %s\n", gmem_reason_str(answer->reason));
		return 1;
	}
}

/* Runs the guest until @a is done.  Return: 0, 1 refused, -1 failed. */
static int serve(struct machine *m, struct access *a)
{
	struct gmem_exit exit = GMEM_INIT(struct gmem_exit);
	struct gmem_answer answer = GMEM_INIT(struct gmem_answer);
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	int r, refused = 0;

	for (;;) {
		r = guest_run(m, a);
		if (gmem_exit_decode(r < 0 ? -1 : 0, r < 0 ? -r : 0, m->run,
				     m->run_size, &exit, &err) < 0)
			return failed("read the exit", &err);
		if (exit.kind == GMEM_EXIT_OTHER &&
		    exit.exit_reason == KVM_EXIT_HLT)
			return refused;
		if (exit.kind == GMEM_EXIT_NONE && exit.sys_errno == EINTR)
			continue;
		if (exit.kind != GMEM_EXIT_MEMORY_FAULT &&
		    exit.kind != GMEM_EXIT_MAP_GPA_RANGE) {
			fprintf(stderr,
				"convert: unexpected exit %u, errno %d\n",
				exit.exit_reason, exit.sys_errno);
			return -1;
		}
		if (gmem_vm_serve(m->vm, &exit, &m->guard, NULL, &answer,
				  &err) < 0)
			return failed("convert", &err);
		/* What a hypercall returns; a fault gets no answer. */
		if (gmem_exit_answer(m->run, m->run_size, &exit, answer.kind,
				     &err) < 0)
			return failed("answer the guest", &err);
		refused = print_answer(m, &exit, &answer);
		if (refused < 0 || answer.kind == GMEM_ANSWER_FATAL)
			return refused;
	}
}

/* Makes one access of the guest, prints the result.  Return: as serve(). */
static int let_guest(struct machine *m, uint64_t gpa, bool write, bool private,
		     uint32_t value)
{
	struct access a = {
		.gpa = gpa,
		.write = write,
		.private = private,
		.value = write ? value : 0,
	};
	int r;

	printf("guest %s 0x%llx as %s\n", write ? "stores to" : "loads from",
	       (unsigned long long)gpa, private ? "private" : "shared");
	r = serve(m, &a);
	if (r)
		return r;
	if (a.value != value) {
		fprintf(stderr, "convert: loaded 0x%x, not 0x%x\n", a.value,
			value);
		return -1;
	}
	printf("  0x%x; ", value);
	return print_host_view(m, gpa);
}

static int play(struct machine *m)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t at = PAGES / 2 * m->page;
	uint32_t answer = 0x33;

	if (let_guest(m, at, true, true, 0x11) ||
	    let_guest(m, at, true, false, 0x22))
		return -1;
	printf("host stores 0x%x\n", answer);
	if (host_store(m, at, &answer, sizeof(answer)) < 0 ||
	    let_guest(m, at, false, false, answer))
		return -1;
	if (guest_pin(m, at, &err) < 0)
		return failed("pin a page", &err);
	if (let_guest(m, at, true, true, 0x44) ||
	    let_guest(m, at, false, true, 0x44))
		return -1;
	/* Where it has no memory: a hypercall fails, a fault stops it. */
	return let_guest(m, PAGES * m->page, false, true, 0) == 1 ? 0 : -1;
}

/* RAM that starts private, and the guest's program. */
static int make_ram(struct machine *m)
{
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_slot slot = GMEM_INIT(struct gmem_slot);
	struct gmem_region_range first = { 0, m->page };

	slot.len = PAGES * m->page;
	if (gmem_region_create(m->vm, slot.len, NULL, &m->region, &err) < 0 ||
	    gmem_region_bind(m->region, &slot, &err) < 0 ||
	    gmem_region_get(m->region, &info, &err) < 0)
		return failed("make its RAM", &err);
	m->file = info.gmem;
	m->shared = info.shared;
	printf("%d pages of private RAM; shared ones are in %s\n", PAGES,
	       m->shared ? "other memory" : "the same file");
	if (gmem_region_convert(m->region, &first, 1, GMEM_ATTRIBUTE_SHARED,
				NULL, NULL, &err) < 0)
		return failed("share the first page", &err);
	return host_store(m, 0, guest_code, sizeof(guest_code));
}

int main(int argc, char **argv)
{
	struct machine m = { .page = sysconf(_SC_PAGESIZE),
			     .guard = GMEM_INIT(struct gmem_guard),
			     .vcpu = -1 };
	struct gmem_error err = { .sz = sizeof(err) };
	const char *profile = NULL;
	int status = 1;

	if (argc == 2 && !strcmp(argv[1], "--model"))
		profile = GMEM_MODEL_NEWEST;
	else if (argc == 2 && !strncmp(argv[1], "--model=", 8))
		profile = argv[1] + 8;
	if (argc > 2 || (argc == 2 && !profile)) {
		fprintf(stderr, "usage: convert [--model[=PROFILE]]\n");
		return 2;
	}
	if (guest_vm(profile, &m.vm, &err) < 0) {
		failed("make a VM with private memory", &err);
		if (!profile)
			fprintf(stderr, "convert: --model needs none\n");
		goto out;
	}
	if (make_ram(&m) == 0 && guest_start(&m, profile) == 0 && play(&m) == 0)
		status = 0;
out:
	guest_stop(&m);
	if (gmem_vm_destroy(m.vm, &err) < 0)
		status = -failed("destroy the VM", &err);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "convert: the output could not be written\n");
		status = 1;
	}
	return status;
}
