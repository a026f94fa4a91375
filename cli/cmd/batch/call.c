// SPDX-License-Identifier: MIT
/* The lines that are a call of the library, which does the checks. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/batch/batch.h"
#include "report/error.h"
#include "target/lost.h"
#include "target/vm.h"

int call_create(struct batch *b, struct op *op)
{
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = op->flags,
		.hugetlb_size = op->hugetlb,
	};
	int r = gmem_create(b->vm, op->size, &opts, &op->made, &b->err);

	if (r == 0 || !b->dry || !dry_short_of(&b->err, op))
		return r;
	opts.flags |= GMEM_CREATE_CHECK_ONLY;
	return gmem_create(b->vm, op->size, &opts, &op->made, &b->err);
}

int call_bind(struct batch *b, struct op *op)
{
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = op->slot,
		.gpa = op->gpa,
		.len = op->len,
		.offset = op->offset,
		.gmem = op->object->g,
		.flags = op->flags,
	};
	int r = gmem_bind(&slot, &b->err);

	if (r < 0)
		return r;
	op->mode = slot_mode(&slot);
	if (b->result) {
		json_text(b->result, "mode", op->mode, "");
		json_object_object_add(b->result, "huge_pages_lost",
				       lost_json(&slot));
	} else {
		lost_text(&slot);
	}
	return 0;
}

int call_unbind(struct batch *b, struct op *op)
{
	return gmem_unbind(b->vm, op->slot, 0, op->flags, &b->err);
}

int call_note(struct batch *b, struct op *op)
{
	struct gmem_slot slot = {
		.sz = sizeof(slot),
		.slot = op->slot,
		.gpa = op->gpa,
		.len = op->len,
		.offset = op->offset,
		.userspace_addr = op->addr,
		.flags = op->flags | GMEM_SLOT_USERSPACE_ADDR,
		.fd = -1,
	};

	if (op->object) {
		slot.gmem = op->object->g;
		slot.fd = gmem_fd(op->object->g);
		slot.flags |= GMEM_SLOT_FD;
	}
	return gmem_slot_note(b->vm, &slot, &b->err);
}

int call_forget(struct batch *b, struct op *op)
{
	return gmem_slot_forget(b->vm, op->slot, 0, &b->err);
}

/* The library only knows the calls that convert a region. */
static int convert_it(struct batch *b, const struct op *op)
{
	return refuse(&b->err, -EBUSY, GMEM_REASON_IN_REGION,
		      "'%s' is a region, which converts by: convert %s %s "
		      "OFFSET:LEN",
		      op->name, op->name, op->verb->word.name);
}

int call_private(struct batch *b, struct op *op)
{
	if (op->object->region)
		return convert_it(b, op);
	return gmem_set_private(op->object->g, op->offset, op->len, &b->err);
}

int call_shared(struct batch *b, struct op *op)
{
	struct gmem_attributes_opts opts = {
		.sz = sizeof(opts),
		.flags = op->flags,
	};

	if (op->object->region)
		return convert_it(b, op);
	return gmem_set_attributes(op->object->g, op->offset, op->len,
				   GMEM_ATTRIBUTE_SHARED, &opts, &b->err);
}

int call_close(struct batch *b, struct op *op)
{
	const struct bound *s = op->object->slots;

	/* In a dry run, of a file that the model could not make. */
	if (!op->object->g && s)
		return refuse(&b->err, -EBUSY, GMEM_REASON_STILL_BOUND,
			      "the file is bound to slot %" PRIu32, s->slot);
	return op->object->region
		       ? gmem_region_close(op->object->region, &b->err)
		       : gmem_close(op->object->g, &b->err);
}

/* ----------------------------------------------------------- attributes -- */

static void show_run(const char *name, uint64_t offset, uint64_t len,
		     const char *state, json_object *runs)
{
	char text[SIZE_TEXT];
	json_object *o;

	if (!runs) {
		printf("%s: 0x%" PRIx64 " %s %s\n", name, offset,
		       size_text(len, text), state);
		return;
	}
	o = json_object_new_object();
	json_u64(o, "offset", offset);
	json_u64(o, "len", len);
	json_text(o, "state", state, "");
	json_object_array_add(runs, o);
}

int call_attributes(struct batch *b, struct op *op)
{
	json_object *runs = b->result ? json_object_new_array() : NULL;
	uint64_t offset = op->offset, len = op->len, attributes, run;
	int r;

	if (runs)
		json_object_object_add(b->result, "runs", runs);
	do {
		r = gmem_get_attributes(op->object->g, offset, len, &attributes,
					&run, &b->err);
		if (r < 0)
			return r;
		show_run(op->name, offset, run,
			 gmem_name(GMEM_NAME_ATTRIBUTE, attributes), runs);
		offset += run;
		len -= run;
	} while (len);
	return 0;
}

/* ------------------------------------------------------------ host view -- */

static void show_bytes(uint64_t offset, const unsigned char *p, size_t len)
{
	for (size_t at = 0; at < len; at += 16) {
		size_t n = len - at < 16 ? len - at : 16;

		printf("%08" PRIx64 " ", offset + at);
		for (size_t i = 0; i < 16; i++) {
			if (i == 8)
				putchar(' ');
			if (i < n)
				printf(" %02x", p[at + i]);
			else
				printf("   ");
		}
		printf("  |");
		for (size_t i = 0; i < n; i++)
			putchar(p[at + i] >= ' ' && p[at + i] < 0x7f ? p[at + i]
								     : '.');
		printf("|\n");
	}
}

static void json_bytes(json_object *to, const unsigned char *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	static char text[2 * BATCH_READ + 1];

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	text[2 * len] = '\0';
	json_text(to, "data", text, "");
}

int call_read(struct batch *b, struct op *op)
{
	static unsigned char buf[BATCH_READ];
	void *at;
	int r = region_memory(b, op, &at);

	if (r >= 0 && at)
		memcpy(buf, at, op->len);
	else if (r >= 0)
		r = gmem_read(op->object->g, op->offset, buf, op->len, &b->err);
	if (r < 0)
		return r;
	if (b->result) {
		json_u64(b->result, "offset", op->offset);
		json_u64(b->result, "len", op->len);
		json_bytes(b->result, buf, op->len);
	} else {
		show_bytes(op->offset, buf, op->len);
	}
	return 0;
}

int call_write(struct batch *b, struct op *op)
{
	void *at;
	int r = region_memory(b, op, &at);

	if (r >= 0 && at)
		memcpy(at, op->data, op->len);
	if (r < 0 || at)
		return r;
	return gmem_write(op->object->g, op->offset, op->data, op->len,
			  &b->err);
}
