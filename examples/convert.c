// SPDX-License-Identifier: MIT
/*
 * convert: what a VMM does when its guest wants memory private or shared.
 *
 *	convert [--model[=PROFILE]]
 *
 * The guest asks for it by an exit: decode() reads the exit, convert() checks
 * the request, converts the memory and frees the side that is no longer used,
 * and serve() resumes the guest.  convert_vcpu.h has the guest: a vCPU of the
 * VM type that has private memory and needs no measured launch; with --model,
 * a confidential guest of libgmem-model.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_exit.h>
#include <gmem_model.h>

#define PAGES 16
#define TRIES 10 /* after those of the library */

/* Of linux/kvm_para.h, where it is new enough. */
#define HC_MAP_GPA_RANGE 12
#define HC_PRIVATE (1 << 4)

struct machine {
	struct gmem_vm *vm;
	struct gmem *ram;      /* from guest address 0 on */
	unsigned char *shared; /* shared pages; NULL: in the file */
	uint64_t page;
	struct kvm_run *run; /* what an exit says */
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

/* Return: 1 the guest asks for @q, 0 it has halted, -1 another exit. */
static int decode(int r, const struct machine *m, struct gmem_exit *q)
{
	struct gmem_error err = { .sz = sizeof(err) };

	*q = (struct gmem_exit){ .sz = sizeof(*q) };
	if (gmem_exit_decode(r < 0 ? -1 : r, -r, m->run, sizeof(*m->run), q,
			     &err) < 0)
		return failed("read an exit", &err);
	switch (q->kind) {
	case GMEM_EXIT_MEMORY_FAULT:
	case GMEM_EXIT_MAP_GPA_RANGE:
	case GMEM_EXIT_MALFORMED:
		return 1;
	default:
		return r == 0 && q->exit_reason == KVM_EXIT_HLT ? 0 : -1;
	}
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
		r = gmem_read(m->ram, gpa, &value, sizeof(value), &err);
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
	else if (gmem_write(m->ram, gpa, from, len, &err) < 0)
		return failed("write to shared memory", &err);
	return 0;
}

/* The part that was converted stays converted: only the rest is retried. */
static int set_attributes(struct machine *m, struct gmem_exit q)
{
	struct gmem_error err = { .sz = sizeof(err) };
	int tries = 0;

	while (gmem_vm_set_attributes(m->vm, 0, q.gpa, q.len, q.attributes,
				      NULL, &err)) {
		if (err.code != -EAGAIN || ++tries == TRIES)
			return failed("convert", &err);
		q.gpa += err.done;
		q.len -= err.done;
		printf("  %s, 0x%llx bytes are left: once more\n",
		       gmem_reason_str(err.reason), (unsigned long long)q.len);
		guest_let_go(m, q.gpa);
	}
	return 0;
}

/* Where each side has its own memory, that of the other side is unused now. */
static int give_back(struct machine *m, const struct gmem_exit *q)
{
	struct gmem_error err = { .sz = sizeof(err) };

	if (!m->shared)
		return 0;
	if (q->attributes == GMEM_ATTRIBUTE_SHARED &&
	    gmem_vm_discard(m->vm, 0, q->gpa, q->len, NULL, &err) < 0)
		return failed("discard private memory", &err);
	if (q->attributes == GMEM_ATTRIBUTE_PRIVATE &&
	    madvise(m->shared + q->gpa, q->len, MADV_DONTNEED) < 0) {
		perror("convert: discard shared memory");
		return -1;
	}
	return 0;
}

/* Return: 0 done, 1 refused (what a guest asks for is input), -1 failed. */
static int convert(struct machine *m, const struct gmem_exit *q)
{
	struct gmem_attributes_opts check = {
		.sz = sizeof(check),
		.flags = GMEM_ATTRIBUTES_CHECK_ONLY | GMEM_ATTRIBUTES_UNBACKED,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_location at = { .sz = sizeof(at) };
	bool fault = q->kind == GMEM_EXIT_MEMORY_FAULT;

	if (q->kind == GMEM_EXIT_MALFORMED) {
		printf("  refused: %s\n", gmem_reason_str(q->reason));
		return 1;
	}
	printf("  exit: 0x%llx bytes at 0x%llx are to be %s\n",
	       (unsigned long long)q->len, (unsigned long long)q->gpa,
	       q->attributes == GMEM_ATTRIBUTE_PRIVATE ? "private" : "shared");
	if (gmem_vm_set_attributes(m->vm, 0, q->gpa, q->len, q->attributes,
				   &check, &err) < 0) {
		printf("  refused: that is not its memory\n");
		return 1;
	}
	if (gmem_vm_at(m->vm, 0, q->gpa, &at, &err) < 0)
		return failed("look up the attributes", &err);
	if (at.run >= q->len && at.attributes == q->attributes) {
		/* The guest would fault again and again. */
		printf("  %s: it already is\n",
		       fault ? "refused" : "nothing to do");
		return fault;
	}
	if (set_attributes(m, *q) < 0 || give_back(m, q) < 0)
		return -1;
	printf("  converted, and ");
	return print_host_view(m, q->gpa);
}

/* Runs the guest until @a is done.  Return: as convert(). */
static int serve(struct machine *m, struct access *a)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_exit q;
	int r, asks, refused = 0;

	for (;;) {
		r = guest_run(m, a);
		if (r == -EINTR)
			continue;
		asks = decode(r, m, &q);
		if (asks == 0)
			return refused;
		if (asks < 0) {
			fprintf(stderr,
				"convert: unexpected exit %u, errno %d\n",
				q.exit_reason, q.sys_errno);
			return -1;
		}
		refused = convert(m, &q);
		if (refused < 0 ||
		    (refused && q.kind == GMEM_EXIT_MEMORY_FAULT))
			return refused;
		/* The guest gets the answer to a hypercall, and continues. */
		if (gmem_exit_answer(m->run, sizeof(*m->run), &q,
				     refused ? GMEM_ANSWER_REFUSE
					     : GMEM_ANSWER_RESUME,
				     &err) < 0)
			return failed("answer it", &err);
	}
}

/* Makes one access of the guest, prints the result.  Return: as convert(). */
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
	at = gmem_size(m->ram);
	return let_guest(m, at, false, true, 0) == 1 ? 0 : -1;
}

