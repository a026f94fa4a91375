// SPDX-License-Identifier: MIT
// The same in C++, as short as it gets.
#include <gmem.h>
#include <gmem_exit.h>
#include <gmem_region.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>

static int use(gmem_vm *vm)
{
	gmem_create_opts opts{};
	gmem *g = nullptr;

	opts.sz = sizeof(opts);
	opts.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED;
	if (!gmem_vm_has(vm, GMEM_FEATURE_INIT_SHARED))
		return 77;
	if (gmem_create(vm, 1 << 20, &opts, &g, nullptr) < 0)
		return 1;
	if (!(fcntl(gmem_fd(g), F_GETFD) & FD_CLOEXEC))
		return 1;

	gmem_region_opts shared{};
	gmem_region *r = nullptr;

	shared.sz = sizeof(shared);
	shared.kind = GMEM_REGION_KIND_SHARED;
	if (gmem_region_create(vm, 1 << 20, &shared, &r, nullptr) < 0)
		return 1;
	return gmem_region_close(r, nullptr) < 0;
}

// After EINTR kvm_run is stale.
static bool read_exit()
{
	gmem_exit e{};
	unsigned char run[128] = {};

	e.sz = sizeof(e);
	e.kind = GMEM_EXIT_OTHER;
	return gmem_exit_decode(-1, EINTR, run, sizeof(run), &e, nullptr) ==
		       0 &&
	       e.kind == GMEM_EXIT_NONE && e.sys_errno == EINTR;
}

int main()
{
	gmem_error err{};
	gmem_vm *vm = nullptr;

	err.sz = sizeof(err);
	if (std::strcmp(gmem_version(), GMEM_VERSION) != 0 || !read_exit())
		return 1;
	if (gmem_vm_close(nullptr, &err) != 0 || err.code != 0)
		return 1;
	if (gmem_vm_open(nullptr, &vm, &err) < 0)
		return 77;
	int r = use(vm);
	return gmem_vm_destroy(vm, &err) < 0 ? 1 : r;
}
