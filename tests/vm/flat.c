// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flat.h"

#define EXITS_TO_COMPLETE 64

bool flat_make(struct flat *f, int vm, unsigned int id)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	void *run;

	f->size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	close(kvm);
	f->fd = ioctl(vm, KVM_CREATE_VCPU, id);
	if (f->fd < 0)
		return false;
	run = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (run == MAP_FAILED)
		return false;
	f->run = run;
	return flat_init(f, vm);
}

void flat_close(struct flat *f)
{
	munmap(f->run, f->size);
	close(f->fd);
}

int flat_run(struct flat *f)
{
	return ioctl(f->fd, KVM_RUN, 0) < 0 ? -errno : 0;
}

void flat_complete(struct flat *f)
{
	f->run->immediate_exit = 1;
	for (int i = 0; i < EXITS_TO_COMPLETE; i++)
		if (flat_run(f) < 0)
			break;
	f->run->immediate_exit = 0;
}

static uint64_t exit_word(const struct flat *f, size_t at)
{
	uint64_t word;

	memcpy(&word, (const unsigned char *)f->run + at, sizeof(word));
	return word;
}

uint64_t flat_fault_flags(const struct flat *f)
{
	return exit_word(f, 32);
}

uint64_t flat_fault_gpa(const struct flat *f)
{
	return exit_word(f, 40);
}

void code_bytes(struct code *c, const char *bytes, size_t n)
{
	memcpy(c->at + c->n, bytes, n);
	c->n += n;
}
