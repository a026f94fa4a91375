// SPDX-License-Identifier: MIT
/*
 * coco-vmm: the guest on libgmem-model, which makes the accesses of a vCPU.  It
 * is one of an SNP VM: it does not ask before an access, it faults.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gmem_model.h>

#include "coco.h"

/* What a step has done so far. */
enum line {
	TAKE,
	STORE,
	COMPARE,
	BALLOON,
	ZERO,
	LOOK,
	LOOK_STORE,
	LOOK_SAY
};

static int model_open(struct vcpu *v)
{
	v->run_size = PAGE;
	v->run = calloc(1, v->run_size);
	return v->run ? 0 : sys_failed("make a vCPU");
}

static int model_start(struct vcpu *v)
{
	v->port = 0; /* counts the steps */
	v->line = v->verify ? LOOK : TAKE;
	v->page = FIRST_PAGE;
	return 0;
}

static void model_close(struct vcpu *v)
{
	free(v->run);
}

static int halt(struct vcpu *v)
{
	v->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

static int out(struct vcpu *v, uint16_t port, uint32_t value)
{
	struct kvm_run *run = v->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 4;
	run->io.count = 1;
	run->io.port = port;
	run->io.data_offset = sizeof(*run);
	memcpy((char *)run + sizeof(*run), &value, sizeof(value));
	return 0;
}

static int access(struct vcpu *v, uint32_t *value, bool write, bool private)
{
	uint32_t flags = (write ? GMEM_MODEL_WRITE : 0) |
			 (private ? GMEM_MODEL_PRIVATE : 0);
	int r = gmem_model_access(v->m->vm, (uint64_t)v->page * PAGE, value,
				  sizeof(*value), flags, v->run, v->run_size,
				  NULL);

	errno = -r;
	return r < 0 ? -1 : 0;
}

static void take(struct vcpu *v)
{
	do {
		v->seed = v->seed * 1664525u + 1013904223u;
		v->page = v->seed >> 24;
	} while (v->page < FIRST_PAGE ||
		 (!is_common(v->page) && !is_of(v->page, v->id)));
	v->line = STORE;
}

/* Of a page that it does not know the state of: by the record. */
static bool is_private(const struct vcpu *v)
{
	uint64_t attributes = 0;

	return gmem_region_attributes(v->m->ram, v->page * PAGE, PAGE,
				      &attributes, NULL, NULL) == 0 &&
	       attributes == GMEM_ATTRIBUTE_PRIVATE;
}

static int work(struct vcpu *v)
{
	bool private = v->seed >> 12 & 1, common = is_common(v->page);
	uint32_t value = v->seed;

	switch (v->line) {
	case STORE:
		if (access(v, &value, !common, private) < 0)
			return -1;
		v->line = common ? TAKE : COMPARE;
		return 1;
	case COMPARE:
		if (access(v, &value, false, private) < 0)
			return -1;
		errno = EILSEQ;
		v->line = v->seed & 0xf000 ? TAKE : BALLOON;
		return value == v->seed ? 1 : -1;
	case BALLOON:
		v->line = ZERO;
		return out(v, PORT_BALLOON, (uint32_t)(v->page * PAGE));
	default:
		if (access(v, &value, false, private) < 0)
			return -1;
		errno = EILSEQ;
		v->line = TAKE;
		return value == 0 ? 1 : -1;
	}
}

static int look(struct vcpu *v)
{
	switch (v->line) {
	case LOOK:
		if (v->page == PAGES)
			return halt(v);
		if (access(v, &v->value, false, is_private(v)) < 0)
			return -1;
		v->line = LOOK_STORE;
		return 1;
	case LOOK_STORE:
		if (access(v, &v->value, true, is_private(v)) < 0)
			return -1;
		v->line = LOOK_SAY;
		return 1;
	default:
		v->line = LOOK;
		return out(v, PORT_SEEN, v->value);
	}
}

/* Until an exit; an access that faulted is made again. */
static int model_run(struct vcpu *v)
{
	int r;

	do {
		if (v->line == TAKE) {
			if (v->port++ == (uint32_t)v->m->steps)
				return halt(v);
			take(v);
		}
		r = v->line < LOOK ? work(v) : look(v);
	} while (r > 0);
	return r;
}

const struct guest guest_model = {
	.open = model_open,
	.start = model_start,
	.run = model_run,
	.close = model_close,
};
