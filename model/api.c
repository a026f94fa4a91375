// SPDX-License-Identifier: MIT
/* Making a VM of the model. */
#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "model.h"
#include "model_sys.h"
#include "opts.h"
#include "seam.h"

#define OPTS_V0 40
#define PROFILE_V0 48

_Static_assert(sizeof(struct gmem_model_opts) == OPTS_V0, "ABI");
_Static_assert(sizeof(struct gmem_model_profile) == PROFILE_V0, "ABI");

int gmem_model_profile_info(uint32_t index, struct gmem_model_profile *out,
			    struct gmem_error *err)
{
	const struct profile *p = model__profile_at(index);
	struct gmem_model_profile o = { .sz = sizeof(o) };
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	r = gmem__out_check(out, PROFILE_V0, "gmem_model_profile", err);
	if (r < 0)
		return r;
	if (!p)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, index, 0,
				  "there is no profile number %u", index);
	o.name = p->name;
	o.summary = p->summary;
	o.verified = p->verified;
	o.version = p->version;
	if (p->rules & MODEL_RFC1)
		o.hugetlb_encoding = GMEM_HUGETLB_RFC1;
	else if (p->rules & MODEL_PAGE_ORDER)
		o.hugetlb_encoding = GMEM_HUGETLB_PAGE_ORDER;
	o.flags = p->rules & MODEL_IN_PLACE ? GMEM_MODEL_PROFILE_IN_PLACE : 0;
	gmem__out_copy(out, &o, sizeof(o));
	return 0;
}

static int check_opts(const struct gmem_model_opts *o, const struct profile *p,
		      struct gmem_error *err)
{
	uint32_t types = o->machine == GMEM_MODEL_X86 ? p->types : 1;

	if (o->machine > GMEM_MODEL_ARM64)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, o->machine,
				  GMEM_MODEL_ARM64, "machine %u is unknown",
				  o->machine);
	if (o->nodes > MODEL_NODES)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, o->nodes,
				  MODEL_NODES, "%u nodes are more than %d",
				  o->nodes, MODEL_NODES);
	if (o->vm_types & ~types)
		return gmem__fail(err, GMEM_REASON_VM_TYPE_UNSUPPORTED,
				  o->vm_types, types,
				  "profile %s on that machine has the VM types "
				  "0x%x, not 0x%x",
				  p->name, types, o->vm_types);
	return gmem__reserved(o->reserved, "gmem_model_opts", err);
}

/* The kernel to make the VM in, with one more hold on it. */
static int take_kernel(const struct profile *p, const struct gmem_model_opts *o,
		       struct kernel **out, struct gmem_error *err)
{
	struct kernel *k;
	int r;

	if (!o->beside) {
		r = model__kernel_new(p, o, out);
		return r < 0 ? gmem__fail_sys(err, GMEM_REASON_KERNEL, 0, r, 0,
					      0,
					      "this host cannot carry profile "
					      "%s, errno %d: it may lack "
					      "memfd_create(2), or for "
					      "conversion in place "
					      "userfaultfd(2)",
					      p->name, -r)
			     : 0;
	}
	k = gmem__vm_priv(o->beside, &model__sys);
	if (!k)
		return gmem__fail(err, GMEM_REASON_NOT_A_VM, 0, 0,
				  "beside is not a VM of the model");
	if (k->profile != p || o->machine || o->vm_types || o->nodes)
		return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, 0, 0,
				  "beside is in a kernel of profile %s, which "
				  "cannot be changed",
				  k->profile->name);
	model__lock(k);
	k->holds++;
	model__unlock(k);
	*out = k;
	return 0;
}

int gmem_model_vm_open(const char *profile, const struct gmem_model_opts *opts,
		       struct gmem_vm **out, struct gmem_error *err)
{
	const struct profile *p;
	struct gmem_model_opts o;
	struct kernel *k;
	int r = gmem__begin(err);

	if (r < 0)
		return r;
	if (!profile)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "profile is NULL");
	r = gmem__opts_check(opts, OPTS_V0, sizeof(o), "gmem_model_opts", err);
	if (r < 0)
		return r;
	gmem__opts_copy(&o, sizeof(o), opts);
	p = model__profile_find(profile);
	if (!p)
		return gmem__fail(
			err, GMEM_REASON_VALUE_UNKNOWN, 0, 0,
			"there is no profile \"%.64s\" in gmem_model(7)",
			profile);
	r = check_opts(&o, p, err);
	if (r < 0)
		return r;
	r = take_kernel(p, &o, &k, err);
	if (r < 0)
		return r;
	r = gmem__vm_open_on(&model__sys, k, o.vm, out, err);
	model__lock(k);
	k->holds--;
	model__unlock(k);
	return r;
}
