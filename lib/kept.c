// SPDX-License-Identifier: MIT
/* What slots left for their files: found, taken over, ended, restored. */
#include <errno.h>
#include <stddef.h>

#include "attr_gpa.h"
#include "error.h"
#include "file.h"
#include "kept.h"
#include "left.h"
#include "lock.h"
#include "slot.h"
#include "vm.h"

struct gmem__slot *gmem__kept_at(const struct gmem_vm *vm, uint64_t gpa,
				 uint64_t len)
{
	return gmem__left_at(vm, GMEM__LEFT_KEPT, gpa, gpa + len);
}

static struct gmem__slot *kept_of(const struct gmem_vm *vm,
				  const struct gmem *g, uint64_t offset,
				  uint64_t len)
{
	return gmem__slot_of(gmem__tree_overlap(&vm->by_offset,
						gmem__kept_group(g), offset,
						offset + len),
			     offsetof(struct gmem__slot, by_offset));
}

/* How many bytes of @len there are before @start. */
static uint64_t before(uint64_t at, uint64_t len, uint64_t start)
{
	return start - at < len ? start - at : len;
}

/* A slot of a bind that failed does not end what is kept before it. */
static uint64_t not_kept(const struct gmem_vm *vm, const struct gmem *g,
			 uint64_t offset, uint64_t gpa, uint64_t len)
{
	const struct gmem__slot *k = kept_of(vm, g, offset, len);

	if (k)
		len = before(offset, len, k->s.offset);
	k = gmem__kept_at(vm, gpa, len);
	if (!k)
		return len;
	return k->s.gpa <= gpa ? 0 : before(gpa, len, k->s.gpa);
}

bool gmem__place_of(struct gmem_vm *vm, const struct gmem *g, uint64_t offset,
		    struct gmem__place *out)
{
	const struct gmem__slot *s = kept_of(vm, g, offset, 1);
	bool kept = s != NULL;

	if (!s)
		s = gmem__slot_by_offset(vm, g, GMEM_SLOT_FD, offset, 1);
	if (!s || !(kept || gmem__slot_usable(s)))
		return false;
	out->gpa = s->s.gpa + (offset - s->s.offset);
	out->len = s->s.len - (offset - s->s.offset);
	out->reserved = s->reserved;
	if (s->state == GMEM__SLOT_STUCK && !kept)
		out->len = not_kept(vm, g, offset, out->gpa, out->len);
	return out->len > 0;
}

/* Goes through the ranges: lists them, or compares them with the list. */
struct walk {
	struct gmem__hold *h;
	unsigned int n;
	bool compare, same;
};

static void walk_range(struct walk *w, const void *object, uint64_t start,
		       uint64_t len)
{
	struct gmem__range r = { object, start, start + len }, *o;

	if (w->n < w->h->room) {
		o = &w->h->at[w->n];
		if (!w->compare)
			*o = r;
		w->same = w->same && o->object == r.object &&
			  o->start == r.start && o->end == r.end;
	}
	w->n++;
}

/* All of each entry: without memory, more than a part of it ends. */
static void walk_kept(struct gmem_vm *vm, struct walk *w,
		      const struct gmem_slot *s)
{
	const struct gmem__slot *k;
	uint64_t pos = s->gpa, end = s->gpa + s->len;

	while (pos < end && (k = gmem__kept_at(vm, pos, end - pos)) != NULL) {
		walk_range(w, k->s.gmem, k->s.offset, k->s.len);
		pos = k->s.gpa + k->s.len;
	}
	if (!s->gmem)
		return;
	pos = s->offset;
	end = s->offset + s->len;
	while (pos < end &&
	       (k = kept_of(vm, s->gmem, pos, end - pos)) != NULL) {
		walk_range(w, k->s.gmem, k->s.offset, k->s.len);
		pos = k->s.offset + k->s.len;
	}
}

/* vm->lock is held. */
static void walk_all(struct gmem_vm *vm, struct walk *w)
{
	const struct gmem__hold *h = w->h;

	for (unsigned int i = 0; i < h->n_more; i++)
		walk_range(w, h->more[i].object, h->more[i].start,
			   h->more[i].end - h->more[i].start);
	for (unsigned int i = 0; i < h->n_s; i++)
		if (h->s[i].gmem)
			walk_range(w, h->s[i].gmem, h->s[i].offset,
				   h->s[i].len);
	for (unsigned int i = 0; i < h->n_s; i++)
		walk_kept(vm, w, &h->s[i]);
}

bool gmem__hold_is_all(struct gmem_vm *vm, struct gmem__hold *h)
{
	struct walk w = { .h = h, .compare = true, .same = true };

	walk_all(vm, &w);
	return w.same && w.n == h->n;
}

static void hold_list(struct gmem_vm *vm, struct gmem__hold *h)
{
	struct walk w = { .h = h };

	gmem__lock(&vm->lock);
	walk_all(vm, &w);
	gmem__unlock(&vm->lock);
	h->n = w.n;
}

