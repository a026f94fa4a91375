// SPDX-License-Identifier: MIT
/*
 * minivm: the guest's memory.  No vCPU runs while it changes: all of this is
 * done between two runs of the guest.
 */
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "minivm.h"

int make_file(struct machine *m, uint64_t size, struct gmem **file)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};

	if (gmem_create(m->vm, size, &opts, file, &err) < 0)
		return failed("create guest memory", &err);
	return 0;
}

int bind_ram(struct machine *m)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = SLOT_LOW,
		.len = RAM_SIZE,
		.gmem = m->ram,
	};

	if (gmem_bind(&slot, &err) < 0)
		return failed("bind the RAM", &err);
	return 0;
}

/* What was at HOLE_GPA is behind the hole afterwards, with its content. */
int put_hole(struct machine *m)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_slot was = GMEM_INIT(struct gmem_slot), to[2];

	if (gmem_slot_get(m->vm, SLOT_LOW, 0, &was, &err) < 0)
		return failed("look at the slot", &err);
	to[0] = to[1] = was;
	to[0].len = HOLE_GPA;
	to[1].slot = SLOT_HIGH;
	to[1].gpa = HOLE_GPA + HOLE_SIZE;
	to[1].offset = HOLE_GPA;
	to[1].len = was.len - HOLE_GPA;
	if (gmem_slots_replace(m->vm, &was, 1, to, 2, 0, &err) < 0)
		return failed("put a hole into the RAM", &err);
	return 0;
}

int add_rom(struct machine *m)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = SLOT_ROM,
		.gpa = ROM_GPA,
		.len = ROM_SIZE,
		.flags = GMEM_SLOT_READONLY,
	};

	if (make_file(m, ROM_SIZE, &m->rom) < 0 ||
	    guest_load(m->rom, 0, line_rom) < 0)
		return -1;
	slot.gmem = m->rom;
	if (gmem_bind(&slot, &err) < 0)
		return failed("bind the ROM", &err);
	return 0;
}

/* HVA mode: only that can log dirty pages. */
int plug(struct machine *m)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = SLOT_PLUGGED,
		.gpa = PLUGGED_GPA,
		.len = PLUGGED_SIZE,
		.flags = GMEM_SLOT_HVA,
	};

	if (make_file(m, PLUGGED_SIZE, &m->plugged) < 0 ||
	    guest_load(m->plugged, 0, line_plugged) < 0)
		return -1;
	slot.gmem = m->plugged;
	if (gmem_bind(&slot, &err) < 0)
		return failed("plug memory in", &err);
	return 0;
}

/* Verifies that the guest stored to one page: that of its result. */
static int check_dirty(struct machine *m)
{
	uint64_t bits[PLUGGED_SIZE / 4096 / 64] = { 0 };
	struct kvm_dirty_log log = {
		.slot = SLOT_PLUGGED,
		.dirty_bitmap = bits,
	};
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	uint64_t page, result = guest_result / page_size;

	if (ioctl(gmem_vm_fd(m->vm), KVM_GET_DIRTY_LOG, &log) < 0)
		return sys_failed("get the dirty log");
	for (page = 0; page < PLUGGED_SIZE / page_size; page++) {
		int dirty = (bits[page / 64] >> page % 64 & 1) != 0;

		if (dirty == (page == result))
			continue;
		fprintf(stderr,
			"minivm: page %" PRIu64 " of the plugged memory is %s, "
			"and the guest stored to page %" PRIu64 "\n",
			page, dirty ? "dirty" : "clean", result);
		return -1;
	}
	return 0;
}

int log_dirty_page(struct machine *m)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_slot_dirty_log(m->vm, SLOT_PLUGGED, 0, 1, &err) < 0)
		return failed("switch the dirty log on", &err);
	if (run_line(m, PLUGGED_GPA, line_plugged) < 0 || check_dirty(m) < 0)
		return -1;
	printf("dirty log: one page, where the guest stored its result\n");
	if (gmem_slot_dirty_log(m->vm, SLOT_PLUGGED, 0, 0, &err) < 0)
		return failed("switch the dirty log off", &err);
	return 0;
}

