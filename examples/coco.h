/* SPDX-License-Identifier: MIT */
/*
 * coco-vmm: the machine that its files work on.
 *
 * coco_main.c has the life of the machine, coco_serve.c what each vCPU's thread
 * does with its exits, coco_kvm.c the guest on KVM and coco_model.c the same
 * guest on libgmem-model.
 */
#ifndef COCO_H
#define COCO_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include <gmem_region.h>

#define PAGE UINT64_C(4096)
#define PAGES 256u    /* what real mode reaches */
#define FIRST_PAGE 16 /* those below are the guest's program */
#define VCPUS 2

/* What the guest asks the VMM for, by the number of an I/O port. */
#define PORT_BALLOON 0x21 /* takes the page at this guest address */
#define PORT_SEEN 0x22	  /* it loaded this from the next page */

struct machine {
	struct gmem_vm *vm;
	struct gmem_region *ram; /* from guest address 0 on */
	struct gmem *file;	 /* its guest_memfd */
	unsigned char *shared;	 /* its shared pages; NULL: in the file */
	const struct guest *guest;
	int steps; /* of each vCPU, between two reboots */
};

struct vcpu {
	struct machine *m;
	unsigned int id;
	struct gmem_guard guard; /* one a vCPU */
	struct kvm_run *run;
	int run_size;
	int fd;		   /* of KVM's vCPU; -1: of the model */
	uint32_t seed;	   /* of what the guest does */
	bool verify;	   /* or it looks at every page */
	unsigned int page; /* that it looks at next */
	int result;	   /* of its thread: 0, or it has printed why */
	/* the model's guest */
	uint32_t port, value;
	int line;
};

/* One of two kinds of guest. */
struct guest {
	int (*open)(struct vcpu *v);
	/* From its start, for @v->seed or @v->verify. */
	int (*start)(struct vcpu *v);
	/* As ioctl(KVM_RUN): 0, or -1 and errno. */
	int (*run)(struct vcpu *v);
	void (*close)(struct vcpu *v);
	const unsigned char *program, *program_end; /* to be loaded at 0 */
};

extern const struct guest guest_kvm, guest_model;

/* The thread of a vCPU: runs it until it halts. */
void *vcpu_thread(void *arg);

int failed(const char *what, const struct gmem_error *err);
int sys_failed(const char *what);

/* A page that both vCPUs convert; of the others each has its own. */
static inline bool is_common(unsigned int page)
{
	return page & 2;
}

static inline bool is_of(unsigned int page, unsigned int id)
{
	return !is_common(page) && (page & 1) == id;
}

/* What the host writes into a shared page before the guest looks at all. */
static inline uint32_t host_value(unsigned int page)
{
	return 0x5a000000u | page;
}

#endif
