// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/error.h"
#include "report/output.h"
#include "report/words.h"
#include "table/array.h"
#include "target/priv.h"
#include "target/vm.h"

/* An argument is a number, except a path, which is a pointer. */
static void trace_arg(const struct gmem_trace *t, size_t i)
{
	char path[256];

	if (i == 0 && !strcmp(t->call, "openat"))
		fprintf(stderr, "\"%s\"",
			safe_text((const char *)(uintptr_t)t->arg[0], path,
				  sizeof(path)));
	else
		fprintf(stderr, "0x%" PRIx64, t->arg[i]);
}

static void trace(void *arg, const struct gmem_trace *t)
{
	size_t n = ARRAY_SIZE(t->arg);

	(void)arg;
	fprintf(stderr, "gmemctl: %s(", t->call);
	while (n > 1 && !t->arg[n - 1])
		n--;
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : "", stderr);
		trace_arg(t, i);
	}
	if (t->result < 0)
		fprintf(stderr, ") = -%s", errno_name((int)-t->result));
	else
		fprintf(stderr, ") = %" PRId64, t->result);
	fprintf(stderr, " in %" PRIu64 " ns\n", t->ns);
}

const char *vm_device(const struct ctl *ctl)
{
	return ctl->kvm->device ? ctl->kvm->device : GMEM_DEVICE;
}

/* What --hugetlb-encoding names; without it a profile's own. */
static uint32_t encoding(const struct ctl *ctl)
{
	uint64_t value;

	if (!ctl->kvm->hugetlb_encoding)
		return model_encoding(ctl);
	if (gmem_value(GMEM_NAME_HUGETLB_ENCODING, ctl->kvm->hugetlb_encoding,
		       &value, NULL) < 0)
		return GMEM_HUGETLB_MERGED;
	return (uint32_t)value;
}

int vm_open(const struct ctl *ctl, uint32_t type, struct gmem_vm **out,
	    struct gmem_error *err)
{
	const struct gmem_vm_opts opts = {
		.sz = sizeof(opts),
		.device = ctl->kvm->device,
		.trace = ctl->kvm->verbose ? trace : NULL,
		.type = type,
		.hugetlb_encoding = encoding(ctl),
	};

	if (model_name(ctl))
		return model_vm_open(ctl, &opts, out, err);
	return gmem_vm_open(&opts, out, err);
}

uint32_t vm_type_of(const char *name)
{
	uint64_t type;

	if (!name || gmem_value(GMEM_NAME_VM_TYPE, name, &type, NULL) < 0)
		return GMEM_VM_DEFAULT;
	return (uint32_t)type;
}

int vm_start(struct ctl *ctl, const char *type_name, struct gmem_vm **out)
{
	struct gmem_error err = { .sz = sizeof(err) };

	if (vm_open(ctl, vm_type_of(type_name), out, &err) < 0)
		return vm_failed(ctl, &err);
	return 0;
}

int vm_failed(struct ctl *ctl, const struct gmem_error *err)
{
	char remedy[PRIV_TEXT];

	if (err->reason != GMEM_REASON_DEVICE_ACCESS ||
	    !*priv_remedy(vm_device(ctl), remedy))
		return gmem_failed(ctl, err, NULL);
	return gmem_failed(ctl, err, remedy);
}

const char *slot_mode(const struct gmem_slot *slot)
{
	return gmem_name(GMEM_NAME_SLOT_FLAG,
			 slot->flags & (GMEM_SLOT_FD | GMEM_SLOT_HVA));
}
