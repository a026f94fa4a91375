// SPDX-License-Identifier: MIT
/* Every guest_memfd on the machine that can be seen. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/sysmacros.h>

#include "cmd/ps/ps.h"
#include "report/output.h"
#include "report/words.h"
#include "table/array.h"
#include "table/command.h"
#include "target/priv.h"

#define BUDGET_MS 2000

struct args {
	const char *columns;
	struct opt_u32 budget;
	bool bytes, no_headings, nodes;
};

#define AT(member) offsetof(struct args, member)

static struct args args;

static const struct opt opts[] = {
	{ "output", "COL,...", OPT_TEXT, AT(columns), .letter = 'o',
	  .help = "these columns: dev, inode, size, resident, nodes, vm, "
		  "mapped, pid, hold, command" },
	{ "bytes", NULL, OPT_BOOL, AT(bytes), .letter = 'b',
	  .help = "sizes in bytes, without units" },
	{ "noheadings", NULL, OPT_BOOL, AT(no_headings), .letter = 'n',
	  .help = "no line of headings" },
	{ "nodes", NULL, OPT_BOOL, AT(nodes),
	  .help = "also on which NUMA nodes the memory is" },
	{ "budget", "MS", OPT_U32, AT(budget),
	  .help = "milliseconds to look around for (2000)" },
	{ .name = NULL },
};

/* -------------------------------------------------------------- columns -- */

struct cell {
	FILE *to;
	const struct mem *m;
	bool bytes; /* --bytes */
};

static void put_size(const struct cell *c, uint64_t size)
{
	char text[SIZE_TEXT];

	if (c->bytes)
		fprintf(c->to, "%" PRIu64, size);
	else
		fputs(size_text(size, text), c->to);
}

static void put_dev(const struct cell *c)
{
	fprintf(c->to, "%u:%u", major(c->m->dev), minor(c->m->dev));
}

static void put_inode(const struct cell *c)
{
	fprintf(c->to, "%" PRIu64, (uint64_t)c->m->ino);
}

static void put_file_size(const struct cell *c)
{
	if (c->m->no_size.text[0])
		fputc('-', c->to);
	else
		put_size(c, c->m->size);
}

static void put_resident(const struct cell *c)
{
	if (c->m->no_resident.text[0]) {
		fputc('-', c->to);
		return;
	}
	fputs(c->m->lower_bound ? ">=" : "", c->to);
	put_size(c, c->m->resident);
}

static void put_nodes(const struct cell *c)
{
	const char *between = "";

	for (unsigned int n = 0; c->m->nodes && n < NODES; n++) {
		if (!c->m->nodes[n])
			continue;
		fprintf(c->to, "%s%u:", between, n);
		put_size(c, c->m->nodes[n]);
		between = ",";
	}
	if (!*between)
		fputc('-', c->to);
}

/* Of the holders, what @put says, with commas between. */
static void each(const struct cell *c,
		 void (*put)(const struct cell *c, const struct holder *h))
{
	for (const struct holder *h = c->m->holders; h; h = h->next) {
		put(c, h);
		fputs(h->next ? "," : "", c->to);
	}
}

static void holder_vm(const struct cell *c, const struct holder *h)
{
	fputs(h->vm ? "yes" : "no", c->to);
}

static void holder_mapped(const struct cell *c, const struct holder *h)
{
	if (h->unmapped)
		fputc('-', c->to);
	else
		put_size(c, h->mapped);
}

static void holder_pid(const struct cell *c, const struct holder *h)
{
	fprintf(c->to, "%d", (int)h->pid);
}

uint64_t more_fds(const struct holder *h)
{
	return h->fds > HOLDER_FDS ? h->fds - HOLDER_FDS : 0;
}

static void holder_hold(const struct cell *c, const struct holder *h)
{
	for (size_t i = 0; i < h->fds && i < HOLDER_FDS; i++)
		fprintf(c->to, "%s%d", i ? "+" : "fd:", h->fd[i]);
	if (more_fds(h))
		fprintf(c->to, "+(%" PRIu64 "-more)", more_fds(h));
	fputs(h->fds ? "" : "mapping", c->to);
}

/* Nothing in it looks like the next column or the next holder. */
static void holder_command(const struct cell *c, const struct holder *h)
{
	for (const char *p = h->command; *p; p++)
		if (*p == ' ' || *p == ',')
			fprintf(c->to, "\\x%02x", (unsigned char)*p);
		else
			fputc(*p, c->to);
}

static void put_vm(const struct cell *c)
{
	each(c, holder_vm);
}

static void put_mapped(const struct cell *c)
{
	each(c, holder_mapped);
}

static void put_pid(const struct cell *c)
{
	each(c, holder_pid);
}

static void put_hold(const struct cell *c)
{
	each(c, holder_hold);
}

static void put_command(const struct cell *c)
{
	each(c, holder_command);
}

static const struct column {
	const char *name, *heading;
	void (*put)(const struct cell *c);
	bool right; /* numbers: aligned to the right */
} columns[] = {
	{ "dev", "DEV", put_dev, true },
	{ "inode", "INODE", put_inode, true },
	{ "size", "SIZE", put_file_size, true },
	{ "resident", "RESIDENT", put_resident, true },
	{ "nodes", "NODES", put_nodes, false },
	{ "vm", "VM", put_vm, false },
	{ "mapped", "MAPPED", put_mapped, false },
	{ "pid", "PID", put_pid, false },
	{ "hold", "HOLD", put_hold, false },
	{ "command", "COMMAND", put_command, false },
};

