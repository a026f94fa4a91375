// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live.h"

#define KVM_CREATE_VCPU 0xae41
#define KVM_GET_STATS_FD 0xaece /* 5.14 */

int raw_ioctl(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? -errno : r;
}

int raw_vm(unsigned long type)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm;

	if (kvm < 0)
		return -errno;
	do
		vm = raw_ioctl(kvm, GMEM__KVM_CREATE_VM, (void *)type);
	while (vm == -EINTR);
	close(kvm);
	return vm;
}

int raw_cap(int fd, unsigned long cap)
{
	return raw_ioctl(fd, GMEM__KVM_CHECK_EXTENSION, (void *)cap);
}

void raw_odd_fds(struct live *l, int vm, int fds[RAW_ODD])
{
	fds[0] = raw_ioctl(vm, KVM_CREATE_VCPU, NULL);
	fds[1] = raw_ioctl(fds[0], KVM_GET_STATS_FD, NULL);
	fds[2] = raw_ioctl(vm, KVM_GET_STATS_FD, NULL);
	fds[3] = eventfd(0, EFD_CLOEXEC);
	fds[4] = epoll_create1(EPOLL_CLOEXEC);
	fds[5] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[6] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	for (size_t i = 0; i < RAW_ODD; i++) {
		assert_true(fds[i] >= 0);
		live_keep_fd(l, fds[i]);
	}
}

int raw_create(int vm, uint64_t size, uint64_t flags)
{
	struct gmem__create create = { .size = size, .flags = flags };

	return raw_ioctl(vm, GMEM__KVM_CREATE_GUEST_MEMFD, &create);
}

int raw_bind(int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	     const void *addr, int gmem, uint64_t offset)
{
	struct gmem__region2 r = {
		.region = {
			.slot = slot,
			.flags = GMEM__MEM_GUEST_MEMFD,
			.guest_phys_addr = gpa,
			.memory_size = len,
			.userspace_addr = (uintptr_t)addr,
		},
		.guest_memfd_offset = offset,
		.guest_memfd = (uint32_t)gmem,
	};

	return raw_ioctl(vm, GMEM__KVM_SET_USER_MEMORY_REGION2, &r);
}

int raw_plain(int vm, uint32_t slot, uint64_t gpa, uint64_t len,
	      const void *addr)
{
	struct gmem__region r = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (uintptr_t)addr,
	};

	return raw_ioctl(vm, GMEM__KVM_SET_USER_MEMORY_REGION, &r);
}

int raw_delete(int vm, uint32_t slot)
{
	return raw_plain(vm, slot, 0, 0, NULL);
}

int raw_attributes(int vm, uint64_t gpa, uint64_t len, uint64_t attributes)
{
	struct gmem__attributes a = {
		.address = gpa,
		.size = len,
		.attributes = attributes,
	};

	return raw_ioctl(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a);
}

int raw_file_attributes(int gmem, uint64_t offset, uint64_t len,
			uint64_t attributes)
{
	struct gmem__attributes2 a = {
		.offset = offset,
		.size = len,
		.attributes = attributes,
	};

	return raw_ioctl(gmem, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
}

void *raw_map(struct live *l, int fd, uint64_t len, int prot)
{
	return live_keep_map(l, mmap(NULL, len, prot, MAP_SHARED, fd, 0), len);
}

int64_t raw_resident(int fd, uint64_t offset, uint64_t len)
{
	uint64_t range[2] = { offset, len };
	uint64_t answer[5]; /* nr_cache comes first */

	if (syscall(451, fd, range, answer, 0) < 0)
		return -errno;
	return (int64_t)answer[0];
}
