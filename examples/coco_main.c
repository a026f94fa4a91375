// SPDX-License-Identifier: MIT
/*
 * coco-vmm: a small VMM for a confidential guest.
 *
 *	coco-vmm [--model[=PROFILE]]
 *
 * Two vCPUs convert pages of one region both ways at once, give some to a
 * balloon, and reboot.  After each life the guest's view of every page is what
 * the record says, and no page has memory on both sides.  It needs the VM type
 * with private memory that is not measured; with --model, libgmem-model.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gmem_model.h>

#include "coco.h"

#define LIVES 3
#define SNP 4 /* KVM's number of that VM type */

int failed(const char *what, const struct gmem_error *err)
{
	fputs("coco-vmm: ", stderr);
	gmem_print_error(stderr, what, err);
	return -1;
}

int sys_failed(const char *what)
{
	fprintf(stderr, "coco-vmm: %s: %s\n", what, strerror(errno));
	return -1;
}

static int make_vm(struct machine *m, const char *profile)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_vm_opts opts = {
		.sz = sizeof(opts),
		.type = profile ? GMEM_VM_SNP : GMEM_VM_SW_PROTECTED,
	};
	struct gmem_model_opts model = {
		.sz = sizeof(model),
		.vm = &opts,
		.vm_types = 1U << SNP,
	};
	int r = profile ? gmem_model_vm_open(profile, &model, &m->vm, &err)
			: gmem_vm_open(&opts, &m->vm, &err);

	if (r == 0)
		return 0;
	if (!profile)
		fprintf(stderr, "coco-vmm: --model needs no such VM type\n");
	return failed("make a VM with private memory", &err);
}

static int make_ram(struct machine *m)
{
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_slot slot = GMEM_INIT(struct gmem_slot);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	slot.len = PAGES * PAGE;
	if (gmem_region_create(m->vm, slot.len, NULL, &m->ram, &err) < 0 ||
	    gmem_region_bind(m->ram, &slot, &err) < 0 ||
	    gmem_region_get(m->ram, &info, &err) < 0)
		return failed("make the RAM", &err);
	m->file = info.gmem;
	m->shared = info.shared;
	printf("%u pages of private RAM, a region of kind %s\n", PAGES,
	       gmem_name(GMEM_NAME_REGION_KIND, info.kind));
	return 0;
}

/* Into shared memory: private memory is nobody's but the guest's. */
static int host_store(struct machine *m, uint64_t gpa, const void *from,
		      size_t len)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (m->shared)
		memcpy(m->shared + gpa, from, len);
	else if (gmem_write(m->file, gpa, from, len, &err) < 0)
		return failed("write to shared memory", &err);
	return 0;
}

/* What firmware does in a real one: shares its first page, and loads there. */
static int boot(struct machine *m)
{
	struct gmem_region_range first = { 0, PAGE };
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_region_convert(m->ram, &first, 1, GMEM_ATTRIBUTE_SHARED, NULL,
				NULL, &err) < 0)
		return failed("share the first page", &err);
	if (!m->guest->program)
		return 0;
	return host_store(m, 0, m->guest->program,
			  m->guest->program_end - m->guest->program);
}

static int run_all(struct vcpu *v, unsigned int n)
{
	pthread_t thread[VCPUS];
	unsigned int started;
	int r = 0;

	for (started = 0; started < n; started++) {
		errno = pthread_create(&thread[started], NULL, vcpu_thread,
				       &v[started]);
		if (errno) {
			r = sys_failed("start a thread");
			break;
		}
	}
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(thread[i], NULL);
		r = v[i].result < 0 ? -1 : r;
	}
	return r;
}

