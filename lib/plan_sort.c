// SPDX-License-Identifier: MIT
/* The ranges of a conversion, in order and joined. */
#include "plan.h"

static void swap(struct gmem__plan_range *a, struct gmem__plan_range *b)
{
	struct gmem__plan_range c = *a;

	*a = *b;
	*b = c;
}

static void sift(struct gmem__plan_range *r, unsigned int i, unsigned int n)
{
	for (;;) {
		unsigned int child = 2 * i + 1;

		if (child >= n)
			return;
		if (child + 1 < n && r[child + 1].start > r[child].start)
			child++;
		if (r[i].start >= r[child].start)
			return;
		swap(&r[i], &r[child]);
		i = child;
	}
}

/* A heap: qsort(3) may allocate. */
unsigned int gmem__plan_sort(struct gmem__plan_range *r, unsigned int n)
{
	unsigned int out = 0;

	for (unsigned int i = n / 2; i-- > 0;)
		sift(r, i, n);
	for (unsigned int i = n; i-- > 1;) {
		swap(&r[0], &r[i]);
		sift(r, 0, i);
	}
	for (unsigned int i = 0; i < n; i++) {
		if (out && r[i].start <= r[out - 1].end) {
			if (r[i].end > r[out - 1].end)
				r[out - 1].end = r[i].end;
		} else {
			r[out++] = r[i];
		}
	}
	return out;
}
