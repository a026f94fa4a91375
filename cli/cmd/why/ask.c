// SPDX-License-Identifier: MIT
/*
 * The library is asked, on a real VM, with the CHECK_ONLY flag of the call;
 * what the call builds on is really made.
 */
#include <errno.h>

#include "cmd/why/why.h"
#include "report/error.h"
#include "report/words.h"
#include "table/array.h"
#include "target/priv.h"
#include "target/vm.h"

static int create(struct why *w, uint64_t flags, struct gmem **out)
{
	const struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = w->args->create_flags | flags,
		.hugetlb_size = w->args->hugetlb.value,
	};

	w->step = "create";
	return gmem_create(w->vm, w->args->size.value, &opts, out, &w->err);
}

/* The slots of --with.  Return: 0, -errno in w->err, or the exit status. */
static int bind_others(struct why *w)
{
	struct slot_spec s = { .slot = 0 };
	struct gmem_slot slot;
	int r;

	for (size_t i = 0; i < w->args->with.n; i++) {
		w->step = "with";
		(void)parse_slot_spec(w->args->with.value[i], &s);
		slot = (struct gmem_slot){
			.sz = sizeof(slot),
			.slot = s.slot,
			.gpa = s.gpa,
			.len = s.len,
			.offset = s.offset,
			.gmem = w->file,
		};
		r = gmem_bind(&slot, &w->err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What the probes could not find out, the library leaves to the kernel. */
static void check_known(struct why *w)
{
	static const struct {
		uint64_t flags;
		uint32_t feature;
	} needs[] = {
		{ 0, GMEM_FEATURE_GUEST_MEMFD },
		{ GMEM_CREATE_MMAP, GMEM_FEATURE_MMAP },
		{ GMEM_CREATE_INIT_SHARED, GMEM_FEATURE_INIT_SHARED },
	};
	struct gmem_feature_info info = { .sz = sizeof(info) };

	for (size_t i = 0; i < ARRAY_SIZE(needs) && !w->err.code; i++) {
		if (needs[i].flags & ~w->args->create_flags ||
		    gmem_vm_feature(w->vm, needs[i].feature, &info, NULL) < 0 ||
		    info.support != GMEM_UNKNOWN)
			continue;
		(void)refuse(&w->err, info.answer, GMEM_REASON_KERNEL,
			     "whether this VM has %s is not known: %s "
			     "said %s",
			     info.name, info.known_by,
			     errno_name(-info.answer));
	}
}

void why_check_create(struct why *w)
{
	if (create(w, GMEM_CREATE_CHECK_ONLY, NULL) == 0)
		check_known(w);
}

void why_check_bind(struct why *w)
{
	const struct why_args *a = w->args;

	w->slot = (struct gmem_slot){
		.sz = sizeof(w->slot),
		.slot = a->slot.value,
		.address_space = a->address_space.value,
		.gpa = a->gpa.value,
		.len = a->len.value,
		.offset = a->offset.value,
		.gmem = w->file,
		.flags = a->bind_flags | GMEM_SLOT_CHECK_ONLY,
	};
	w->step = "bind";
	if (gmem_bind(&w->slot, &w->err) == 0)
		w->mode = slot_mode(&w->slot);
}

void why_check_attributes(struct why *w)
{
	const struct why_args *a = w->args;
	const struct gmem_attributes_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_ATTRIBUTES_CHECK_ONLY,
	};
	uint64_t to = GMEM_ATTRIBUTE_SHARED;

	(void)!gmem_value(GMEM_NAME_ATTRIBUTE, a->to, &to, NULL);
	w->step = "attributes";
	(void)!gmem_set_attributes(w->file, a->offset.value, a->len.value, to,
				   &opts, &w->err);
}

int why_ask(struct why *w, void (*check)(struct why *))
{
	int status = vm_start(w->ctl, w->args->vm_type, &w->vm);

	if (status)
		return status;
	status = priv_drop(w->ctl);
	if (status)
		goto out;
	if (check == why_check_create ||
	    (!create(w, 0, &w->file) && !bind_others(w)))
		check(w);
	status = why_answer(w);
out:
	(void)gmem_vm_destroy(w->vm, NULL);
	return status;
}
