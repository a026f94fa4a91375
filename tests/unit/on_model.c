// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "on_model.h"

struct gmem_vm *on_model_open(const char *profile, uint32_t type,
			      gmem_trace_fn *trace, void *arg)
{
	struct gmem_vm_opts v = {
		.sz = sizeof(v), .trace = trace, .trace_arg = arg, .type = type
	};
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &v, .nodes = 2 };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	t_ok(gmem_model_vm_open(profile, &o, &vm, &err), err);
	return vm;
}

static int start(void **state, const char *profile, uint32_t type)
{
	struct on_model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->page = (uint64_t)sysconf(_SC_PAGESIZE);
	m->vm = on_model_open(profile, type, NULL, NULL);
	*state = m;
	return 0;
}

int on_model_73(void **state)
{
	return start(state, "7.3", GMEM_VM_SW_PROTECTED);
}

int on_model_in_place(void **state)
{
	return start(state, "inplace", GMEM_VM_SW_PROTECTED);
}

int on_model_default(void **state)
{
	return start(state, "7.3", GMEM_VM_DEFAULT);
}

int on_model_end(void **state)
{
	struct on_model *m = *state;
	int r = gmem_vm_destroy(m->vm, NULL);

	free(m);
	return r;
}

void on_model_file(struct on_model *m, uint64_t size, uint64_t flags)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };

	t_ok(gmem_create(m->vm, size, &o, &m->g, &m->err), m->err);
}

void on_model_bind(struct on_model *m, uint32_t slot, uint64_t gpa)
{
	t_ok(gmem_bind(m->g, slot, gpa, 0, gmem_size(m->g), NULL, &m->err),
	     m->err);
}
