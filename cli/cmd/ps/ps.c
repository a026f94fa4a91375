// SPDX-License-Identifier: MIT
/* Every guest_memfd on the machine that can be seen. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "cmd/ps/table.h"
#include "report/output.h"
#include "table/array.h"
#include "table/command.h"
#include "target/priv.h"

#define BUDGET_MS 2000

struct args {
	const char *columns, *sort;
	struct opt_u32 budget, pid;
	bool bytes, no_headings, nodes, holders, total;
};

#define AT(member) offsetof(struct args, member)

static struct args args;

static const struct opt opts[] = {
	{ "output", "COL,...", OPT_TEXT, AT(columns), .letter = 'o',
	  .help = "print these columns: dev, inode, size, resident, freed, "
		  "nodes, cgnodes, known, vm, mapped, pid, hold, user, "
		  "cgroup, command, args" },
	{ "bytes", NULL, OPT_BOOL, AT(bytes), .letter = 'b',
	  .help = "print sizes in bytes, without units" },
	{ "noheadings", NULL, OPT_BOOL, AT(no_headings), .letter = 'n',
	  .help = "print no line of headings" },
	{ "nodes", NULL, OPT_BOOL, AT(nodes),
	  .help = "also show on which NUMA nodes the memory is" },
	{ "holders", NULL, OPT_BOOL, AT(holders),
	  .help = "print a line for each holder of a file" },
	{ "pid", "PID", OPT_U32, AT(pid), .letter = 'p', .min = 1,
	  .max = INT32_MAX, .help = "show only what this process holds" },
	{ "sort", "COL", OPT_TEXT, AT(sort),
	  .help = "sort by this column; -COL: the largest first" },
	{ "total", NULL, OPT_BOOL, AT(total), .letter = 't',
	  .help = "print a last line with the sums" },
	{ "budget", "MS", OPT_U32, AT(budget),
	  .help = "how many milliseconds it may take (2000)" },
	{ .name = NULL },
};

/* --------------------------------------------------------------- table -- */

#define DEFAULT_COLUMNS "inode,size,resident,vm,pid,hold,command"
#define NODES_COLUMNS "inode,size,resident,nodes,cgnodes,vm,pid,hold,command"

static int read_column(struct ctl *ctl, const char *option, const char *name,
		       size_t len, const struct column **out)
{
	char list[200];

	*out = column_named(name, len);
	if (*out)
		return 0;
	column_names(list, sizeof(list));
	return usage_error(ctl, "--%s: '%.*s' is not one of %s", option,
			   (int)len, name, list);
}

static int read_columns(struct ctl *ctl, const char *list, struct table *t)
{
	size_t len;
	int status;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (t->n == TABLE_COLUMNS)
			return usage_error(ctl,
					   "--output: more than %d columns",
					   TABLE_COLUMNS);
		status =
			read_column(ctl, "output", list, len, &t->column[t->n]);
		if (status)
			return status;
		if (t->n++ && !strcmp(t->column[t->n - 2]->name, "args"))
			return usage_error(ctl, "--output: args has blanks: it "
						"must be the last column");
		if (!list[len])
			return 0;
	}
}

static int read_table(struct ctl *ctl, struct args *a, struct table *t)
{
	const char *sort = a->sort;
	int status;

	if (!a->columns)
		a->columns = a->nodes ? NODES_COLUMNS : DEFAULT_COLUMNS;
	status = read_columns(ctl, a->columns, t);
	if (status || !sort)
		return status;
	t->descending = *sort == '-';
	sort += t->descending;
	return read_column(ctl, "sort", sort, strlen(sort), &t->sort);
}

/* ------------------------------------------------------ what is unknown -- */

struct gap {
	const struct mem *m;
	const char *text;
	size_t number;
};

