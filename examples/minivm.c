// SPDX-License-Identifier: MIT
/*
 * minivm: a small virtual machine whose RAM is a guest_memfd.  Its one vCPU
 * prints a line, stores how long the line was and stops.
 *
 *	minivm [--poison]
 *	minivm --private[=PROFILE]
 *	minivm --receive <PIPE
 *	minivm --receive-private[=PROFILE] <PIPE
 *
 * Between the runs of the guest its memory changes: a hole is put into the RAM,
 * a ROM is added, memory is plugged in, its dirty pages are logged, and the RAM
 * goes to a second process, which is minivm --receive.  After each step the
 * guest's lines, what it stored and the attributes are verified.
 *
 * --private does it in a VM with private memory, or in the model of one.
 *
 * A slot has two addresses of the same RAM: the guest_memfd, and the host
 * mapping at userspace_addr, which KVM uses for its own accesses, such as
 * emulating an instruction.  libgmem makes both refer to the same pages.
 * --poison makes them differ, to find out which one a vCPU runs from on this
 * host: userspace_addr then has the same program with another line, and poison
 * everywhere else.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "minivm.h"

#define POISON 0xee

const char line_low[] = "hello from a guest_memfd\n";
const char line_high[] = "I run from the upper half of the RAM\n";
const char line_rom[] = "I run from the ROM\n";
const char line_plugged[] = "I run from the plugged memory\n";
static const char in_file[] = "I run from the guest_memfd\n";
static const char in_decoy[] = "I run from userspace_addr\n";

int failed(const char *what, const struct gmem_error *err)
{
	fputs("minivm: ", stderr);
	gmem_print_error(stderr, what, err);
	return -1;
}

int sys_failed(const char *what)
{
	fprintf(stderr, "minivm: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Maps this at userspace_addr instead of the file.  Only for this test. */
static unsigned char *put_decoy(struct gmem_vm *vm)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct gmem_slot slot = GMEM_INIT(struct gmem_slot);
	unsigned char *decoy;

	if (gmem_slot_get(vm, SLOT_LOW, 0, &slot, &err) < 0) {
		failed("look at the slot", &err);
		return NULL;
	}
	decoy = mmap((void *)(uintptr_t)slot.userspace_addr, RAM_SIZE,
		     PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (decoy == MAP_FAILED) {
		sys_failed("make the poison");
		return NULL;
	}
	memset(decoy, POISON, RAM_SIZE);
	guest_copy(decoy, in_decoy);
	return decoy;
}

/* Finds where the guest stored its count of characters: it ran from there. */
static int report(struct gmem *ram, const unsigned char *decoy, int printed)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	const char *line = decoy ? in_file : line_low;
	uint32_t want = printed, stored, other = 0;
	struct gmem_mmap_opts own = {
		.sz = sizeof(own),
		.flags = GMEM_MMAP_READONLY,
	};
	void *view;

	/* Not the slot's mapping, which may be the decoy. */
	if (gmem_mmap(ram, 0, RAM_SIZE, &own, &view, &err) < 0)
		return failed("map the RAM", &err);
	memcpy(&stored, (const unsigned char *)view + guest_result,
	       sizeof(stored));
	if (decoy)
		memcpy(&other, decoy + guest_result, sizeof(other));
	if (stored == want && want == strlen(line)) {
		printf("the guest ran from the guest_memfd%s and stored %u "
		       "there\n",
		       decoy ? ", userspace_addr being poison," : "", stored);
		return 0;
	}
	if (decoy && other == want && want == strlen(in_decoy) && !stored) {
		printf("the guest ran from userspace_addr and stored %u there: "
		       "without two-dimensional\npaging KVM does all itself, "
		       "and the guest_memfd was not used\n",
		       other);
		return 0;
	}
	fprintf(stderr,
		"minivm: the guest printed %u characters, but stored %u in "
		"the guest_memfd and %u in userspace_addr\n",
		want, stored, other);
	return -1;
}

