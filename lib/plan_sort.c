// SPDX-License-Identifier: MIT
/* The ranges of a conversion, in order and joined. */
#include "plan.h"

static void swap(struct gmem_region_range *a, struct gmem_region_range *b)
{
	struct gmem_region_range c = *a;

	*a = *b;
	*b = c;
}

static void sift(struct gmem_region_range *r, size_t i, size_t n)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= n)
			return;
		if (child + 1 < n && r[child + 1].offset > r[child].offset)
			child++;
		if (r[i].offset >= r[child].offset)
			return;
		swap(&r[i], &r[child]);
		i = child;
	}
}

/* A heap: qsort(3) may allocate. */
size_t gmem__plan_sort(struct gmem_region_range *r, size_t n)
{
	size_t out = 0;

	for (size_t i = n / 2; i-- > 0;)
		sift(r, i, n);
	for (size_t i = n; i-- > 1;) {
		swap(&r[0], &r[i]);
		sift(r, 0, i);
	}
	for (size_t i = 0; i < n; i++) {
		if (out && r[i].offset <= gmem__range_end(&r[out - 1])) {
			struct gmem_region_range *last = &r[out - 1];
			uint64_t end = gmem__range_end(&r[i]);

			if (end > gmem__range_end(last))
				last->len = end - last->offset;
		} else {
			r[out++] = r[i];
		}
	}
	return out;
}