static int compare_gaps(const void *x, const void *y)
{
	const struct gap *a = x, *b = y;
	int r = strcmp(a->text, b->text);

	if (r)
		return r;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* A line for each cause, however many files have it. */
static void tell_gaps(struct ctl *ctl, const char *what, struct gap *gaps,
		      size_t n)
{
	size_t same;

	if (n)
		qsort(gaps, n, sizeof(*gaps), compare_gaps);
	for (size_t i = 0; i < n; i += same) {
		for (same = 1; i + same < n; same++)
			if (strcmp(gaps[i].text, gaps[i + same].text) != 0)
				break;
		if (same == 1)
			message(ctl, "inode %" PRIu64 ": %s: %s",
				(uint64_t)gaps[i].m->ino, what, gaps[i].text);
		else
			message(ctl,
				"%zu files, first inode %" PRIu64 ": %s: %s",
				same, (uint64_t)gaps[i].m->ino, what,
				gaps[i].text);
	}
}

/* What the table leaves out. */
static int tell_unknown(struct ctl *ctl, const struct scan *s,
			const struct table *t)
{
	size_t n = 0, residents = 0, nodes = 0;
	struct gap *gaps;

	for (const struct mem *m = s->files; m; m = m->next)
		n++;
	gaps = calloc(n + 1, 2 * sizeof(*gaps));
	if (!gaps)
		return system_error(ctl, ENOMEM, "listing what is not known");
	for (const struct mem *m = s->files; m; m = m->next) {
		if (!file_listed(s, m))
			continue;
		if (table_shows(t, "resident") && m->no_resident.text[0]) {
			gaps[residents] = (struct gap){ m, m->no_resident.text,
							residents };
			residents++;
		}
		if (table_shows(t, "nodes") && m->no_nodes.text[0]) {
			gaps[n + nodes] =
				(struct gap){ m, m->no_nodes.text, nodes };
			nodes++;
		}
	}
	tell_gaps(ctl, "resident", gaps, residents);
	tell_gaps(ctl, "nodes", gaps + n, nodes);
	free(gaps);
	return 0;
}

const char *hidden_text(const struct scan *s, enum hidden_why why)
{
	switch (why) {
	case HIDDEN_NAME_ONLY:
		return "it maps what has the name of a guest_memfd, which "
		       "anybody can give; to verify it cap_checkpoint_restore "
		       "is needed";
	case HIDDEN_STUCK:
		return "looking into it never ended";
	default:
		return s->denied;
	}
}

static void tell_hidden(struct ctl *ctl, const struct scan *s,
			enum hidden_why why)
{
	const struct hidden *first = NULL;
	size_t n = 0;

	for (const struct hidden *h = s->hidden; h; h = h->next) {
		if (h->why != why)
			continue;
		first = first ? first : h;
		n++;
	}
	if (n)
		message(ctl,
			"%zu of %zu processes could not be looked into, first "
			"%d (%s): %s",
			n, s->processes, (int)first->pid, first->command,
			hidden_text(s, why));
}

static void tell_unseen(struct ctl *ctl, const struct scan *s,
			const struct args *a)
{
	for (enum hidden_why why = 0; why < HIDDEN_WHYS; why++)
		tell_hidden(ctl, s, why);
	if (s->proc_hides)
		message(ctl, "/proc is mounted so that it hides processes of "
			     "other users (hidepid): run gmemctl as root");
	if (s->late_n)
		message(ctl,
			"%zu processes were not reached in the %" PRIu32
			" ms of --budget: raise it",
			s->late_n, a->budget.value);
}

/* -------------------------------------------------------------- command -- */

static bool is_complete(const struct scan *s)
{
	bool complete = !s->hidden && !s->late_n && !s->proc_hides;

	for (const struct mem *m = s->files; m; m = m->next)
		complete &= !m->no_size.partial && !m->no_resident.partial &&
			    !m->no_nodes.partial;
	return complete;
}

/* Rights are needed to look, and none to tell. */
static int look(struct ctl *ctl, struct scan *s)
{
	static const int sight[] = {
		CAP_SYS_PTRACE,
		CAP_DAC_READ_SEARCH,
		CAP_CHECKPOINT_RESTORE,
	};
	int r, status = 0;

	/* Without this one, the others of root show more than it alone. */
	if (priv_has(CAP_SYS_PTRACE))
		status = priv_only(ctl, sight, ARRAY_SIZE(sight));
	if (status)
		return status;
	clock_gettime(CLOCK_MONOTONIC, &s->start);
	r = scan_processes(s);
	if (r == -ENODEV)
		return refused_by(ctl, ENODEV, "mount /proc",
				  "there is no procfs at /proc");
	if (r < 0)
		return system_error(ctl, -r, "/proc");
	scan_files(s);
	return priv_drop(ctl);
}

/* Of what was found. */
static int report(struct ctl *ctl, struct scan *s, const struct table *t)
{
	const struct args *a = &args;
	bool complete = is_complete(s);
	int status = 0;

	if (a->pid.given && !s->pid_seen && !s->late_n)
		return system_error(ctl, ESRCH, "process %d", (int)s->pid);
	if (ctl->json) {
		ps_json(ctl, s, a->budget.value, complete);
	} else {
		if (table_print(s, t) < 0)
			return system_error(ctl, ENOMEM, "printing the table");
		if (a->total)
			total_print(s, a->bytes);
		status = tell_unknown(ctl, s, t);
	}
	tell_unseen(ctl, s, a);
	if (status)
		return status;
	return complete ? CTL_OK : CTL_CHECK;
}

static int run(struct ctl *ctl)
{
	struct args *a = &args;
	struct scan s = { .files = NULL };
	struct table t = {
		.bytes = a->bytes,
		.no_headings = a->no_headings,
		.holders = a->holders,
	};
	int status;

	if (!a->budget.given)
		a->budget.value = BUDGET_MS;
	if (ctl->json && (a->columns || a->bytes || a->no_headings || a->sort ||
			  a->holders || a->total))
		return usage_error(ctl,
				   "--json has all of it: it goes with none of "
				   "-o, -b, -n, -t, --holders, --sort");
	status = read_table(ctl, a, &t);
	if (status)
		return status;
	a->nodes |= table_shows(&t, "nodes") || table_shows(&t, "known") ||
		    (t.sort && !strcmp(t.sort->name, "nodes"));
	s.nodes = a->nodes;
	s.payer = a->nodes || table_shows(&t, "cgnodes") ||
		  (t.sort && !strcmp(t.sort->name, "cgnodes"));
	s.args = ctl->json || table_shows(&t, "args") ||
		 (t.sort && !strcmp(t.sort->name, "args"));
	s.pid = (pid_t)a->pid.value;
	s.budget = a->budget.value;
	status = watch_fork(ctl, a->budget.value, &s.watch);
	if (status >= 0)
		return status;
	status = look(ctl, &s);
	if (!status)
		status = report(ctl, &s, &t);
	scan_free(&s);
	return status;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "[OPTIONS]",
	.summary = "list every guest_memfd on this machine that can be seen",
	.text = "Residency is asked of the kernel through a copy of a "
		"holder's descriptor.  '-' stands for what cannot be known; "
		"the reason is on standard error.  Exit status: 4 if there may "
		"be more than is shown.",
	.opts = opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};
