// SPDX-License-Identifier: MIT
/*
 * minivm --private: the same changes of guest memory in a VM whose memory is
 * private, page by page, unless it is shared.  What the guest stores in private
 * memory the host cannot read: a second program of the guest tells it.  After
 * each step the library's record of each page is compared with what was last
 * asked for that page, and the guest is asked what it sees.
 *
 * KVM has no read-only slot and no dirty log for private memory, so the ROM is
 * ordinary memory, and the rounds of the migration send all that is shared.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <gmem_model.h>

#include "minivm_private.h"

#define TELLER 0x4000 /* from a guest's base on; a segment begins at 0x3000 */

/* x86-64, real mode: prints the first byte of its data segment. */
static const unsigned char teller[] = {
	0xa0, 0x00, 0x00, /* mov 0, %al */
	0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
	0xee,		  /* out %al, (%dx) */
	0xf4,		  /* hlt */
};

int private_make(struct private_machine *p, struct part *part, const char *name,
		 uint64_t size, uint32_t slot, uint64_t gpa)
{
	struct gmem_region_info info = GMEM_INIT(struct gmem_region_info);
	struct gmem_slot s = GMEM_INIT(struct gmem_slot);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	s.slot = slot;
	s.gpa = gpa;
	s.len = size;
	if (gmem_region_create(p->m.vm, size, NULL, &part->region, &err) < 0 ||
	    gmem_region_bind(part->region, &s, &err) < 0 ||
	    gmem_region_get(part->region, &info, &err) < 0)
		return failed("make private memory", &err);
	part->name = name;
	part->file = info.gmem;
	part->shared = info.shared;
	part->size = size;
	return 0;
}

int private_ask(struct part *part, uint64_t page, uint64_t n, bool shared)
{
	struct gmem_region_range range = { page * PAGE, n * PAGE };
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_region_convert(part->region, &range, 1,
				shared ? GMEM_ATTRIBUTE_SHARED
				       : GMEM_ATTRIBUTE_PRIVATE,
				NULL, NULL, &err) < 0)
		return failed("convert guest memory", &err);
	for (; n; n--)
		part->asked[page++] = shared;
	return 0;
}

static int store(struct part *part, uint64_t offset, const void *from,
		 size_t len)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (part->shared)
		memcpy(part->shared + offset, from, len);
	else if (gmem_write(part->file, offset, from, len, &err) < 0)
		return failed("write shared memory", &err);
	return 0;
}

void private_line_asked(struct part *part, uint64_t offset)
{
	part->asked[offset / PAGE + 1] = true;
	part->asked[offset / PAGE + 2] = true;
	part->asked[offset / PAGE + 4] = true;
}

/* The program, the line and the teller are shared; the result stays private. */
static int load(struct part *part, uint64_t offset, const char *line)
{
	unsigned char pages[3 * PAGE] = { 0 };

	guest_copy(pages, line);
	if (private_ask(part, offset / PAGE + 1, 2, true) < 0 ||
	    private_ask(part, offset / PAGE + 4, 1, true) < 0)
		return -1;
	if (store(part, offset + PAGE, pages + PAGE, 2 * PAGE) < 0)
		return -1;
	return store(part, offset + TELLER, teller, sizeof(teller));
}

/* The model has no vCPU, and makes the accesses of one. */
static int model_access(struct private_machine *p, uint64_t gpa, void *buf,
			size_t len, bool write)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_model_access(p->m.vm, gpa, buf, len,
			      write ? GMEM_MODEL_WRITE : 0, NULL, 0, &err) < 0)
		return failed("run the model's guest", &err);
	return 0;
}

static int print(struct private_machine *p, uint64_t base)
{
	char line[64];
	uint32_t len;

	if (!p->model)
		return guest_run(&p->m, base);
	if (model_access(p, base + guest_text, line, sizeof(line), false) < 0)
		return -1;
	len = strnlen(line, sizeof(line));
	fwrite(line, 1, len, stdout);
	if (model_access(p, base + guest_result, &len, sizeof(len), true) < 0)
		return -1;
	return (int)len;
}

/* The low byte of the result that the guest at @base has; -1 on failure. */
static int tell(struct private_machine *p, uint64_t base)
{
	unsigned char byte;
	int n;

	if (p->model)
		return model_access(p, base + guest_result, &byte, 1, false) < 0
			       ? -1
			       : byte;
	p->m.quiet = 1;
	n = guest_run(&p->m, base + TELLER - PAGE);
	p->m.quiet = 0;
	return n == 1 ? p->m.last : -1;
}

/* The host can read the line, which is shared. */
static int check_text(const struct part *part, uint64_t offset,
		      const char *line)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	char text[64] = "";

	offset += guest_text;
	if (part->shared)
		memcpy(text, part->shared + offset, sizeof(text));
	else if (gmem_read(part->file, offset, text, sizeof(text), &err) < 0)
		return failed("read shared memory", &err);
	text[sizeof(text) - 1] = '\0';
	if (strcmp(text, line) == 0)
		return 0;
	fprintf(stderr, "minivm: the %s has \"%s\", not \"%s\"\n", part->name,
		text, line);
	return -1;
}

/* Has the guest its line and its result, and the host nothing of the result? */
static int check_line_in(struct private_machine *p, const struct part *part,
			 uint64_t offset, uint64_t base, const char *line)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	int told = tell(p, base);
	uint32_t seen = 0;

	if (check_text(part, offset, line) < 0)
		return -1;
	if (told < 0 || (size_t)told != strlen(line)) {
		fprintf(stderr,
			"minivm: the guest at 0x%" PRIx64 " has %d, not %zu\n",
			base, told, strlen(line));
		return -1;
	}
	if (part->shared)
		memcpy(&seen, part->shared + offset + guest_result,
		       sizeof(seen));
	else if (gmem_read(part->file, offset + guest_result, &seen,
			   sizeof(seen), &err) == 0)
		seen = 1;
	if (!seen)
		return 0;
	fprintf(stderr, "minivm: the host can read the private result\n");
	return -1;
}