/* Loads @line and runs the guest for the first time. */
static int start(struct machine *m, const char *line)
{
	const unsigned char *decoy = NULL;
	int printed;

	if (make_file(m, RAM_SIZE, &m->ram) < 0 ||
	    guest_load(m->ram, 0, line) < 0 || bind_ram(m) < 0)
		return -1;
	if (line == in_file) {
		decoy = put_decoy(m->vm);
		if (!decoy)
			return -1;
	}
	printed = guest_run(m, 0);
	return printed < 0 ? -1 : report(m->ram, decoy, printed);
}

static int check_ram(struct machine *m)
{
	if (check_line(m, 0, line_low, 1) < 0)
		return -1;
	return check_line(m, HOLE_GPA + HOLE_SIZE, line_high, 1);
}

/* What the guest stored at HOLE_GPA moves with its memory. */
static int step_hole(struct machine *m)
{
	if (guest_load(m->ram, HOLE_GPA, line_high) < 0 ||
	    run_line(m, HOLE_GPA, line_high) < 0)
		return -1;
	if (put_hole(m) < 0 || check_ram(m) < 0 || show_slots(m, "a hole") < 0)
		return -1;
	return run_line(m, HOLE_GPA + HOLE_SIZE, line_high);
}

static int step_rom(struct machine *m)
{
	if (add_rom(m) < 0 || check_ram(m) < 0 || show_slots(m, "a ROM") < 0 ||
	    run_line(m, ROM_GPA, line_rom) < 0)
		return -1;
	printf("the ROM refused what the guest stored\n");
	return check_ram(m);
}

static int step_plug(struct machine *m)
{
	if (plug(m) < 0 || check_ram(m) < 0 ||
	    check_line(m, ROM_GPA, line_rom, 0) < 0 ||
	    show_slots(m, "more memory") < 0)
		return -1;
	return run_line(m, PLUGGED_GPA, line_plugged);
}

static int step_dirty_log(struct machine *m)
{
	if (log_dirty_page(m) < 0 || check_ram(m) < 0 ||
	    check_line(m, ROM_GPA, line_rom, 0) < 0)
		return -1;
	return check_line(m, PLUGGED_GPA, line_plugged, 1);
}

/* Is @option @name or @name=PROFILE?  The model of KVM is then in *@profile. */
static int is_private(const char *option, const char *name,
		      const char **profile)
{
	size_t len = strlen(name);

	if (strncmp(option, name, len) || (option[len] && option[len] != '='))
		return 0;
	*profile = option[len] ? option + len + 1 : NULL;
	return 1;
}

static int run(struct machine *m, const char *option)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	const char *profile;

	if (option && is_private(option, "--private", &profile))
		return private_run(m, profile, 0);
	if (option && is_private(option, "--receive-private", &profile))
		return private_run(m, profile, 1);

	if (gmem_vm_open(NULL, &m->vm, &err) < 0)
		return failed("make a VM", &err);
	if (option && strcmp(option, "--receive") == 0)
		return receive(m);
	if (option)
		return start(m, in_file);
	if (start(m, line_low) < 0 || step_hole(m) < 0 || step_rom(m) < 0 ||
	    step_plug(m) < 0 || step_dirty_log(m) < 0)
		return -1;
	return migrate(m);
}

int main(int argc, char **argv)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct machine m = { .vcpu = -1 };
	const char *profile;
	int status;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--poison") &&
			 strcmp(argv[1], "--receive") &&
			 !is_private(argv[1], "--private", &profile) &&
			 !is_private(argv[1], "--receive-private", &profile))) {
		fprintf(stderr,
			"usage: minivm [--poison | --private[=PROFILE]]\n"
			"       minivm --receive <PIPE\n"
			"       minivm --receive-private[=PROFILE] "
			"<PIPE\n");
		return 2;
	}
	status = run(&m, argv[1]) < 0;
	vcpu_close(&m);
	if (gmem_vm_destroy(m.vm, &err) < 0) {
		failed("destroy the VM", &err);
		status = 1;
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "minivm: the output could not be written\n");
		status = 1;
	}
	return status;
}
