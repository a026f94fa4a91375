// SPDX-License-Identifier: MIT
/* A map from byte ranges to numbers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* The first range that ends after @at. */
static size_t first_after(const struct ranges *m, uint64_t at)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->r[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint64_t model__ranges_get(const struct ranges *m, uint64_t at, uint64_t *end)
{
	size_t i = first_after(m, at);
	bool inside = i < m->n && m->r[i].start <= at;

	if (end && inside)
		*end = m->r[i].end;
	else if (end)
		*end = i < m->n ? m->r[i].start : UINT64_MAX;
	return inside ? m->r[i].value : 0;
}

static int reserve(struct ranges *m, size_t n)
{
	struct range *r;

	if (n <= m->room)
		return 0;
	r = realloc(m->r, 2 * n * sizeof(*r));
	if (!r)
		return -ENOMEM;
	m->r = r;
	m->room = 2 * n;
	return 0;
}

int model__ranges_reserve(struct ranges *m)
{
	return reserve(m, m->n + 2);
}

/* Appends to @out, of @n, unless it is empty or extends the last one. */
static size_t append(struct range *out, size_t n, struct range r)
{
	if (r.start >= r.end || r.value == 0)
		return n;
	if (n && out[n - 1].end == r.start && out[n - 1].value == r.value) {
		out[n - 1].end = r.end;
		return n;
	}
	out[n] = r;
	return n + 1;
}

int model__ranges_set(struct ranges *m, uint64_t start, uint64_t end,
		      uint64_t value)
{
	struct range fresh[5];
	size_t i, j, n = 0;

	if (reserve(m, m->n + 2) < 0)
		return -ENOMEM;
	/* [i, j) touch the new range; a neighbour may grow into one with it. */
	i = first_after(m, start);
	if (i && m->r[i - 1].end == start)
		i--;
	for (j = i; j < m->n && m->r[j].start <= end; j++)
		;
	/* What is left of the first and the last of them, if anything. */
	if (i < j) {
		struct range left = m->r[i];

		left.end = left.end < start ? left.end : start;
		n = append(fresh, n, left);
	}
	n = append(fresh, n, (struct range){ start, end, value });
	if (i < j) {
		struct range right = m->r[j - 1];

		right.start = right.start > end ? right.start : end;
		n = append(fresh, n, right);
	}
	memmove(m->r + i + n, m->r + j, (m->n - j) * sizeof(*m->r));
	memcpy(m->r + i, fresh, n * sizeof(*m->r));
	m->n = m->n - (j - i) + n;
	return 0;
}

int model__ranges_copy(struct ranges *to, const struct ranges *from)
{
	to->r = malloc((from->n + 1) * sizeof(*to->r));
	if (!to->r)
		return -ENOMEM;
	if (from->n)
		memcpy(to->r, from->r, from->n * sizeof(*to->r));
	to->n = from->n;
	to->room = from->n + 1;
	return 0;
}

void model__ranges_free(struct ranges *m)
{
	free(m->r);
	memset(m, 0, sizeof(*m));
}
