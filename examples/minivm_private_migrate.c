// SPDX-License-Identifier: MIT
/*
 * minivm --private: its RAM goes to a second process, in two rounds.  Only the
 * shared pages go: private memory of such a VM cannot be read by the host, and
 * what encrypts it for a migration is the hardware of other VM types.  So the
 * new guest has the state of every page, and its private pages are zero.
 *
 * A round is a record and what is behind it: each run of shared pages, as a
 * struct run and its bytes, and a run of no length.  The rest is private.
 */
#include <string.h>
#include <unistd.h>

#include "minivm_private.h"

struct run {
	uint64_t offset;
	uint64_t len;
};

static int send_run(const struct part *ram, int fd, const struct run *run)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (write_all(fd, run, sizeof(*run)) < 0)
		return -1;
	if (ram->shared)
		return write_all(fd, ram->shared + run->offset, run->len);
	if (gmem_store(ram->file, run->offset, fd, run->len, NULL, &err) < 0)
		return failed("send the RAM", &err);
	return 0;
}

static int send_round(const struct part *ram, int fd)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	struct run run = { 0 };
	uint64_t attributes;

	for (; run.offset < ram->size; run.offset += run.len) {
		if (gmem_region_attributes(ram->region, run.offset,
					   ram->size - run.offset, &attributes,
					   &run.len, &err) < 0)
			return failed("look at the RAM", &err);
		if (attributes == GMEM_ATTRIBUTE_SHARED &&
		    send_run(ram, fd, &run) < 0)
			return -1;
	}
	run.len = 0;
	return write_all(fd, &run, sizeof(run));
}

/* Between the rounds the guest runs on: it shares a page, takes one back. */
static int send_rounds(void *arg, int fd)
{
	struct private_machine *p = arg;

	if (send_round(&p->ram, fd) < 0 ||
	    private_ask(&p->ram, OPENED, 1, true) < 0 ||
	    private_ask(&p->ram, CLOSED, 1, false) < 0)
		return -1;
	return send_round(&p->ram, fd);
}

int private_migrate(struct private_machine *p)
{
	char option[64];

	snprintf(option, sizeof(option), "--receive-private%s%s",
		 p->model ? "=" : "", p->model ? p->model : "");
	return send_to_second(option, send_rounds, p);
}

/* Gives the new guest's pages the state that those of the sender have. */
static int take_over(struct part *ram, uint64_t from, uint64_t to,
		     uint64_t attributes)
{
	struct gmem_region_range range = { from, to - from };
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (gmem_region_convert(ram->region, &range, 1, attributes, NULL, NULL,
				&err) < 0)
		return failed("take the state over", &err);
	return 0;
}

static int receive_run(struct part *ram, int fd, const struct run *run)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);

	if (ram->shared)
		return read_all(fd, ram->shared + run->offset, run->len);
	if (gmem_load(ram->file, run->offset, fd, run->len, NULL, &err) < 0)
		return failed("receive the RAM", &err);
	return 0;
}

static int receive_round(struct part *ram, int fd)
{
	uint64_t end = 0;

	for (;;) {
		struct run run;

		if (read_all(fd, &run, sizeof(run)) < 0)
			return -1;
		if (!run.len)
			return take_over(ram, end, ram->size,
					 GMEM_ATTRIBUTE_PRIVATE);
		if (run.offset < end || run.offset > ram->size ||
		    run.len > ram->size - run.offset) {
			fprintf(stderr, "minivm: a run is not in the RAM\n");
			return -1;
		}
		if (take_over(ram, end, run.offset, GMEM_ATTRIBUTE_PRIVATE) < 0)
			return -1;
		end = run.offset + run.len;
		if (take_over(ram, run.offset, end, GMEM_ATTRIBUTE_SHARED) <
			    0 ||
		    receive_run(ram, fd, &run) < 0)
			return -1;
	}
}

/* What is expected does not come from the sender. */
int private_receive(struct private_machine *p)
{
	struct part *ram = &p->ram;

	if (private_make(p, ram, "RAM", RAM_SIZE, SLOT_LOW, 0) < 0 ||
	    put_hole(&p->m) < 0)
		return -1;
	private_line_asked(ram, 0);
	private_line_asked(ram, HOLE_GPA);
	ram->asked[CLOSED] = true;
	if (receive_round(ram, STDIN_FILENO) < 0 ||
	    private_check(p, "the first round") < 0)
		return -1;
	ram->asked[CLOSED] = false;
	ram->asked[OPENED] = true;
	if (receive_round(ram, STDIN_FILENO) < 0 ||
	    private_check(p, "migrated, with the state of each page") < 0)
		return -1;
	if (private_run_line(p, ram, 0, 0, line_low) < 0)
		return -1;
	return private_run_line(p, ram, HOLE_GPA, HOLE_GPA + HOLE_SIZE,
				line_high);
}