#define COLUMNS ARRAY_SIZE(columns)
#define DEFAULT_COLUMNS "inode,size,resident,vm,pid,hold,command"
#define NODES_COLUMNS "inode,size,resident,nodes,vm,pid,hold,command"

struct table {
	const struct column *column[2 * COLUMNS];
	size_t n;
};

static int bad_column(struct ctl *ctl, const char *name, size_t len)
{
	char list[128] = "";
	size_t n = 0;

	for (size_t i = 0; i < COLUMNS && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
				      i ? ", " : "", columns[i].name);
	return usage_error(ctl, "--output: '%.*s' is not one of %s", (int)len,
			   name, list);
}

static int read_columns(struct ctl *ctl, const char *list, struct table *t)
{
	size_t len, i;

	t->n = 0;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		for (i = 0; i < COLUMNS; i++)
			if (strlen(columns[i].name) == len &&
			    !strncmp(columns[i].name, list, len))
				break;
		if (i == COLUMNS)
			return bad_column(ctl, list, len);
		if (t->n == ARRAY_SIZE(t->column))
			return usage_error(ctl,
					   "--output: more than %zu columns",
					   ARRAY_SIZE(t->column));
		t->column[t->n++] = &columns[i];
		if (!list[len])
			return 0;
	}
}

static bool shown(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->column[i]->name, name))
			return true;
	return false;
}

/* The text of one cell, to be freed; NULL: no memory. */
static char *cell_text(const struct column *column, const struct mem *m,
		       bool bytes)
{
	struct cell c = { .m = m, .bytes = bytes };
	char *text = NULL;
	size_t size;

	c.to = open_memstream(&text, &size);
	if (!c.to)
		return NULL;
	column->put(&c);
	if (fclose(c.to)) {
		free(text);
		return NULL;
	}
	return text;
}

static void print_cell(const struct table *t, size_t i, const char *text,
		       size_t width)
{
	if (t->column[i]->right)
		printf("%*s", (int)width, text);
	else if (i + 1 < t->n)
		printf("%-*s", (int)width, text);
	else
		fputs(text, stdout);
	putchar(i + 1 < t->n ? ' ' : '\n');
}

/* Two passes: the first for the widths. */
static int print_table(const struct scan *s, const struct table *t,
		       const struct args *a)
{
	size_t width[2 * COLUMNS] = { 0 }, n;
	char *text;

	for (size_t i = 0; i < t->n && !a->no_headings; i++)
		width[i] = strlen(t->column[i]->heading);
	for (int print = 0; print < 2; print++) {
		for (size_t i = 0; i < t->n && print && !a->no_headings; i++)
			print_cell(t, i, t->column[i]->heading, width[i]);
		for (const struct mem *m = s->files; m; m = m->next) {
			for (size_t i = 0; i < t->n; i++) {
				text = cell_text(t->column[i], m, a->bytes);
				if (!text)
					return -ENOMEM;
				n = strlen(text);
				if (print)
					print_cell(t, i, text, width[i]);
				else if (n > width[i])
					width[i] = n;
				free(text);
			}
		}
	}
	return 0;
}

/* What the table leaves out. */
static void tell_unknown(struct ctl *ctl, const struct scan *s,
			 const struct table *t)
{
	for (const struct mem *m = s->files; m; m = m->next) {
		if (shown(t, "resident") && m->no_resident.text[0])
			message(ctl, "inode %" PRIu64 ": resident: %s",
				(uint64_t)m->ino, m->no_resident.text);
		if (shown(t, "nodes") && m->no_nodes.text[0])
			message(ctl, "inode %" PRIu64 ": nodes: %s",
				(uint64_t)m->ino, m->no_nodes.text);
	}
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
		complete &= !m->no_resident.partial && !m->no_nodes.partial;
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
	if (r < 0)
		return system_error(ctl, -r, "/proc%s",
				    r == -ENODEV ? " is no procfs" : "");
	scan_files(s);
	return priv_drop(ctl);
}

static int run(struct ctl *ctl)
{
	struct args *a = &args;
	struct scan s = { .files = NULL };
	struct table t;
	int status;

	if (!a->budget.given)
		a->budget.value = BUDGET_MS;
	if (ctl->json && (a->columns || a->bytes || a->no_headings))
		return usage_error(ctl, "--json has all columns: it goes with "
					"none of -o, -b, -n");
	if (!a->columns)
		a->columns = a->nodes ? NODES_COLUMNS : DEFAULT_COLUMNS;
	status = read_columns(ctl, a->columns, &t);
	if (status)
		return status;
	a->nodes |= shown(&t, "nodes");
	s.nodes = a->nodes;
	s.budget = a->budget.value;
	status = watch_fork(ctl, a->budget.value, &s.watch);
	if (status >= 0)
		return status;
	status = look(ctl, &s);
	if (!status) {
		bool complete = is_complete(&s);

		status = complete ? CTL_OK : CTL_CHECK;
		if (ctl->json)
			ps_json(ctl, &s, a->budget.value, complete);
		else if (print_table(&s, &t, a) < 0)
			status = system_error(ctl, ENOMEM, "the table");
		if (!ctl->json)
			tell_unknown(ctl, &s, &t);
		tell_unseen(ctl, &s, a);
	}
	scan_free(&s);
	return status;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "[OPTIONS]",
	.summary = "list every guest_memfd on this machine that can be seen",
	.text = "Residency is asked of the kernel through a copy of a "
		"holder's descriptor.  '-' stands for what cannot be known; "
		"why is said on standard error.  Exit status: 4 if there may "
		"be more than is shown.",
	.opts = opts,
	.values = &args,
	.run = run,
	.flags = CMD_JSON,
};