/* RAM that starts private, and the guest's program. */
static int make_ram(struct machine *m)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts file = { .sz = sizeof(file) };
	struct gmem_slot slot = { .sz = sizeof(slot) };
	size_t size = PAGES * m->page;

	if (gmem_vm_has(m->vm, GMEM_FEATURE_FILE_ATTRIBUTES)) {
		file.flags = GMEM_CREATE_MMAP;
	} else {
		m->shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m->shared == MAP_FAILED) {
			m->shared = NULL;
			perror("convert: make the shared side");
			return -1;
		}
		slot.flags = GMEM_SLOT_FD | GMEM_SLOT_USERSPACE_ADDR;
		slot.userspace_addr = (uintptr_t)m->shared;
	}
	if (gmem_create(m->vm, size, &file, &m->ram, &err) < 0)
		return failed("make its RAM", &err);
	slot.len = size;
	slot.gmem = m->ram;
	if (gmem_bind(&slot, &err) < 0)
		return failed("bind its RAM", &err);
	printf("%d pages of private RAM; shared ones are in %s\n", PAGES,
	       m->shared ? "other memory" : "the same file");
	if (gmem_set_shared(m->ram, 0, m->page, &err) < 0)
		return failed("share the first page", &err);
	return host_store(m, 0, guest_code, sizeof(guest_code));
}

int main(int argc, char **argv)
{
	struct machine m = { .page = sysconf(_SC_PAGESIZE), .vcpu = -1 };
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
	else if (m.shared) /* it was behind a slot until now */
		munmap(m.shared, PAGES * m.page);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "convert: the output could not be written\n");
		status = 1;
	}
	return status;
}
