// SPDX-License-Identifier: MIT
/*
 * A listener holds each granule of which all pages are shared.  So what it gets
 * or loses with a run follows from the record: the pieces, within the granules
 * that the run touches, that are wholly shared before a run becomes private or
 * after it became shared.
 */
#include "plan.h"

enum phase {
	RESERVE, /* zero: where a plan begins */
	RUN,	 /* look for the next one */
	REVOKE,
	CONVERT,
	RECORD,
	GRANT,
	DISCARD,
	TOLD,
	UNGRANT,   /* those that got the run lose it again */
	UNCONVERT, /* the kernel is set back */
	CORRECT,   /* the record follows what setting back came to */
	REGRANT,   /* who lost the run gets what of it is shared */
	END,
};

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t down(uint64_t a, uint64_t granule)
{
	return a - a % granule;
}

/* No overflow: a granule divides the size. */
static uint64_t up(uint64_t a, uint64_t granule)
{
	return down(a + (granule - 1), granule);
}

static enum gmem__state other(enum gmem__state s)
{
	return s == GMEM__PRIVATE ? GMEM__SHARED : GMEM__PRIVATE;
}

static const struct gmem__plan_listener *shape(const struct gmem__plan *p)
{
	return &p->listener[p->l];
}

static uint64_t window_start(const struct gmem__plan *p)
{
	return down(p->start, shape(p)->granule);
}

static uint64_t window_end(const struct gmem__plan *p)
{
	return up(p->end, shape(p)->granule);
}

/* Sets the phase, at listener @l and the start of its window. */
static void begin_phase(struct gmem__plan *p, enum phase phase, unsigned int l)
{
	p->phase = phase;
	p->l = l;
	if (l < p->listeners) {
		p->pos = window_start(p);
		p->limit = window_end(p);
	}
}

static bool emit(struct gmem__plan *p, struct gmem__step *s,
		 enum gmem__step_kind kind, uint64_t start, uint64_t end,
		 enum gmem__state state)
{
	*s = (struct gmem__step){
		.kind = kind,
		.state = state,
		.listener = p->l,
		.start = start,
		.end = end,
		.undo = p->phase >= UNGRANT,
	};
	p->last = *s;
	return true;
}

/*
 * The first piece from p->pos on, below p->limit, that listener p->l holds or
 * may hold: a granule, or with @merge as many as there are.
 */
static bool next_piece(const struct gmem__plan *p, bool merge, uint64_t *start,
		       uint64_t *end)
{
	uint64_t granule = shape(p)->granule, pos = p->pos, run;

	while (pos < p->limit) {
		if (p->view(p->arg, pos, p->limit - pos, &run) !=
		    GMEM__SHARED) {
			pos = up(pos + run, granule);
			continue;
		}
		if (run < granule) {
			pos += granule;
			continue;
		}
		*start = pos;
		*end = pos + (merge ? down(run, granule) : granule);
		return true;
	}
	return false;
}

static bool revoke(struct gmem__plan *p, struct gmem__step *s)
{
	bool merge = !shape(p)->fixed || shape(p)->merge_revoke;
	uint64_t start, end;

	return next_piece(p, merge, &start, &end) &&
	       emit(p, s, GMEM__STEP_REVOKE, start, end, GMEM__PRIVATE);
}

static bool grant(struct gmem__plan *p, struct gmem__step *s)
{
	uint64_t start, end;

	return next_piece(p, !shape(p)->fixed, &start, &end) &&
	       emit(p, s, GMEM__STEP_GRANT, start, end, GMEM__SHARED);
}

/* ------------------------------------------------------------ forward -- */

/* Whether all of the granule at @pos is shared once the plan has ended. */
static bool will_be_shared(const struct gmem__plan *p, uint64_t pos,
			   uint64_t end, size_t range)
{
	uint64_t run;

	while (pos < end) {
		while (range < p->ranges &&
		       gmem__range_end(&p->range[range]) <= pos)
			range++;
		if (range < p->ranges && p->range[range].offset <= pos) {
			pos = gmem__range_end(&p->range[range]);
			continue;
		}
		run = end;
		if (range < p->ranges)
			run = min(end, p->range[range].offset);
		if (p->view(p->arg, pos, run - pos, &run) != GMEM__SHARED)
			return false;
		pos += run;
	}
	return true;
}