/* Finds what is behind @gpa, which must be shared, and reads it. */
static int read_gpa(struct machine *m, uint64_t gpa, void *buf, size_t len)
{
	struct gmem_location at = GMEM_INIT(struct gmem_location);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_vm_at(m->vm, 0, gpa, &at, &err) < 0)
		return failed("find guest memory", &err);
	if (at.attributes != GMEM_ATTRIBUTE_SHARED) {
		fprintf(stderr, "minivm: 0x%" PRIx64 " is not shared\n", gpa);
		return -1;
	}
	if (gmem_read(at.gmem, at.offset, buf, len, &err) < 0)
		return failed("read guest memory", &err);
	return 0;
}

int check_line(struct machine *m, uint64_t base, const char *line, int stored)
{
	uint32_t count = 0, want = stored ? strlen(line) : 0;
	char text[64] = "";

	if (read_gpa(m, base + guest_text, text, sizeof(text)) < 0 ||
	    read_gpa(m, base + guest_result, &count, sizeof(count)) < 0)
		return -1;
	text[sizeof(text) - 1] = '\0';
	if (strcmp(text, line) == 0 && count == want)
		return 0;
	fprintf(stderr,
		"minivm: at 0x%" PRIx64 " are \"%s\" and %" PRIu32
		", not \"%s\" and %" PRIu32 "\n",
		base, text, count, line, want);
	return -1;
}

/* Zeroes the result of an earlier run, unless the guest could not store it. */
static int clear_result(struct machine *m, uint64_t base)
{
	struct gmem_location at = GMEM_INIT(struct gmem_location);
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	uint32_t none = 0;

	if (gmem_vm_at(m->vm, 0, base + guest_result, &at, &err) < 0)
		return failed("find guest memory", &err);
	if (gmem_write(at.gmem, at.offset, &none, sizeof(none), &err) < 0)
		return failed("clear the result", &err);
	return 0;
}

int run_line(struct machine *m, uint64_t base, const char *line)
{
	int printed, rom = base == ROM_GPA && m->rom;

	if (clear_result(m, base) < 0)
		return -1;
	printed = guest_run(m, base);
	if (printed < 0)
		return -1;
	if ((size_t)printed != strlen(line) ||
	    m->refused_at != (rom ? base + guest_result : 0)) {
		fprintf(stderr,
			"minivm: the guest printed %d characters, and its "
			"store at 0x%" PRIx64 " was refused\n",
			printed, m->refused_at);
		return -1;
	}
	return check_line(m, base, line, !rom);
}

static const char *file_name(const struct machine *m, const struct gmem *g)
{
	if (g == m->ram)
		return "RAM";
	return g == m->rom ? "ROM" : "plugged";
}

/* Prints the slots as the library knows them; all must be shared whole. */
int show_slots(struct machine *m, const char *step)
{
	struct gmem_slot s = GMEM_INIT(struct gmem_slot);
	struct gmem_location at = GMEM_INIT(struct gmem_location);
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	printf("%s:\n", step);
	while (gmem_slot_next(m->vm, 0, s.gpa + s.len, &s, &err) == 0) {
		if (gmem_vm_at(m->vm, 0, s.gpa, &at, &err) < 0)
			return failed("find guest memory", &err);
		if (at.attributes != GMEM_ATTRIBUTE_SHARED || at.run != s.len ||
		    at.offset != s.offset) {
			fprintf(stderr,
				"minivm: slot %" PRIu32
				" is not shared as a whole\n",
				s.slot);
			return -1;
		}
		printf("  slot %" PRIu32 " at 0x%06" PRIx64 ": %4" PRIu64
		       " KiB of %s from 0x%06" PRIx64 " on, %s%s, shared\n",
		       s.slot, s.gpa, s.len / 1024, file_name(m, s.gmem),
		       s.offset, s.flags & GMEM_SLOT_FD ? "fd" : "hva",
		       s.flags & GMEM_SLOT_READONLY ? ", read-only" : "");
	}
	return err.reason == GMEM_REASON_NOT_BOUND
		       ? 0
		       : failed("look at the next slot", &err);
}
