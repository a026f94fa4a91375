// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "on_model.h"

#include "seam.h"

int on_model_setup(void **state)
{
	struct on_model *m = calloc(1, sizeof(*m));

	m->page = (uint64_t)sysconf(_SC_PAGESIZE);
	*state = m;
	return 0;
}

int on_model_teardown(void **state)
{
	struct on_model *m = *state;
	int r = gmem_vm_destroy(m->vm, NULL);

	free(m);
	return r;
}

static void note(void *arg, const struct gmem_trace *e)
{
	struct on_model *m = arg;

	if (!m->call || strcmp(e->call, m->call))
		return;
	m->calls++;
	m->sum += e->arg[2];
	if (e->arg[2] > m->longest)
		m->longest = e->arg[2];
}

struct gmem_vm *on_model_vm(const char *profile, uint32_t type,
			    gmem_trace_fn *trace, void *arg)
{
	struct gmem_vm_opts v = {
		.sz = sizeof(v), .type = type, .trace = trace, .trace_arg = arg
	};
	struct gmem_model_opts o = { .sz = sizeof(o), .vm = &v, .nodes = 2 };
	struct gmem_vm *vm = NULL;
	struct gmem_error err;

	t_ok(gmem_model_vm_open(profile, &o, &vm, &err), err);
	return vm;
}

void on_model_open(struct on_model *m, const char *profile, uint32_t type)
{
	m->vm = on_model_vm(profile, type, note, m);
	m->k = gmem__vm_priv(m->vm, &model__sys);
}

static int with_vm(void **state, const char *profile, uint32_t type)
{
	int r = on_model_setup(state);

	on_model_open(*state, profile, type);
	return r;
}

int on_model_73(void **state)
{
	return with_vm(state, "7.3", GMEM_VM_SW_PROTECTED);
}

int on_model_in_place(void **state)
{
	return with_vm(state, "inplace", GMEM_VM_SW_PROTECTED);
}

int on_model_default(void **state)
{
	return with_vm(state, "7.3", GMEM_VM_DEFAULT);
}

struct gmem *on_model_file(struct on_model *m, uint64_t size, uint64_t flags)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem *g = NULL;
	struct gmem_error err;

	t_ok(gmem_create(m->vm, size, &o, &g, &err), err);
	m->g = g;
	return g;
}

void on_model_bind(struct on_model *m, uint32_t slot, uint64_t gpa)
{
	t_ok(gmem_bind(m->g, slot, gpa, 0, gmem_size(m->g), NULL, &m->err),
	     m->err);
}

void on_model_count(struct on_model *m, const char *call)
{
	m->call = call;
	m->calls = 0;
	m->sum = m->longest = 0;
}

unsigned int on_model_mappings(const struct on_model *m)
{
	const struct gmem__node *p = gmem__tree_first(&m->k->maps);
	unsigned int n = 0;

	for (; p; p = gmem__tree_next(p))
		n++;
	return n;
}

uint64_t on_model_resident(struct gmem *g, uint64_t offset, uint64_t len)
{
	struct gmem_residency r = { .sz = sizeof(r) };
	struct gmem_error err;

	if (len)
		t_ok(gmem_resident(g, offset, len, &r, &err), err);
	return r.bytes;
}
