// SPDX-License-Identifier: MIT
/* The sums over all files that are listed, each of them once. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/ps/ps.h"
#include "report/words.h"

static void add(struct sum *sum, uint64_t value, bool lower)
{
	sum->lower |= lower;
	if (__builtin_add_overflow(sum->bytes, value, &sum->bytes)) {
		sum->bytes = UINT64_MAX;
		sum->lower = true;
	}
}

struct total total_of(const struct scan *s)
{
	struct total t = { .files = 0 };

	for (const struct mem *m = s->files; m; m = m->next) {
		if (!file_listed(s, m))
			continue;
		t.files++;
		add(&t.size, m->no_size.text[0] ? 0 : m->size,
		    m->no_size.text[0]);
		add(&t.resident, m->no_resident.text[0] ? 0 : m->resident,
		    m->no_resident.text[0] || m->lower_bound);
	}
	return t;
}

static void print_sum(const char *name, const struct sum *sum, bool bytes)
{
	char text[SIZE_TEXT];

	printf(", %s %s", name, sum->lower ? ">=" : "");
	if (bytes)
		printf("%" PRIu64, sum->bytes);
	else
		fputs(size_text(sum->bytes, text), stdout);
}

void total_print(const struct scan *s, bool bytes)
{
	struct total t = total_of(s);

	printf("total: %zu file%s", t.files, t.files == 1 ? "" : "s");
	print_sum("size", &t.size, bytes);
	print_sum("resident", &t.resident, bytes);
	putchar('\n');
}
