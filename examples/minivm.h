/* SPDX-License-Identifier: MIT */
/* minivm: what its files share. */
#ifndef MINIVM_H
#define MINIVM_H

#include <stdint.h>

#include <gmem.h>

#define MIB (1ULL << 20)
#define RAM_SIZE (2 * MIB)
#define HOLE_GPA (1 * MIB) /* for devices, as in a PC */
#define HOLE_SIZE (1 * MIB)
#define ROM_GPA HOLE_GPA
#define ROM_SIZE (MIB / 4)
#define PLUGGED_GPA (4 * MIB)
#define PLUGGED_SIZE (1 * MIB)

enum {
	SLOT_LOW,
	SLOT_HIGH,
	SLOT_ROM,
	SLOT_PLUGGED
};

struct machine {
	struct gmem_vm *vm;
	struct gmem *ram;
	struct gmem *rom;
	struct gmem *plugged;
	struct kvm_run *run;
	int run_size;
	int vcpu;	     /* -1: none yet */
	int quiet;	     /* does not print what the guest prints */
	int last;	     /* the character that it printed last */
	uint64_t refused_at; /* where a store of the guest was refused; or 0 */
};

/* What the guest prints where it runs. */
extern const char line_low[], line_high[], line_rom[], line_plugged[];

/* minivm.c: both print what failed, and return -1. */
int failed(const char *what, const struct gmem_error *err);
int sys_failed(const char *what);

/* minivm_vcpu.c: the guest's program, and the vCPU that runs it. */
extern const uint64_t guest_text, guest_result; /* from its base on */
void guest_copy(unsigned char *to, const char *line);
int guest_load(struct gmem *g, uint64_t offset, const char *line);
/* Return: how many characters the guest printed; -1 on failure. */
int guest_run(struct machine *m, uint64_t base);
void vcpu_close(struct machine *m);

/* minivm_layout.c: the guest's memory.  Each returns 0, or -1 on failure. */
int make_file(struct machine *m, uint64_t size, struct gmem **file);
int bind_ram(struct machine *m);
int put_hole(struct machine *m);
int add_rom(struct machine *m);
int plug(struct machine *m);
int log_dirty_page(struct machine *m);
/* Is @line at @base, with the count that the guest stored, and shared? */
int check_line(struct machine *m, uint64_t base, const char *line, int stored);
/* Runs the guest at @base: it prints @line and stores how long that is. */
int run_line(struct machine *m, uint64_t base, const char *line);
int show_slots(struct machine *m, const char *step);

/* minivm_migrate.c */
int migrate(struct machine *m);
int receive(struct machine *m);
/* Starts the second process with @option, and runs @send with its input. */
int send_to_second(const char *option, int (*send)(void *arg, int fd),
		   void *arg);
int write_all(int fd, const void *buf, size_t len);
int read_all(int fd, void *buf, size_t len);

/* minivm_private.c: @model is a profile, or NULL for KVM. */
int private_run(struct machine *m, const char *model, int receiver);

#endif
