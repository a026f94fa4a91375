// SPDX-License-Identifier: MIT
#include "unit.h"

static struct unit *new_unit(void **state)
{
	struct unit *u = calloc(1, sizeof(*u));

	*state = u;
	return u;
}

int unit_bare(void **state)
{
	struct unit *u = new_unit(state);

	if (!u)
		return -1;
	fake_init(&u->f);
	return 0;
}

int unit_default(void **state)
{
	if (unit_bare(state))
		return -1;
	((struct unit *)*state)->vm =
		fake_vm(&((struct unit *)*state)->f, GMEM_VM_DEFAULT);
	return 0;
}

int unit_612(void **state)
{
	struct unit *u = new_unit(state);

	if (!u)
		return -1;
	fake_init_612(&u->f);
	u->vm = fake_vm(&u->f, GMEM_VM_DEFAULT);
	return 0;
}

static int sw(void **state, bool v73)
{
	struct unit *u = new_unit(state);

	if (!u)
		return -1;
	fake_init_sw(&u->f, v73);
	u->vm = fake_vm(&u->f, GMEM_VM_SW_PROTECTED);
	return 0;
}

int unit_sw612(void **state)
{
	return sw(state, false);
}

int unit_sw(void **state)
{
	return sw(state, true);
}

int unit_inplace(void **state)
{
	struct unit *u = new_unit(state);

	if (!u)
		return -1;
	fake_init_inplace(&u->f);
	u->vm = fake_vm(&u->f, GMEM_VM_SW_PROTECTED);
	return 0;
}

int unit_arm64(void **state)
{
	struct unit *u = new_unit(state);

	if (!u)
		return -1;
	fake_init_arm64(&u->f);
	u->vm = fake_vm(&u->f, GMEM_VM_DEFAULT);
	return 0;
}

int unit_obeyed(void **state)
{
	struct unit *u = new_unit(state);

	if (!u)
		return -1;
	fake_init(&u->f);
	u->f.policy_obeyed = true;
	u->f.own_inode = true;
	u->f.nodes = 3;
	u->vm = fake_vm(&u->f, GMEM_VM_DEFAULT);
	return 0;
}

int unit_end(void **state)
{
	struct unit *u = *state;
	int r = gmem_vm_destroy(u->vm, NULL);
	bool clean = fake_balanced(&u->f);

	fake_fini(&u->f);
	free(u);
	return r || !clean ? -1 : 0;
}

struct gmem *unit_create(struct unit *u, uint64_t size, uint64_t flags)
{
	struct gmem_create_opts o = { .sz = sizeof(o), .flags = flags };
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_create(u->vm, size, &o, &g, &err), err);
	fake_reset(&u->f);
	return g;
}

void unit_bind(struct unit *u, struct gmem *g, uint32_t slot, uint64_t gpa)
{
	struct gmem_error err;

	t_ok(gmem_bind(g, slot, gpa, 0, gmem_size(g), NULL, &err), err);
	fake_reset(&u->f);
}

struct gmem_mempolicy unit_policy(uint32_t mode, unsigned long *mask)
{
	return (struct gmem_mempolicy){ .sz = sizeof(struct gmem_mempolicy),
					.mode = mode,
					.nodes = mask,
					.max_node = 64 };
}

union unit_newer unit_newer(const void *from, size_t sz, unsigned char tail)
{
	union unit_newer n = { .b = { 0 } };

	memcpy(n.b, from, sz);
	n.b[sz] = tail;
	n.sz = sz + 8;
	return n;
}

void unit_need_encodings(void)
{
#ifdef GMEM_WITHOUT_PROPOSED_UAPI
	t_not_applicable("hugetlb-encodings",
			 "built with GMEM_PROPOSED_UAPI=OFF");
#endif
}

void unit_open_encoding(struct unit *u, uint32_t encoding)
{
	if (encoding != GMEM_HUGETLB_MERGED)
		unit_need_encodings();
	fake_fini(&u->f);
	fake_init_sw(&u->f, false);
	u->f.encoding = encoding;
	u->f.create_flags = UINT64_MAX;
	u->vm = fake_vm(&u->f, GMEM_VM_SW_PROTECTED);
}

static const char *const names[FAKE_KINDS] = {
	[FAKE_OPEN] = "openat",
	[FAKE_CLOSE] = "close",
	[FAKE_CLOEXEC] = "fcntl",
	[FAKE_IOCTL] = "ioctl",
	[FAKE_FSTAT] = "fstat",
	[FAKE_FSTATFS] = "fstatfs",
	[FAKE_MMAP] = "mmap",
	[FAKE_MUNMAP] = "munmap",
	[FAKE_MADVISE] = "madvise",
	[FAKE_MBIND] = "mbind",
	[FAKE_GET_MEMPOLICY] = "get_mempolicy",
	[FAKE_SET_MEMPOLICY] = "set_mempolicy",
	[FAKE_MOVE_PAGES] = "move_pages",
	[FAKE_MINCORE] = "mincore",
	[FAKE_FALLOCATE] = "fallocate",
	[FAKE_CACHESTAT] = "cachestat",
	[FAKE_PIPE] = "pipe2",
	[FAKE_READ] = "read",
	[FAKE_WRITE] = "write",
	[FAKE_VM_READ] = "process_vm_readv",
	[FAKE_VM_WRITE] = "process_vm_writev",
	[FAKE_THREAD] = "clone3",
	[FAKE_SLEEP] = "clock_nanosleep",
};

/* Whether the words of @list, parted by single spaces, have @word. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

static bool listed(const struct fake_call *c, const char *caller)
{
	struct gmem_syscall s = { .sz = sizeof(s) };

	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++)
		if (!strcmp(s.name, names[c->kind]) && s.number == c->request &&
		    has_word(s.callers, caller))
			return true;
	return false;
}

void unit_listed(const struct fake *f, const char *caller)
{
	for (unsigned int i = 0; i < f->n_calls && i < FAKE_CALLS; i++)
		if (!listed(&f->calls[i], caller))
			fail_msg("%s makes %s (%#lx), which is not listed",
				 caller, names[f->calls[i].kind],
				 f->calls[i].request);
}