static void hold_free(const struct gmem_vm *vm, const struct gmem__hold *h)
{
	if (h->at != h->few)
		gmem__free(&vm->ctx, h->at);
}

int gmem__hold_take(struct gmem_vm *vm, struct gmem__hold *h,
		    const struct gmem_slot *s, unsigned int n,
		    const struct gmem__range *more, unsigned int n_more,
		    struct gmem_error *err)
{
	int r;

	*h = (struct gmem__hold){
		.s = s,
		.n_s = n,
		.more = more,
		.n_more = n_more,
		.room = sizeof(h->few) / sizeof(h->few[0]),
	};
	h->at = h->few;
	hold_list(vm, h);
	while (h->n > h->room) {
		hold_free(vm, h);
		h->room = h->n;
		h->at = gmem__alloc(&vm->ctx, h->n * sizeof(*h->at));
		if (!h->at)
			return gmem__fail_call(err, -ENOMEM,
					       "allocating the list of ranges");
		hold_list(vm, h);
	}
	r = gmem__ticket_take(vm, &h->ticket, h->at, h->n, false, NULL, err);
	if (r < 0)
		hold_free(vm, h);
	return r;
}

void gmem__hold_return(struct gmem_vm *vm, struct gmem__hold *h)
{
	gmem__ticket_return(vm, &h->ticket);
	hold_free(vm, h);
}

/* The same range of the same file at the same guest addresses. */
static bool same_place(const struct gmem__slot *k, const struct gmem_slot *s)
{
	return k->s.gmem == s->gmem &&
	       k->s.gpa - k->s.offset == s->gpa - s->offset;
}

/* The first that @s takes over in the range. */
static const struct gmem__slot *takes(struct gmem_vm *vm,
				      const struct gmem_slot *s, uint64_t pos)
{
	uint64_t gpa = s->gpa + pos, end = s->gpa + s->len;
	const struct gmem__slot *k = NULL;

	while (gpa < end && (k = gmem__kept_at(vm, gpa, end - gpa)) != NULL &&
	       !same_place(k, s))
		gpa = k->s.gpa + k->s.len;
	return gpa < end ? k : NULL;
}

uint64_t gmem__kept_untaken(struct gmem_vm *vm, const struct gmem_slot *s,
			    bool take, uint64_t pos, uint64_t *len)
{
	const struct gmem__slot *k = NULL;

	gmem__lock(&vm->lock);
	while (pos < s->len && take && (k = takes(vm, s, pos)) != NULL &&
	       k->s.gpa <= s->gpa + pos)
		pos = k->s.gpa + k->s.len - s->gpa;
	if (pos > s->len)
		pos = s->len;
	*len = s->len - pos;
	if (k && *len)
		*len = before(s->gpa + pos, *len, k->s.gpa);
	gmem__unlock(&vm->lock);
	return pos;
}

/* Of @k: what is in [@gpa, @end) ends, and its record with it. */
static void end_part(struct gmem_vm *vm, const struct gmem__slot *k,
		     uint64_t gpa, uint64_t end)
{
	if (gpa < k->s.gpa)
		gpa = k->s.gpa;
	if (end > k->s.gpa + k->s.len)
		end = k->s.gpa + k->s.len;
	gmem__slot_record(vm, &k->s, gpa - k->s.gpa, end - gpa, GMEM__UNSET);
	gmem__left_remove(vm, GMEM__LEFT_KEPT, gpa, end);
}

void gmem__kept_others(struct gmem_vm *vm, const struct gmem_slot *s, bool take)
{
	uint64_t pos = s->gpa, end = s->gpa + s->len, next;
	struct gmem__slot *k;

	gmem__lock(&vm->lock);
	while (pos < end && (k = gmem__kept_at(vm, pos, end - pos)) != NULL) {
		next = k->s.gpa + k->s.len;
		if (!take || !same_place(k, s))
			end_part(vm, k, pos, end);
		pos = next;
	}
	pos = s->offset;
	end = s->offset + s->len;
	/* Elsewhere: the states of the new slot are the record's now. */
	while (gmem__by_gpa(vm, s) && pos < end &&
	       (k = kept_of(vm, s->gmem, pos, end - pos)) != NULL) {
		next = k->s.offset + k->s.len;
		/* Before what is kept there may be no guest addresses. */
		if (pos < k->s.offset)
			pos = k->s.offset;
		if (!same_place(k, s))
			gmem__left_disown(vm, k, k->s.gpa + (pos - k->s.offset),
					  k->s.gpa + (end - k->s.offset));
		pos = next;
	}
	gmem__unlock(&vm->lock);
}

