/* SPDX-License-Identifier: MIT */
/* A program that uses the library.  Exits with 77 if KVM cannot be used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <gmem.h>
#include <gmem_exit.h>
#include <gmem_region.h>

#define SIZE (1ULL << 20)

/* A program can define names that the library uses internally. */
int gmem__range_check(void);
int gmem__range_check(void)
{
	return 0;
}

static int failed(const struct gmem_error *err)
{
	char text[512];

	(void)gmem_strerror(err, text, sizeof(text));
	(void)fprintf(stderr, "%s\n", text);
	return 1;
}

static int use_region(struct gmem_vm *vm)
{
	struct gmem_region_opts opts = { .sz = sizeof(opts),
					 .kind = GMEM_REGION_KIND_SHARED };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_region *r;

	if (gmem_region_create(vm, SIZE, &opts, &r, &err) < 0 ||
	    gmem_region_close(r, &err) < 0)
		return failed(&err);
	return 0;
}

static int use(struct gmem_vm *vm)
{
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	char text[] = "guest memory", back[sizeof(text)] = "";
	struct gmem *g;

	if (!gmem_vm_has(vm, GMEM_FEATURE_INIT_SHARED))
		return 77;
	if (gmem_create(vm, SIZE, &opts, &g, &err) < 0)
		return failed(&err);
	if (!(fcntl(gmem_fd(g), F_GETFD) & FD_CLOEXEC))
		return 1;
	if (gmem_write(g, 4096, text, sizeof(text), &err) < 0 ||
	    gmem_read(g, 4096, back, sizeof(back), &err) < 0)
		return failed(&err);
	if (strcmp(text, back) != 0)
		return 1;
	return use_region(vm);
}

/* A guest stores to a page as private: KVM_EXIT_MEMORY_FAULT. */
static int read_exit(void)
{
	struct gmem_exit e = { .sz = sizeof(e) };
	struct gmem_guard guard = { .sz = sizeof(guard) };
	struct gmem_seen seen = { .sz = sizeof(seen) };
	struct gmem_answer answer = { .sz = sizeof(answer) };
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t fault[] = { 1 << 3, 0x8000, 4096 };
	uint32_t reason = 39;
	unsigned char run[128] = { 0 };

	memcpy(run + 8, &reason, sizeof(reason));
	memcpy(run + 32, fault, sizeof(fault));
	if (gmem_exit_decode(-1, EFAULT, run, sizeof(run), &e, &err) < 0 ||
	    gmem_guard_step(&guard, &e, &seen, &answer, &err) < 0 ||
	    gmem_exit_answer(run, sizeof(run), &e, answer.kind, &err) < 0)
		return failed(&err);
	return e.kind != GMEM_EXIT_MEMORY_FAULT || e.gpa != 0x8000 ||
	       e.len != 4096 || e.attributes != GMEM_ATTRIBUTE_PRIVATE ||
	       answer.kind != GMEM_ANSWER_RESUME;
}

int main(void)
{
	struct gmem_vm_opts missing = { .sz = sizeof(missing),
					.device = "/nonexistent/kvm" };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm = NULL;
	int r;

	if (strcmp(gmem_version(), GMEM_VERSION) != 0 || read_exit())
		return 1;
	if (gmem_vm_open(&missing, &vm, &err) != -ENOENT || vm ||
	    err.reason != GMEM_REASON_NO_DEVICE)
		return 1;
	if (gmem_vm_open(NULL, &vm, &err) < 0)
		return 77;
	r = use(vm);
	if (gmem_vm_destroy(vm, &err) < 0)
		return failed(&err);
	return r;
}
