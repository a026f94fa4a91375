// SPDX-License-Identifier: MIT
/* The columns of gmemctl ps: what a cell says, and how rows are ordered. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>

#include "cmd/ps/table.h"
#include "report/words.h"
#include "table/array.h"

#define USER_TEXT 128

static void put_size(const struct row *r, uint64_t size)
{
	char text[SIZE_TEXT];

	if (r->bytes)
		fprintf(r->to, "%" PRIu64, size);
	else
		fputs(size_text(size, text), r->to);
}

static void put_dev(const struct row *r)
{
	fprintf(r->to, "%u:%u", major(r->m->dev), minor(r->m->dev));
}

static void put_inode(const struct row *r)
{
	fprintf(r->to, "%" PRIu64, (uint64_t)r->m->ino);
}

static void put_file_size(const struct row *r)
{
	if (r->m->no_size.text[0])
		fputc('-', r->to);
	else
		put_size(r, r->m->size);
}

static void put_resident(const struct row *r)
{
	if (r->m->no_resident.text[0]) {
		fputc('-', r->to);
		return;
	}
	fputs(r->m->lower_bound ? ">=" : "", r->to);
	put_size(r, r->m->resident);
}

static void put_nodes(const struct row *r)
{
	const char *between = "";

	for (unsigned int n = 0; r->m->nodes && n < NODES; n++) {
		if (!r->m->nodes[n])
			continue;
		fprintf(r->to, "%s%u:%s", between, n,
			r->m->nodes_by_mapping ? ">=" : "");
		put_size(r, r->m->nodes[n]);
		between = ",";
	}
	if (!*between)
		fputc('-', r->to);
}

/* How each of the three numbers is known. */
static void put_known(const struct row *r)
{
	const struct mem *m = r->m;
	const struct {
		const char *name;
		bool known, by_mapping;
	} by[] = {
		{ "size", !m->no_size.text[0], m->size_by_mapping },
		{ "resident", !m->no_resident.text[0], m->resident_by_mapping },
		{ "nodes", m->nodes, m->nodes_by_mapping },
	};
	const char *between = "";

	for (size_t i = 0; i < ARRAY_SIZE(by); i++) {
		if (!by[i].known)
			continue;
		fprintf(r->to, "%s%s:%s", between, by[i].name,
			by[i].by_mapping ? "mapping" : "fd");
		between = ",";
	}
	fputs(*between ? "" : "-", r->to);
}

static void put_freed(const struct row *r)
{
	struct sum f = freed_of(r->s, r->m, r->h ? r->h->pid : r->s->pid);

	const char *sign = sum_sign(&f);

	fputs(sign ? sign : "-", r->to);
	if (sign)
		put_size(r, f.bytes);
}

/* Of the holders, what @put says, with commas between. */
static void each(const struct row *r,
		 void (*put)(const struct row *r, const struct holder *h))
{
	if (r->h) {
		put(r, r->h);
		return;
	}
	for (const struct holder *h = r->m->holders; h; h = h->next) {
		put(r, h);
		fputs(h->next ? "," : "", r->to);
	}
}

static void holder_vm(const struct row *r, const struct holder *h)
{
	fputs(h->vm ? "yes" : "no", r->to);
}

static void holder_mapped(const struct row *r, const struct holder *h)
{
	if (h->unmapped)
		fputc('-', r->to);
	else
		put_size(r, h->mapped);
}

static void holder_pid(const struct row *r, const struct holder *h)
{
	fprintf(r->to, "%d", (int)h->pid);
}

uint64_t more_fds(const struct holder *h)
{
	return h->fds > HOLDER_FDS ? h->fds - HOLDER_FDS : 0;
}

static void holder_hold(const struct row *r, const struct holder *h)
{
	for (size_t i = 0; i < h->fds && i < HOLDER_FDS; i++)
		fprintf(r->to, "%s%d", i ? "+" : "fd:", h->fd[i]);
	if (more_fds(h))
		fprintf(r->to, "+(%" PRIu64 "-more)", more_fds(h));
	fputs(h->fds ? "" : "mapping", r->to);
}

/* Nothing in it looks like the next column or the next holder. */
static void put_word(const struct row *r, const char *word)
{
	for (const char *p = word; *p; p++)
		if (*p == ' ' || *p == ',')
			fprintf(r->to, "\\x%02x", (unsigned char)*p);
		else
			fputc(*p, r->to);
	fputs(*word ? "" : "-", r->to);
}

static void holder_command(const struct row *r, const struct holder *h)
{
	put_word(r, h->command);
}

static void holder_cgroup(const struct row *r, const struct holder *h)
{
	put_word(r, h->about.cgroup);
}

