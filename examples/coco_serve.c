// SPDX-License-Identifier: MIT
/* coco-vmm: a vCPU's thread, and what it does with each exit. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coco.h"

/*
 * A conversion.  Return: 1 run the vCPU again, -1 stop.  RETRY needs nothing
 * done: the guest asks again.
 */
static int convert(struct vcpu *v, const struct gmem_exit *exit)
{
	struct gmem_answer answer = GMEM_INIT(struct gmem_answer);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_vm_serve(v->m->vm, exit, &v->guard, NULL, &answer, &err) < 0)
		return failed("convert", &err);
	if (gmem_exit_answer(v->run, v->run_size, exit, answer.kind, &err) < 0)
		return failed("answer the guest", &err);
	if (answer.kind != GMEM_ANSWER_FATAL)
		return 1;
	fprintf(stderr, "coco-vmm: vCPU %u at 0x%llx: %s\n", v->id,
		(unsigned long long)exit->gpa, gmem_reason_str(answer.reason));
	return -1;
}

/* The guest gives a page away; it is zero when it is used again. */
static int balloon(struct vcpu *v, uint32_t gpa)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	/* What a guest asks for is input. */
	if (gpa % PAGE || gpa / PAGE < FIRST_PAGE || gpa / PAGE >= PAGES)
		return 1;
	if (gmem_region_discard(v->m->ram, gpa, PAGE, NULL, &err) < 0)
		return failed("take a page", &err);
	return 1;
}

/* The guest's view of its next page, against the record. */
static int seen(struct vcpu *v, uint32_t value)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	unsigned int page = v->page++;
	uint64_t attributes;
	bool shared;

	if (gmem_region_attributes(v->m->ram, page * PAGE, PAGE, &attributes,
				   NULL, &err) < 0)
		return failed("look a page up", &err);
	shared = attributes == GMEM_ATTRIBUTE_SHARED;
	if (shared == (value == host_value(page)))
		return 1;
	fprintf(stderr,
		"coco-vmm: page %u is recorded as %s, and the guest reads "
		"0x%x\n",
		page, gmem_name(GMEM_NAME_ATTRIBUTE, attributes), value);
	return -1;
}

static int port(struct vcpu *v)
{
	const struct kvm_run *run = v->run;
	uint32_t value;

	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.size != 4 ||
	    run->io.count != 1)
		return 1;
	memcpy(&value, (const char *)run + run->io.data_offset, sizeof(value));
	if (run->io.port == PORT_BALLOON)
		return balloon(v, value);
	if (run->io.port == PORT_SEEN && v->verify && v->page < PAGES)
		return seen(v, value);
	return 1;
}

/* Return: 1 run the vCPU again, 0 it has halted, -1 stop. */
static int serve(struct vcpu *v, int r, int err_no)
{
	struct gmem_exit exit = GMEM_INIT(struct gmem_exit);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_exit_decode(r, err_no, v->run, v->run_size, &exit, &err) < 0)
		return failed("read an exit", &err);
	switch (exit.kind) {
	case GMEM_EXIT_NONE:
		if (exit.sys_errno == EINTR || exit.sys_errno == EAGAIN)
			return 1;
		break;
	case GMEM_EXIT_OTHER:
		if (exit.exit_reason == KVM_EXIT_HLT)
			return 0;
		if (exit.exit_reason == KVM_EXIT_IO)
			return port(v);
		break;
	default:
		return convert(v, &exit);
	}
	if (err_no == EILSEQ)
		fprintf(stderr,
			"coco-vmm: vCPU %u: a page was not as it left it\n",
			v->id);
	else
		fprintf(stderr, "coco-vmm: vCPU %u: unexpected exit %u, %s\n",
			v->id, exit.exit_reason, strerror(exit.sys_errno));
	return -1;
}

void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	int r;

	v->result = v->m->guest->start(v);
	if (v->result < 0)
		return NULL;
	do {
		r = v->m->guest->run(v);
		r = serve(v, r, r < 0 ? errno : 0);
	} while (r > 0);
	v->result = r;
	return NULL;
}
