// SPDX-License-Identifier: MIT
/* gmemctl ps --json */
#include <stdio.h>
#include <sys/sysmacros.h>

#include "cmd/ps/ps.h"
#include "report/json.h"
#include "report/output.h"

static void add_number(json_object *to, const char *key, uint64_t value,
		       const struct unknown *why)
{
	if (why->text[0])
		json_null(to, key, why->text);
	else
		json_u64(to, key, value);
}

/* How what is known is known. */
static void add_from(json_object *to, const char *key,
		     const struct unknown *why, bool by_mapping)
{
	json_text(to, key,
		  why->text[0] ? NULL
		  : by_mapping ? "mapping"
			       : "fd",
		  why->text);
}

static void add_payer(json_object *to, const struct scan *s,
		      const struct payer *p)
{
	const char *why = s->payer ? "it has none that can be read"
				   : "--nodes was not given";

	json_text(to, "memory_cgroup", p ? p->path : NULL, why);
	if (p && !p->no_nodes.text[0])
		json_object_object_add(to, "cgroup_nodes",
				       nodes_json(p->nodes));
	else
		json_null(to, "cgroup_nodes", p ? p->no_nodes.text : why);
}

static void add_freed(json_object *to, const struct sum *freed,
		      const char *unknown)
{
	if (unknown) {
		json_null(to, "freed", unknown);
		json_null(to, "freed_lower_bound", unknown);
		json_null(to, "freed_upper_bound", unknown);
		return;
	}
	json_u64(to, "freed", freed->bytes);
	json_boolean(to, "freed_lower_bound", freed->lower);
	json_boolean(to, "freed_upper_bound", freed->upper);
}

static json_object *holder_json(const struct scan *s, const struct holder *h)
{
	json_object *o = json_object_new_object();
	json_object *fds = json_object_new_array();

	json_u64(o, "pid", (uint64_t)h->pid);
	json_text(o, "command", h->command, "");
	json_text(o, "how", h->fds ? "fd" : "mapping", "");
	for (size_t i = 0; i < h->fds && i < HOLDER_FDS; i++)
		json_object_array_add(fds, json_object_new_int(h->fd[i]));
	json_object_object_add(o, "fds", fds);
	json_u64(o, "more_fds", more_fds(h));
	if (h->unmapped)
		json_null(o, "mapped", "its mappings could not be read");
	else
		json_u64(o, "mapped", h->mapped);
	json_boolean(o, "kvm_vm", h->vm);
	if (h->about.no_uid)
		json_null(o, "uid", "its status could not be read");
	else
		json_u64(o, "uid", h->about.uid);
	json_text(o, "cgroup", *h->about.cgroup ? h->about.cgroup : NULL,
		  "it has none that can be read");
	add_payer(o, s, h->about.payer);
	json_text(o, "args", h->about.args, "");
	return o;
}

static json_object *file_json(const struct scan *s, const struct mem *m)
{
	const struct unknown known = { .text = "" },
			     no_nodes = { .text = "--nodes was not given" };
	const struct unknown *why = s->nodes ? &m->no_nodes : &no_nodes;
	struct sum freed = freed_of(s, m, s->pid);
	json_object *o = json_object_new_object();
	json_object *holders = json_object_new_array();
	char dev[32];

	(void)snprintf(dev, sizeof(dev), "%u:%u", major(m->dev), minor(m->dev));
	json_text(o, "dev", dev, "");
	json_u64(o, "inode", m->ino);
	add_number(o, "size", m->size, &m->no_size);
	add_number(o, "resident", m->resident, &m->no_resident);
	if (m->no_resident.text[0])
		json_null(o, "lower_bound", m->no_resident.text);
	else
		json_boolean(o, "lower_bound", m->lower_bound);
	if (m->nodes)
		json_object_object_add(o, "nodes", nodes_json(m->nodes));
	else
		json_null(o, "nodes", why->text);
	add_from(o, "size_from", &m->no_size, m->size_by_mapping);
	add_from(o, "resident_from", &m->no_resident, m->resident_by_mapping);
	if (m->nodes)
		why = &known;
	add_from(o, "nodes_from", why, m->nodes_by_mapping);
	add_freed(o, &freed,
		  sum_sign(&freed) ? NULL
				   : "who else holds it is not known, nor is "
				     "all of its memory");
	for (const struct holder *h = m->holders; h; h = h->next)
		json_object_array_add(holders, holder_json(s, h));
	json_object_object_add(o, "holders", holders);
	return o;
}

static void add_sum(json_object *to, const char *key, const char *bound,
		    const struct sum *sum)
{
	json_u64(to, key, sum->bytes);
	json_boolean(to, bound, sum->lower);
}

static json_object *total_json(const struct scan *s)
{
	const struct total t = total_of(s);
	json_object *o = json_object_new_object();

	json_u64(o, "files", t.files);
	add_sum(o, "size", "size_lower_bound", &t.size);
	add_sum(o, "resident", "lower_bound", &t.resident);
	add_freed(o, &t.freed,
		  !s->pid ? "--pid was not given"
		  : sum_sign(&t.freed)
			  ? NULL
			  : "who else holds the files is not known, nor "
			    "is all of their memory");
	return o;
}

void ps_json(struct ctl *ctl, const struct scan *s, uint32_t budget,
	     bool complete)
{
	json_object *o = json_new(ctl), *hidden = json_object_new_array();
	json_object *files = json_object_new_array();
	json_object *late = json_object_new_array(), *p;

	for (const struct mem *m = s->files; m; m = m->next)
		if (file_listed(s, m))
			json_object_array_add(files, file_json(s, m));
	for (const struct hidden *h = s->hidden; h; h = h->next) {
		p = json_object_new_object();
		json_u64(p, "pid", (uint64_t)h->pid);
		json_text(p, "command", h->command, "");
		json_null(p, "files", hidden_text(s, h->why));
		json_object_array_add(hidden, p);
	}
	for (size_t i = 0; i < s->late_n; i++)
		json_object_array_add(late, json_object_new_int(s->late[i]));
	json_boolean(o, "complete", complete);
	json_u64(o, "processes", s->processes);
	json_boolean(o, "proc_hides", s->proc_hides);
	json_u64(o, "budget_ms", budget);
	json_object_object_add(o, "files", files);
	json_object_object_add(o, "total", total_json(s));
	json_object_object_add(o, "hidden", hidden);
	json_object_object_add(o, "not_reached", late);
	out_json(ctl, o);
}