int private_run_line(struct private_machine *p, struct part *part,
		     uint64_t offset, uint64_t base, const char *line)
{
	int printed = print(p, base);

	if (printed < 0)
		return -1;
	if ((size_t)printed != strlen(line)) {
		fprintf(stderr, "minivm: the guest printed %d characters\n",
			printed);
		return -1;
	}
	return check_line_in(p, part, offset, base, line);
}

static const struct part *part_of(const struct private_machine *p,
				  const struct gmem_region *r)
{
	if (r == p->ram.region)
		return &p->ram;
	return r == p->rom.region ? &p->rom : &p->plugged;
}

/* Compares each page of a slot with what was last asked for it. */
static int check_slot(struct private_machine *p, const struct gmem_slot *s)
{
	struct gmem_location at = GMEM_INIT(struct gmem_location);
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	const struct part *part = NULL;
	struct gmem_region *r;
	unsigned int shared = 0;

	for (uint64_t pos = 0; pos < s->len; pos += PAGE) {
		bool asked;

		if (gmem_region_at(p->m.vm, 0, s->gpa + pos, &r, &at, &err) < 0)
			return failed("find guest memory", &err);
		part = part_of(p, r);
		asked = part->asked[(s->offset + pos) / PAGE];
		shared += asked;
		if (at.offset == s->offset + pos &&
		    at.attributes == (asked ? GMEM_ATTRIBUTE_SHARED
					    : GMEM_ATTRIBUTE_PRIVATE))
			continue;
		fprintf(stderr,
			"minivm: 0x%" PRIx64 " is not %s, as was asked\n",
			s->gpa + pos, asked ? "shared" : "private");
		return -1;
	}
	printf("  slot %" PRIu32 " at 0x%06" PRIx64 ": %4" PRIu64
	       " KiB of %s from 0x%06" PRIx64 " on, %u pages shared\n",
	       s->slot, s->gpa, s->len / 1024, part ? part->name : "nothing",
	       s->offset, shared);
	return 0;
}

int private_check(struct private_machine *p, const char *step)
{
	struct gmem_slot s = GMEM_INIT(struct gmem_slot);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	printf("%s:\n", step);
	while (gmem_slot_next(p->m.vm, 0, s.gpa + s.len, &s, &err) == 0) {
		if (check_slot(p, &s) < 0)
			return -1;
	}
	return err.reason == GMEM_REASON_NOT_BOUND
		       ? 0
		       : failed("look at the next slot", &err);
}

static int check_ram(struct private_machine *p, const char *step)
{
	if (private_check(p, step) < 0 ||
	    check_line_in(p, &p->ram, 0, 0, line_low) < 0)
		return -1;
	return check_line_in(p, &p->ram, HOLE_GPA, HOLE_GPA + HOLE_SIZE,
			     line_high);
}

static int step_hole(struct private_machine *p)
{
	if (load(&p->ram, HOLE_GPA, line_high) < 0 ||
	    private_run_line(p, &p->ram, HOLE_GPA, HOLE_GPA, line_high) < 0)
		return -1;
	if (put_hole(&p->m) < 0 || check_ram(p, "a hole") < 0)
		return -1;
	return private_run_line(p, &p->ram, HOLE_GPA, HOLE_GPA + HOLE_SIZE,
				line_high);
}

static int step_part(struct private_machine *p, struct part *part,
		     uint64_t base, const char *line, const char *step)
{
	if (load(part, 0, line) < 0 || check_ram(p, step) < 0)
		return -1;
	return private_run_line(p, part, 0, base, line);
}

static int steps(struct private_machine *p)
{
	if (private_make(p, &p->ram, "RAM", RAM_SIZE, SLOT_LOW, 0) < 0 ||
	    load(&p->ram, 0, line_low) < 0 ||
	    private_ask(&p->ram, CLOSED, 1, true) < 0 ||
	    private_run_line(p, &p->ram, 0, 0, line_low) < 0 ||
	    private_check(p, "private memory") < 0 || step_hole(p) < 0)
		return -1;
	if (private_make(p, &p->rom, "ROM", ROM_SIZE, SLOT_ROM, ROM_GPA) < 0 ||
	    step_part(p, &p->rom, ROM_GPA, line_rom, "a ROM") < 0)
		return -1;
	if (private_make(p, &p->plugged, "plugged", PLUGGED_SIZE, SLOT_PLUGGED,
			 PLUGGED_GPA) < 0 ||
	    step_part(p, &p->plugged, PLUGGED_GPA, line_plugged,
		      "more memory") < 0 ||
	    check_line_in(p, &p->rom, 0, ROM_GPA, line_rom) < 0)
		return -1;
	return private_migrate(p);
}

int private_run(struct machine *m, const char *model, int receiver)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_vm_opts vm = {
		.sz = sizeof(vm),
		.type = GMEM_VM_SW_PROTECTED,
	};
	struct gmem_model_opts opts = { .sz = sizeof(opts), .vm = &vm };
	struct private_machine *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return sys_failed("allocate the machine");
	r = model ? gmem_model_vm_open(model, &opts, &m->vm, &err)
		  : gmem_vm_open(&vm, &m->vm, &err);
	if (r < 0) {
		failed("make a VM with private memory", &err);
	} else {
		p->m = *m;
		p->model = model;
		r = receiver ? private_receive(p) : steps(p);
		*m = p->m;
	}
	free(p);
	return r < 0 ? -1 : 0;
}
