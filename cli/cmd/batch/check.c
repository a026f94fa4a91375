// SPDX-License-Identifier: MIT
/*
 * The dry run: what can be said of a line without a kernel.  A real run does
 * not come here, since the library says all of this and more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cmd/batch/batch.h"
#include "report/error.h"

static int aligned(struct batch *b, const char *what, uint64_t value,
		   uint64_t page)
{
	if (page && value % page == 0)
		return 0;
	return refuse(&b->err, -EINVAL, GMEM_REASON_UNALIGNED,
		      "%s 0x%" PRIx64 " is not a multiple of 0x%" PRIx64, what,
		      value, page);
}

static int inside(struct batch *b, const struct object *o, uint64_t offset,
		  uint64_t len)
{
	if (!len)
		return refuse(&b->err, -EINVAL, GMEM_REASON_ZERO_SIZE,
			      "the length is 0");
	if (offset <= o->size && len <= o->size - offset)
		return 0;
	return refuse(&b->err, -EINVAL, GMEM_REASON_OUTSIDE_FILE,
		      "offset 0x%" PRIx64 " + len 0x%" PRIx64
		      " is beyond the 0x%" PRIx64 " bytes of %s",
		      offset, len, o->size, o->name);
}

int check_bytes(struct batch *b, const struct op *op)
{
	return op->len ? inside(b, op->object, op->offset, op->len) : 0;
}

int check_pages(struct batch *b, const struct op *op)
{
	int r = aligned(b, "offset", op->offset, op->object->page);

	if (!r)
		r = aligned(b, "len", op->len, op->object->page);
	return r ? r : inside(b, op->object, op->offset, op->len);
}

int check_create(struct batch *b, const struct op *op)
{
	if (!op->size)
		return refuse(&b->err, -EINVAL, GMEM_REASON_ZERO_SIZE,
			      "the size is 0");
	if (op->size > INT64_MAX)
		return refuse(&b->err, -EINVAL, GMEM_REASON_SIZE_LIMIT,
			      "size 0x%" PRIx64 " is too large", op->size);
	return aligned(b, "size", op->size,
		       op->hugetlb ? op->hugetlb : b->page);
}

/* A new slot's number and guest addresses. */
static int check_slot(struct batch *b, const struct op *op)
{
	int r = aligned(b, "gpa", op->gpa, b->page);

	if (r)
		return r;
	if (find_slot(b, op->slot))
		return refuse(&b->err, -EEXIST, GMEM_REASON_SLOT_IN_USE,
			      "slot %" PRIu32 " is in use", op->slot);
	if (op->len > UINT64_MAX - op->gpa)
		return refuse(&b->err, -EINVAL, GMEM_REASON_GPA_OVERFLOW,
			      "gpa 0x%" PRIx64 " + len 0x%" PRIx64 " wraps",
			      op->gpa, op->len);
	for (const struct bound *s = b->slots; s; s = s->next)
		if (op->gpa < s->gpa + s->len && s->gpa < op->gpa + op->len)
			return refuse(&b->err, -EEXIST, GMEM_REASON_GPA_OVERLAP,
				      "gpa 0x%" PRIx64 " + len 0x%" PRIx64
				      " overlaps slot %" PRIu32,
				      op->gpa, op->len, s->slot);
	return 0;
}

int check_bind(struct batch *b, const struct op *op)
{
	int r = check_pages(b, op);

	return r ? r : check_slot(b, op);
}

int check_note(struct batch *b, const struct op *op)
{
	int r;

	if (op->object) {
		r = check_pages(b, op);
	} else {
		r = aligned(b, "len", op->len, b->page);
		if (!r && !op->len)
			r = refuse(&b->err, -EINVAL, GMEM_REASON_ZERO_SIZE,
				   "the length is 0");
	}
	return r ? r : check_slot(b, op);
}

int check_unbind(struct batch *b, const struct op *op)
{
	const struct bound *s = find_slot(b, op->slot);

	if (!s || s->object != op->object)
		return refuse(&b->err, -EINVAL, GMEM_REASON_NOT_BOUND,
			      "slot %" PRIu32 " is not one of %s", op->slot,
			      op->name);
	if (s->noted)
		return refuse(&b->err, -EINVAL, GMEM_REASON_NOTED_SLOT,
			      "slot %" PRIu32 " was noted, not bound",
			      op->slot);
	return 0;
}

int check_forget(struct batch *b, const struct op *op)
{
	const struct bound *s = find_slot(b, op->slot);

	if (s && s->noted)
		return 0;
	return refuse(&b->err, -EINVAL, GMEM_REASON_NOT_BOUND,
		      "slot %" PRIu32 " was not noted", op->slot);
}

int check_close(struct batch *b, const struct op *op)
{
	for (const struct bound *s = b->slots; s; s = s->next)
		if (s->object == op->object)
			return refuse(&b->err, -EBUSY, GMEM_REASON_STILL_BOUND,
				      "slot %" PRIu32 " still uses %s", s->slot,
				      op->name);
	return 0;
}