/* How many grants more listener p->l can have on the way, at most. */
static uint64_t entries(const struct gmem__plan *p)
{
	const struct gmem__plan_listener *l = shape(p);
	uint64_t counted = 0, n = 0, run, end;
	size_t first = 0;

	for (size_t i = 0; i < p->ranges; i++) {
		uint64_t pos = p->range[i].offset;

		for (; pos < gmem__range_end(&p->range[i]); pos += run) {
			if (p->view(p->arg, pos,
				    gmem__range_end(&p->range[i]) - pos,
				    &run) == p->to)
				continue;
			/* What is split, or a piece that joins none. */
			n += l->fixed ? 0 : 1;
			if (!l->fixed || p->to == GMEM__PRIVATE)
				continue;
			end = up(pos + run, l->granule);
			if (counted < down(pos, l->granule))
				counted = down(pos, l->granule);
			/* Less than @end, it is in this range or before. */
			for (; counted < end; counted += l->granule) {
				while (gmem__range_end(&p->range[first]) <=
				       counted)
					first++;
				n += will_be_shared(p, counted,
						    counted + l->granule,
						    first);
			}
		}
	}
	/* The last one may be split and then get its piece again. */
	return n && p->to == GMEM__PRIVATE ? n + 1 : n;
}

static bool reserve(struct gmem__plan *p, struct gmem__step *s)
{
	if (p->l == p->listeners) {
		begin_phase(p, RUN, 0);
		return false;
	}
	(void)emit(p, s, GMEM__STEP_RESERVE, 0, 0, p->to);
	s->entries = entries(p);
	return true;
}

/* The end of the part from @pos on that is not as wanted; @pos if it is. */
static uint64_t run_end(const struct gmem__plan *p, uint64_t pos, uint64_t end)
{
	uint64_t run;

	while (pos < end && p->view(p->arg, pos, end - pos, &run) != p->to)
		pos += run;
	return pos;
}

static bool find_run(struct gmem__plan *p, struct gmem__step *s)
{
	(void)s;
	for (; p->at_range < p->ranges; p->at_range++) {
		const struct gmem_region_range *r = &p->range[p->at_range];
		uint64_t pos = p->next > r->offset ? p->next : r->offset;
		uint64_t end = gmem__range_end(r), run;

		while (pos < end &&
		       p->view(p->arg, pos, end - pos, &run) == p->to) {
			pos += run;
			p->done += run;
		}
		if (pos == end)
			continue;
		p->start = pos;
		p->end = run_end(p, pos, end);
		p->next = p->end;
		p->reached = p->start;
		p->recorded = false;
		if (p->to == GMEM__PRIVATE && p->listeners) {
			begin_phase(p, REVOKE, p->listeners - 1);
			return false;
		}
		p->phase = CONVERT;
		return false;
	}
	p->phase = END;
	return false;
}

/* The last one that was added loses it first. */
static bool revoke_all(struct gmem__plan *p, struct gmem__step *s)
{
	while (!revoke(p, s)) {
		if (p->l == 0) {
			p->phase = CONVERT;
			return false;
		}
		begin_phase(p, REVOKE, p->l - 1);
	}
	return true;
}

static bool convert(struct gmem__plan *p, struct gmem__step *s)
{
	if (p->reached == p->end) {
		p->phase = RECORD;
		return false;
	}
	return emit(p, s, GMEM__STEP_ATTRIBUTES, p->reached,
		    p->reached + min(p->chunk, p->end - p->reached), p->to);
}

static bool record(struct gmem__plan *p, struct gmem__step *s)
{
	(void)emit(p, s, GMEM__STEP_RECORD, p->start, p->end, p->to);
	p->recorded = true;
	begin_phase(p, p->to == GMEM__SHARED ? GRANT : DISCARD, 0);
	return true;
}

static bool grant_all(struct gmem__plan *p, struct gmem__step *s)
{
	for (; p->l < p->listeners; begin_phase(p, GRANT, p->l + 1))
		if (grant(p, s))
			return true;
	p->phase = DISCARD;
	return false;
}

static bool discard(struct gmem__plan *p, struct gmem__step *s)
{
	(void)emit(p, s, GMEM__STEP_DISCARD, p->start, p->end, p->to);
	begin_phase(p, TOLD, 0);
	return true;
}

static bool told(struct gmem__plan *p, struct gmem__step *s)
{
	if (p->l == p->listeners) {
		p->done += p->end - p->start;
		p->phase = RUN;
		return false;
	}
	(void)emit(p, s, GMEM__STEP_TOLD, p->start, p->end, p->to);
	p->l++;
	return true;
}

