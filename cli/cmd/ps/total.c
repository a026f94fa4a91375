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

struct sum freed_of(const struct scan *s, const struct mem *m, pid_t pid)
{
	const struct holder *h = m->holders;
	struct sum freed = { .bytes = 0 };

	if (h->next || (pid && h->pid != pid))
		return freed;
	if (m->no_resident.text[0])
		freed.lower = true;
	else
		add(&freed, m->resident, m->lower_bound);
	/* Who was not looked into may hold it too. */
	freed.upper = s->hidden || s->late_n || s->proc_hides;
	return freed;
}

struct total total_of(const struct scan *s)
{
	struct total t = { .files = 0 };
	struct sum freed;

	for (const struct mem *m = s->files; m; m = m->next) {
		if (!file_listed(s, m))
			continue;
		t.files++;
		add(&t.size, m->no_size.text[0] ? 0 : m->size,
		    m->no_size.text[0]);
		add(&t.resident, m->no_resident.text[0] ? 0 : m->resident,
		    m->no_resident.text[0] || m->lower_bound);
		freed = freed_of(s, m, s->pid);
		add(&t.freed, freed.bytes, freed.lower);
		t.freed.upper |= freed.upper;
	}
	/* What it holds is not seen at all. */
	for (const struct hidden *h = s->hidden; h; h = h->next)
		if (h->pid == s->pid)
			t.size.lower = t.resident.lower = t.freed.lower =
				t.freed.upper = true;
	return t;
}

const char *sum_sign(const struct sum *s)
{
	if (s->lower && s->upper)
		return NULL;
	return s->lower ? ">=" : s->upper ? "<=" : "";
}

static void print_sum(const char *name, const struct sum *sum, bool bytes)
{
	const char *sign = sum_sign(sum);
	char text[SIZE_TEXT];

	printf(", %s %s", name, sign ? sign : "-");
	if (!sign)
		return;
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
	if (s->pid)
		print_sum("freed", &t.freed, bytes);
	putchar('\n');
}