/* Commas are between the holders. */
static void holder_cgnodes(const struct row *r, const struct holder *h)
{
	const struct payer *p = h->about.payer;
	const char *between = "";

	for (unsigned int n = 0; p && !p->no_nodes.text[0] && n < NODES; n++) {
		if (!p->nodes[n])
			continue;
		fprintf(r->to, "%s%u:<=", between, n);
		put_size(r, p->nodes[n]);
		between = "+";
	}
	if (!*between)
		fputs(p && !p->no_nodes.text[0] ? "none" : "-", r->to);
}

/* By name if it has one. */
static void holder_user(const struct row *r, const struct holder *h)
{
	const struct passwd *pw;
	char name[USER_TEXT];

	pw = h->about.no_uid ? NULL : getpwuid(h->about.uid);
	if (pw)
		put_word(r, safe_text(pw->pw_name, name, sizeof(name)));
	else if (h->about.no_uid)
		fputc('-', r->to);
	else
		fprintf(r->to, "%u", h->about.uid);
}

/* The last column, so that only a comma could be taken for another thing. */
static void holder_args(const struct row *r, const struct holder *h)
{
	for (const char *p = h->about.args; *p; p++)
		if (*p == ',')
			fputs("\\x2c", r->to);
		else
			fputc(*p, r->to);
	fputs(*h->about.args ? "" : "-", r->to);
}

static void put_vm(const struct row *r)
{
	each(r, holder_vm);
}

static void put_mapped(const struct row *r)
{
	each(r, holder_mapped);
}

static void put_pid(const struct row *r)
{
	each(r, holder_pid);
}

static void put_hold(const struct row *r)
{
	each(r, holder_hold);
}

static void put_command(const struct row *r)
{
	each(r, holder_command);
}

static void put_cgroup(const struct row *r)
{
	each(r, holder_cgroup);
}

static void put_cgnodes(const struct row *r)
{
	each(r, holder_cgnodes);
}

static void put_user(const struct row *r)
{
	each(r, holder_user);
}

static void put_args(const struct row *r)
{
	each(r, holder_args);
}

/* --------------------------------------------------------------- order -- */

static bool key_dev(const struct row *r, uint64_t *key)
{
	*key = r->m->dev;
	return true;
}

static bool key_inode(const struct row *r, uint64_t *key)
{
	*key = r->m->ino;
	return true;
}

static bool key_size(const struct row *r, uint64_t *key)
{
	*key = r->m->size;
	return !r->m->no_size.text[0];
}

static bool key_resident(const struct row *r, uint64_t *key)
{
	*key = r->m->resident;
	return !r->m->no_resident.text[0];
}

static bool key_freed(const struct row *r, uint64_t *key)
{
	struct sum f = freed_of(r->s, r->m, r->h ? r->h->pid : r->s->pid);

	*key = f.bytes;
	return sum_sign(&f);
}

static bool key_pid(const struct row *r, uint64_t *key)
{
	const struct holder *h = r->h ? r->h : r->m->holders;

	*key = (uint64_t)h->pid;
	return true;
}

static bool key_mapped(const struct row *r, uint64_t *key)
{
	bool known = false;

	*key = 0;
	for (const struct holder *h = r->m->holders; h; h = h->next) {
		if (h->unmapped || (r->h && r->h != h))
			continue;
		known = true;
		if (__builtin_add_overflow(*key, h->mapped, key))
			*key = UINT64_MAX;
	}
	return known;
}

static const struct column columns[] = {
	{ "dev", "DEV", put_dev, key_dev, true },
	{ "inode", "INODE", put_inode, key_inode, true },
	{ "size", "SIZE", put_file_size, key_size, true },
	{ "resident", "RESIDENT", put_resident, key_resident, true },
	{ "freed", "FREED", put_freed, key_freed, true },
	{ "nodes", "NODES", put_nodes, NULL, false },
	{ "cgnodes", "CGNODES", put_cgnodes, NULL, false },
	{ "known", "KNOWN", put_known, NULL, false },
	{ "vm", "VM", put_vm, NULL, false },
	{ "mapped", "MAPPED", put_mapped, key_mapped, false },
	{ "pid", "PID", put_pid, key_pid, false },
	{ "hold", "HOLD", put_hold, NULL, false },
	{ "user", "USER", put_user, NULL, false },
	{ "cgroup", "CGROUP", put_cgroup, NULL, false },
	{ "command", "COMMAND", put_command, NULL, false },
	{ "args", "ARGS", put_args, NULL, false },
};

const struct column *column_named(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (strlen(columns[i].name) == len &&
		    !strncasecmp(columns[i].name, name, len))
			return &columns[i];
	return NULL;
}

void column_names(char *buf, size_t size)
{
	size_t n = 0;

	*buf = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(columns) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? ", " : "",
				      columns[i].name);
}