/* --------------------------------------------------------------- undo -- */

/* The last one that got it loses it first. */
static bool ungrant(struct gmem__plan *p, struct gmem__step *s)
{
	while (!revoke(p, s)) {
		if (p->l == 0) {
			p->phase = UNCONVERT;
			p->pos = p->start;
			return false;
		}
		begin_phase(p, UNGRANT, p->l - 1);
	}
	return true;
}

static bool unconvert(struct gmem__plan *p, struct gmem__step *s)
{
	if (p->pos == p->reached) {
		begin_phase(p, REGRANT, 0);
		return false;
	}
	return emit(p, s, GMEM__STEP_ATTRIBUTES, p->pos,
		    p->pos + min(p->chunk, p->reached - p->pos), other(p->to));
}

/* What the record does not say yet: what was set back, or what was not. */
static bool correct(struct gmem__plan *p, struct gmem__step *s)
{
	uint64_t start = p->correct.start;

	p->correct.start = p->correct.end;
	if (start < p->correct.end)
		return emit(p, s, GMEM__STEP_RECORD, start, p->correct.end,
			    p->recorded ? other(p->to) : p->to);
	p->phase = UNCONVERT;
	return false;
}

static bool regrant(struct gmem__plan *p, struct gmem__step *s)
{
	for (; p->l < p->listeners; begin_phase(p, REGRANT, p->l + 1))
		if (grant(p, s))
			return true;
	p->phase = END;
	return false;
}

static bool end(struct gmem__plan *p, struct gmem__step *s)
{
	(void)p;
	(void)s;
	return false;
}

bool gmem__plan_next(struct gmem__plan *p, struct gmem__step *step)
{
	static bool (*const next[])(struct gmem__plan *,
				    struct gmem__step *) = {
		[RESERVE] = reserve,   [RUN] = find_run,
		[REVOKE] = revoke_all, [CONVERT] = convert,
		[RECORD] = record,     [GRANT] = grant_all,
		[DISCARD] = discard,   [TOLD] = told,
		[UNGRANT] = ungrant,   [UNCONVERT] = unconvert,
		[CORRECT] = correct,   [REGRANT] = regrant,
		[END] = end,
	};

	while (p->phase != END)
		if (next[p->phase](p, step))
			return true;
	return false;
}

/* ------------------------------------------------------------ results -- */

static void fail(struct gmem__plan *p, int r)
{
	if (p->error == 0)
		p->error = r;
}

/* Of the listeners from p->l on, those that lost pieces get them again. */
static void undo_revoke(struct gmem__plan *p)
{
	p->phase = REGRANT;
	p->limit = p->pos;
	p->pos = window_start(p);
}

static void undo_grant(struct gmem__plan *p)
{
	p->phase = UNGRANT;
	p->limit = p->pos;
	p->pos = window_start(p);
}

static void converted(struct gmem__plan *p, int r, uint64_t done)
{
	p->reached = r < 0 ? p->last.start + done : p->last.end;
	if (r == 0)
		return;
	p->phase = UNCONVERT;
	p->pos = p->start;
}

/* Part of a chunk was set back; the rest stays what the plan made of it. */
static void unconverted(struct gmem__plan *p, int r, uint64_t done)
{
	uint64_t back = r < 0 ? p->last.start + done : p->last.end;

	p->changed += p->last.end - back;
	p->correct.start = p->recorded ? p->last.start : back;
	p->correct.end = p->recorded ? back : p->last.end;
	p->pos = p->last.end;
	p->phase = CORRECT;
}

void gmem__plan_result(struct gmem__plan *p, int r, uint64_t done)
{
	if (p->last.kind > GMEM__STEP_ATTRIBUTES)
		return;
	if (r < 0)
		fail(p, r);
	switch (p->phase) {
	case RESERVE:
		p->l++;
		if (r < 0)
			p->phase = END;
		break;
	case REVOKE:
	case GRANT:
		p->pos = p->last.start;
		if (r == 0)
			p->pos = p->last.end;
		else if (p->phase == REVOKE)
			undo_revoke(p);
		else
			undo_grant(p);
		break;
	case CONVERT:
		converted(p, r, done);
		break;
	case UNCONVERT:
		unconverted(p, r, done);
		break;
	case UNGRANT:
	case REGRANT:
		p->pos = p->last.end;
		p->poisoned = p->poisoned || r < 0;
		break;
	default:
		break;
	}
}