/* The host writes each shared page, then the guest says what it sees. */
static int verify(struct machine *m, struct vcpu *v)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	uint64_t attributes;

	for (unsigned int page = FIRST_PAGE; page < PAGES; page++) {
		uint32_t value = host_value(page);

		if (gmem_region_attributes(m->ram, page * PAGE, PAGE,
					   &attributes, NULL, &err) < 0)
			return failed("look a page up", &err);
		if (attributes == GMEM_ATTRIBUTE_SHARED &&
		    host_store(m, page * PAGE, &value, sizeof(value)) < 0)
			return -1;
	}
	v->verify = true;
	v->page = FIRST_PAGE;
	return run_all(v, 1);
}

/* With every page touched in its last state: each has memory, once. */
static int count(struct machine *m)
{
	struct gmem_region_residency there =
		GMEM_INIT(struct gmem_region_residency);
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	uint64_t want = (PAGES - FIRST_PAGE) * PAGE;

	if (gmem_region_resident(m->ram, FIRST_PAGE * PAGE, want, &there,
				 &err) < 0) {
		if (err.reason == GMEM_REASON_RESIDENCY_UNKNOWN)
			return 0; /* before cachestat(2) */
		return failed("count the memory", &err);
	}
	if (there.unused_bytes == 0 &&
	    there.private_bytes + there.shared_bytes == want)
		return 0;
	fprintf(stderr, "coco-vmm: 0x%llx bytes are in memory twice\n",
		(unsigned long long)there.unused_bytes);
	return -1;
}

static int live(struct machine *m, struct vcpu *v, int life)
{
	struct gmem_region_stats stat = GMEM_INIT(struct gmem_region_stats);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (life && gmem_region_reset(m->ram, NULL, &err) < 0)
		return failed("reboot", &err);
	for (unsigned int i = 0; i < VCPUS; i++) {
		v[i].verify = false;
		v[i].seed = (uint32_t)(life * VCPUS) + i;
	}
	if (boot(m) < 0 || run_all(v, VCPUS) < 0 || verify(m, v) < 0 ||
	    count(m) < 0)
		return -1;
	if (gmem_region_stat(m->ram, &stat, &err) < 0)
		return failed("read the counters", &err);
	printf("life %d: each page is in memory once, and the guest sees what "
	       "the record says\n",
	       life + 1);
	return stat.failed ? -1 : 0;
}

static int play(struct machine *m)
{
	struct vcpu v[VCPUS] = { 0 };
	int r = 0;

	for (unsigned int i = 0; i < VCPUS; i++)
		v[i] = (struct vcpu){ .m = m,
				      .id = i,
				      .guard = GMEM_INIT(struct gmem_guard),
				      .fd = -1 };
	for (unsigned int i = 0; r == 0 && i < VCPUS; i++)
		r = m->guest->open(&v[i]);
	for (int life = 0; r == 0 && life < LIVES; life++)
		r = live(m, v, life);
	for (unsigned int i = 0; i < VCPUS; i++)
		m->guest->close(&v[i]);
	return r;
}

int main(int argc, char **argv)
{
	struct machine m = { .guest = &guest_kvm, .steps = 500 };
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	const char *profile = NULL;
	int status = 1;

	if (argc == 2 && !strcmp(argv[1], "--model"))
		profile = GMEM_MODEL_NEWEST;
	else if (argc == 2 && !strncmp(argv[1], "--model=", 8))
		profile = argv[1] + 8;
	if (argc > 2 || (argc == 2 && !profile)) {
		fprintf(stderr, "usage: coco-vmm [--model[=PROFILE]]\n");
		return 2;
	}
	if (profile)
		m.guest = &guest_model;
	if (sysconf(_SC_PAGESIZE) != (long)PAGE) {
		fprintf(stderr, "coco-vmm: its guest has pages of 4 KiB\n");
		return 1;
	}
	if (make_vm(&m, profile) == 0 && make_ram(&m) == 0 && play(&m) == 0)
		status = 0;
	if (gmem_vm_destroy(m.vm, &err) < 0)
		status = -failed("destroy the VM", &err);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "coco-vmm: the output could not be written\n");
		status = 1;
	}
	return status;
}
