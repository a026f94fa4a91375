// SPDX-License-Identifier: MIT
/*
 * Tells a vCPU that faults forever from one that has bad luck.  Pure code.
 *
 * A fault may come again for good reasons: another vCPU converted the page
 * back, or its slot was gone for a moment.  Each of them changes the sequence
 * number, or is under way.  Without them KVM has what the record says from the
 * first look to the second, and yet it faults: only a probe can help then.
 */
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "exit.h"
#include "opts.h"

#define GUARD_V0 56
#define SEEN_V0 24
#define ANSWER_V0 16

_Static_assert(sizeof(struct gmem_guard) == GUARD_V0, "ABI");
_Static_assert(sizeof(struct gmem_seen) == SEEN_V0, "ABI");
_Static_assert(sizeof(struct gmem_answer) == ANSWER_V0, "ABI");

/* gmem_guard.flags. */
#define ARMED (1U << 0)	 /* the fault came while it had what it wanted */
#define PROBED (1U << 1) /* and a probe was made, whose effect is unseen */

static void forget(struct gmem_guard *g)
{
	*g = (struct gmem_guard){ .sz = g->sz };
}

static bool again(const struct gmem_guard *g, const struct gmem_exit *e)
{
	return g->gpa == e->gpa && g->len == e->len &&
	       g->attributes == e->attributes;
}

static void remember(struct gmem_guard *g, const struct gmem_exit *e,
		     const struct gmem_seen *s)
{
	g->gpa = e->gpa;
	g->len = e->len;
	g->attributes = e->attributes;
	g->sequence = s->sequence;
	g->flags = s->flags & GMEM_SEEN_WANTED ? ARMED : 0;
}

static uint32_t fault(struct gmem_guard *g, const struct gmem_exit *e,
		      const struct gmem_seen *s)
{
	bool stuck;

	if (s->flags & GMEM_SEEN_BUSY) {
		forget(g);
		return GMEM_ANSWER_RETRY;
	}
	if (!again(g, e))
		forget(g);
	/* A step after a probe is for the same exit: not one more. */
	else if (s->probe == GMEM_PROBE_NONE)
		g->repeats++;
	stuck = g->flags & ARMED && s->flags & GMEM_SEEN_WANTED &&
		g->sequence == s->sequence;
	if (!stuck || s->probe == GMEM_PROBE_CHANGED) {
		remember(g, e, s);
		return GMEM_ANSWER_RESUME;
	}
	if (s->probe == GMEM_PROBE_NOTHING || g->flags & PROBED)
		return GMEM_ANSWER_FATAL;
	if (s->probe == GMEM_PROBE_NONE)
		return GMEM_ANSWER_PROBE;
	g->flags |= PROBED;
	return GMEM_ANSWER_RESUME;
}

static struct gmem_answer answer(uint32_t kind, uint32_t reason)
{
	return (struct gmem_answer){
		.sz = sizeof(struct gmem_answer),
		.kind = kind,
		.reason = reason,
	};
}

struct gmem_answer gmem__guard_step(struct gmem_guard *guard,
				    const struct gmem_exit *exit,
				    const struct gmem_seen *seen)
{
	uint32_t kind;

	switch (exit->kind) {
	case GMEM_EXIT_MEMORY_FAULT:
		kind = fault(guard, exit, seen);
		return answer(kind, kind == GMEM_ANSWER_FATAL
					    ? GMEM_REASON_NO_PROGRESS
					    : GMEM_REASON_NONE);
	case GMEM_EXIT_MAP_GPA_RANGE:
		return answer(seen->flags & GMEM_SEEN_BUSY ? GMEM_ANSWER_RETRY
							   : GMEM_ANSWER_RESUME,
			      GMEM_REASON_NONE);
	case GMEM_EXIT_MALFORMED:
		return answer(GMEM_ANSWER_REFUSE, exit->reason);
	case GMEM_EXIT_POISON:
		return answer(GMEM_ANSWER_FATAL, GMEM_REASON_POISONED);
	case GMEM_EXIT_UNREACHABLE:
		return answer(GMEM_ANSWER_FATAL, GMEM_REASON_UNREACHABLE);
	default:
		/* A fault that cannot be read comes again always. */
		return answer(exit->reason ? GMEM_ANSWER_FATAL
					   : GMEM_ANSWER_RESUME,
			      exit->reason);
	}
}

static int check_seen(const struct gmem_seen *s, struct gmem_error *err)
{
	int r = gmem__flags_check(s->flags, GMEM_SEEN_WANTED | GMEM_SEEN_BUSY,
				  "gmem_seen.flags", err);

	if (r < 0 || s->probe <= GMEM_PROBE_UNSEEN)
		return r;
	return gmem__fail(err, GMEM_REASON_VALUE_UNKNOWN, s->probe,
			  GMEM_PROBE_UNSEEN,
			  "%" PRIu32 " is no result of a probe", s->probe);
}

int gmem_guard_step(struct gmem_guard *guard, const struct gmem_exit *exit,
		    const struct gmem_seen *seen, struct gmem_answer *out,
		    struct gmem_error *err)
{
	struct gmem_guard g;
	struct gmem_exit e = { 0 };
	struct gmem_seen s;
	struct gmem_answer a;
	int r = gmem__begin(err);

	if (r < 0 ||
	    (r = gmem__exit_take(guard, &g, GUARD_V0, "gmem_guard", err)) < 0 ||
	    (r = gmem__exit_take(exit, &e, sizeof(e), "gmem_exit", err)) < 0 ||
	    (r = gmem__exit_take(seen, &s, SEEN_V0, "gmem_seen", err)) < 0 ||
	    (r = gmem__out_check(out, ANSWER_V0, "gmem_answer", err)) < 0 ||
	    (r = gmem__exit_kind_check(&e, err)) < 0 ||
	    (r = check_seen(&s, err)) < 0)
		return r;
	a = gmem__guard_step(&g, &e, &s);
	gmem__out_copy(guard, &g, GUARD_V0);
	gmem__out_copy(out, &a, ANSWER_V0);
	return 0;
}