void gmem__kept_taken(struct gmem_vm *vm, const struct gmem_slot *s)
{
	uint64_t end = s->gpa + s->len;

	gmem__lock(&vm->lock);
	gmem__left_remove(vm, GMEM__LEFT_OWED, s->gpa, end);
	gmem__left_remove(vm, GMEM__LEFT_UNKNOWN, s->gpa, end);
	gmem__left_remove(vm, GMEM__LEFT_KEPT, s->gpa, end);
	gmem__unlock(&vm->lock);
}

void gmem__kept_settle(struct gmem_vm *vm, const struct gmem_slot *s, bool take,
		       enum gmem__state state)
{
	uint64_t pos = 0, n;

	gmem__kept_others(vm, s, take);
	for (; (pos = gmem__kept_untaken(vm, s, take, pos, &n)) < s->len;
	     pos += n)
		gmem__slot_record(vm, s, pos, n, state);
	gmem__kept_taken(vm, s);
}

bool gmem__kept_meets(struct gmem_vm *vm, const struct gmem_slot *s)
{
	bool meets;

	gmem__lock(&vm->lock);
	meets = gmem__kept_at(vm, s->gpa, s->len) ||
		(s->gmem && kept_of(vm, s->gmem, s->offset, s->len));
	gmem__unlock(&vm->lock);
	return meets;
}

void gmem__kept_unset(struct gmem_vm *vm, const struct gmem_slot *s)
{
	const struct gmem__slot *k;
	uint64_t pos = 0, n;

	for (; s->gmem && pos < s->len; pos += n) {
		k = kept_of(vm, s->gmem, s->offset + pos, s->len - pos);
		n = s->len - pos;
		if (k && k->s.offset <= s->offset + pos) {
			n = k->s.offset + k->s.len - (s->offset + pos);
			continue;
		}
		if (k)
			n = k->s.offset - (s->offset + pos);
		gmem__slot_record(vm, s, pos, n, GMEM__UNSET);
	}
}

int gmem__kept_reset(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t end = gpa + len, n, next;
	const struct gmem__slot *k;
	int r = 0;

	for (; r == 0 && gpa < end; gpa = next) {
		gmem__lock(&vm->lock);
		k = gmem__kept_at(vm, gpa, end - gpa);
		next = k ? k->s.gpa + k->s.len : end;
		n = k && k->s.gpa <= gpa ? 0 : k ? k->s.gpa - gpa : end - gpa;
		gmem__unlock(&vm->lock);
		if (n)
			r = gmem__gpa_reset(vm, gpa, n);
	}
	return r;
}

int gmem__kept_set(struct gmem_vm *vm, const struct gmem *g, uint64_t offset,
		   uint64_t gpa, uint64_t len, uint64_t *done)
{
	uint64_t pos = 0, run;
	enum gmem__state state;
	int r = 0;

	for (; r == 0 && pos < len; pos += run) {
		state = gmem__record_run(&g->record, offset + pos, len - pos,
					 &run);
		r = gmem__gpa_attributes(vm, gpa + pos, run,
					 state == GMEM__PRIVATE
						 ? GMEM_ATTRIBUTE_PRIVATE
						 : GMEM_ATTRIBUTE_SHARED,
					 &run);
	}
	*done = pos;
	return r;
}

/* The next that is kept in [@pos, @end), cut to that: a copy. */
static bool next_kept(struct gmem_vm *vm, uint64_t pos, uint64_t end,
		      struct gmem_slot *out)
{
	const struct gmem__slot *k;

	gmem__lock(&vm->lock);
	k = pos < end ? gmem__kept_at(vm, pos, end - pos) : NULL;
	if (k) {
		*out = k->s;
		if (out->gpa < pos) {
			out->offset += pos - out->gpa;
			out->len -= pos - out->gpa;
			out->gpa = pos;
		}
		out->len = before(out->gpa, out->len, end);
	}
	gmem__unlock(&vm->lock);
	return k != NULL;
}

void gmem__kept_restore(struct gmem_vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t end = gpa + len, done;
	struct gmem_slot part;
	struct gmem__slot *k;

	for (; next_kept(vm, gpa, end, &part); gpa = part.gpa + part.len) {
		if (gmem__kept_set(vm, part.gmem, part.offset, part.gpa,
				   part.len, &done) == 0)
			continue;
		gmem__lock(&vm->lock);
		k = gmem__kept_at(vm, part.gpa, part.len);
		gmem__slot_record(vm, &part, 0, part.len, GMEM__UNSET);
		gmem__left_disown(vm, k, part.gpa, part.gpa + part.len);
		gmem__unlock(&vm->lock);
	}
}

void gmem__kept_close(struct gmem *g)
{
	struct gmem__slot *k;

	gmem__lock(&g->vm->lock);
	while ((k = kept_of(g->vm, g, 0, g->size)) != NULL) {
		gmem__slot_record(g->vm, &k->s, 0, k->s.len, GMEM__UNSET);
		gmem__left_disown(g->vm, k, k->s.gpa, k->s.gpa + k->s.len);
	}
	gmem__unlock(&g->vm->lock);
}
