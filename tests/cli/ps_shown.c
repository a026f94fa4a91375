// SPDX-License-Identifier: MIT
/*
 * What gmemctl ps says of files and holders that this machine may never have:
 * the cells of its table, their order, the sums, and the same as JSON.
 */
#include <inttypes.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cmd/ps/table.h"
#include "printed.h"
#include "report/json.h"
#include "report/output.h"
#include "t.h"

#define KIB 1024ULL

struct world {
	struct scan scan;
	struct payer payer;
	char text[8192];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->scan.hidden_end = &w->scan.hidden;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	printed_drop();
	scan_free(&w->scan);
	free(w);
	return 0;
}

/* A file of 16 KiB of which all is known. */
static struct mem *add_file(struct world *w, ino_t ino)
{
	struct mem *m = find_file(&w->scan, makedev(0, 5), ino);

	assert_non_null(m);
	m->no_size.text[0] = m->no_resident.text[0] = '\0';
	m->size = 16 * KIB;
	m->resident = 8 * KIB;
	return m;
}

static struct holder *add_holder(struct mem *m, pid_t pid, const char *command)
{
	struct holder *h = find_holder(m, pid, command);

	assert_non_null(h);
	h->fds = 1;
	h->fd[0] = 3;
	h->about.uid = 4000000000U;
	return h;
}

static struct table columns(const char *names)
{
	struct table t = { .no_headings = true };

	for (size_t n; *names; names += n + (names[n] == ',')) {
		n = strcspn(names, ",");
		t.column[t.n] = column_named(names, n);
		assert_non_null(t.column[t.n]);
		t.n++;
	}
	return t;
}

static void says(struct world *w, const struct table *t, const char *want)
{
	int r;

	printed_begin(stdout);
	r = table_print(&w->scan, t);
	assert_string_equal(printed(), want);
	assert_int_equal(r, 0);
}

static void cells(struct world *w, const char *names, const char *want)
{
	const struct table t = columns(names);

	says(w, &t, want);
}

/* ----------------------------------------------------------------- cells -- */

static void of_what_is_known(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);

	(void)add_holder(m, 10, "vmm");
	cells(w, "dev,inode,size,resident", "0:5 77 16K 8K\n");
	cells(w, "known", "size:fd,resident:fd\n");
	m->lower_bound = true;
	m->size_by_mapping = m->resident_by_mapping = true;
	cells(w, "resident,known", ">=8K size:mapping,resident:mapping\n");
}

static void of_what_is_not_known(void **state)
{
	struct world *w = *state;
	struct mem *m = find_file(&w->scan, makedev(0, 5), 77);
	struct holder *h = add_holder(m, 10, "vmm");

	h->unmapped = h->about.no_uid = true;
	cells(w, "size,resident,nodes,known", "- - - -\n");
	cells(w, "mapped,user,cgroup,cgnodes,args", "- - - - -\n");
}

static void of_each_node_that_has_memory(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);
	struct table t = columns("nodes,known");

	(void)add_holder(m, 10, "vmm");
	m->nodes = calloc(NODES, sizeof(*m->nodes));
	assert_non_null(m->nodes);
	cells(w, "nodes,known", "- size:fd,resident:fd,nodes:fd\n");
	m->nodes[0] = 4 * KIB;
	m->nodes[NODES - 1] = 1;
	cells(w, "nodes", "0:4K,1023:1\n");
	m->nodes_by_mapping = true;
	t.bytes = true;
	says(w, &t, "0:>=4096,1023:>=1 size:fd,resident:fd,nodes:mapping\n");
}

static void of_the_nodes_of_a_cgroup(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);

	add_holder(m, 10, "a")->about.payer = &w->payer;
	cells(w, "cgnodes", "none\n");
	w->payer.nodes[0] = 4 * KIB;
	w->payer.nodes[NODES - 1] = 8 * KIB;
	(void)add_holder(m, 11, "b");
	cells(w, "cgnodes", "0:<=4K+1023:<=8K,-\n");
	unknown(&w->payer.no_nodes, false, "why not");
	cells(w, "cgnodes", "-,-\n");
}

static void of_several_holders(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);
	struct holder *a = add_holder(m, 10, "a b,c"), *b;
	const char *text;

	b = add_holder(m, 9, "");
	a->vm = true;
	a->mapped = 4 * KIB;
	a->fds = HOLDER_FDS + 2;
	for (int i = 0; i < HOLDER_FDS; i++)
		a->fd[i] = 100 + i;
	b->fds = 0;
	b->unmapped = true;
	(void)snprintf(a->about.cgroup, CGROUP_TEXT, "/x y");
	(void)snprintf(a->about.args, ARGS_TEXT, "vmm -m 4,5");
	cells(w, "pid,vm,mapped,command,cgroup,user,args",
	      "10,9 yes,no 4K,- a\\x20b\\x2cc,- /x\\x20y,- "
	      "4000000000,4000000000 vmm -m 4\\x2c5,-\n");
	printed_begin(stdout);
	(void)table_print(
		&w->scan,
		&(struct table){ .column = { column_named("hold", 4) },
				 .n = 1,
				 .no_headings = true });
	text = printed();
	assert_memory_equal(text, "fd:100+101+102+", 15);
	assert_non_null(strstr(text, "+162+163+(2-more),mapping\n"));
	assert_int_equal(more_fds(a), 2);
	a->fds = HOLDER_FDS;
	assert_int_equal(more_fds(a), 0);
}

static void users_have_names(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);

	add_holder(m, 10, "a")->about.uid = 0;
	cells(w, "user", "root\n");
}

/* ------------------------------------------------------------------ rows -- */

static void a_row_for_each_holder(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);
	struct table t = columns("inode,pid,mapped,freed");

	add_holder(m, 10, "a")->mapped = 4 * KIB;
	add_holder(m, 11, "b")->mapped = 8 * KIB;
	t.holders = true;
	says(w, &t, "77 10 4K 0\n77 11 8K 0\n");
	w->scan.pid = 11;
	says(w, &t, "77 11 8K 0\n");
	w->scan.pid = 12;
	says(w, &t, "");
}

static void columns_are_aligned(void **state)
{
	struct world *w = *state;
	struct table t = columns("inode,vm,command");

	(void)add_holder(add_file(w, 7), 10, "a");
	(void)add_holder(add_file(w, 1234567), 11, "longer");
	says(w, &t, "      7 no a\n1234567 no longer\n");
	t.no_headings = false;
	says(w, &t, "  INODE VM COMMAND\n      7 no a\n1234567 no longer\n");
	t = columns("command,inode");
	t.no_headings = false;
	says(w, &t, "COMMAND   INODE\na             7\nlonger  1234567\n");
}

static void every_name_is_a_column(void **state)
{
	char names[200];
	struct table t;

	(void)state;
	column_names(names, sizeof(names));
	assert_string_equal(names, "dev, inode, size, resident, freed, nodes, "
				   "cgnodes, known, vm, mapped, pid, hold, "
				   "user, cgroup, command, args");
	column_names(names, 8);
	assert_string_equal(names, "dev, in");
	assert_ptr_equal(column_named("INODE,", 5), column_named("inode", 5));
	assert_null(column_named("inode", 4));
	assert_null(column_named("inodes", 6));
	t = columns("dev,inode");
	assert_true(table_shows(&t, "inode"));
	assert_false(table_shows(&t, "size"));
}

/* ----------------------------------------------------------------- order -- */

/* Four files; what is sorted by is in @set. */
static void order(struct world *w, const char *column, const char *up,
		  const char *down)
{
	struct table t = columns("inode");

	t.sort = column_named(column, strlen(column));
	says(w, &t, up);
	t.descending = true;
	says(w, &t, down);
}

static void of_numbers(void **state)
{
	struct world *w = *state;
	struct mem *m[4];

	for (unsigned int i = 0; i < 4; i++) {
		m[i] = add_file(w, i + 1);
		add_holder(m[i], 20 - (int)i, "vmm")->mapped = 1;
	}
	m[1]->size = 4 * KIB;
	m[0]->size = 12 * KIB;
	unknown(&m[2]->no_size, false, "why not");
	/* what is equal stays in order, what is unknown is last */
	order(w, "size", "2\n1\n4\n3\n", "4\n1\n2\n3\n");
	m[3]->resident = 4 * KIB;
	unknown(&m[0]->no_resident, false, "why not");
	order(w, "resident", "4\n2\n3\n1\n", "2\n3\n4\n1\n");
	order(w, "inode", "1\n2\n3\n4\n", "4\n3\n2\n1\n");
	order(w, "dev", "1\n2\n3\n4\n", "1\n2\n3\n4\n");
	m[1]->dev = makedev(0, 6);
	order(w, "dev", "1\n3\n4\n2\n", "2\n1\n3\n4\n");
	order(w, "pid", "4\n3\n2\n1\n", "1\n2\n3\n4\n");
	m[2]->holders->mapped = 2;
	m[0]->holders->unmapped = true;
	order(w, "mapped", "2\n4\n3\n1\n", "3\n2\n4\n1\n");
}

static void of_what_is_freed(void **state)
{
	struct world *w = *state;
	struct mem *m[3];

	for (unsigned int i = 0; i < 3; i++) {
		m[i] = add_file(w, i + 1);
		(void)add_holder(m[i], 20, "vmm");
	}
	m[1]->resident = 4 * KIB;
	(void)add_holder(m[2], 21, "another");
	order(w, "freed", "3\n2\n1\n", "1\n2\n3\n");
	/* somebody is hidden and it is not known how much there is */
	(void)add_hidden(&w->scan, 1, "init", HIDDEN_DENIED);
	unknown(&m[0]->no_resident, false, "why not");
	order(w, "freed", "3\n2\n1\n", "2\n3\n1\n");
}

static void of_texts(void **state)
{
	struct world *w = *state;

	(void)add_holder(add_file(w, 1), 10, "b");
	(void)add_holder(add_file(w, 2), 11, "c");
	(void)add_holder(add_file(w, 3), 12, "a");
	order(w, "command", "3\n1\n2\n", "2\n1\n3\n");
}

static void of_all_that_holders_map(void **state)
{
	struct world *w = *state;
	struct mem *a = add_file(w, 1), *b = add_file(w, 2);
	struct table t = columns("inode,pid");

	add_holder(a, 10, "x")->mapped = 4 * KIB;
	add_holder(a, 11, "x")->mapped = 4 * KIB;
	add_holder(b, 12, "x")->mapped = 6 * KIB;
	order(w, "mapped", "2\n1\n", "1\n2\n");
	/* more than there are numbers for */
	a->holders->mapped = UINT64_MAX;
	order(w, "mapped", "2\n1\n", "1\n2\n");
	/* of a row for each holder, that of this one */
	a->holders->mapped = 4 * KIB;
	a->holders->next->mapped = 12 * KIB;
	t.sort = column_named("mapped", 6);
	t.holders = true;
	says(w, &t, "1 10\n2 12\n1 11\n");
	t.sort = column_named("pid", 3);
	t.descending = true;
	says(w, &t, "2 12\n1 11\n1 10\n");
}

/* ------------------------------------------------------------------ sums -- */

static void freed(struct world *w, const char *want)
{
	cells(w, "freed", want);
}

static void what_is_freed(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);

	(void)add_holder(m, 10, "a");
	freed(w, "8K\n");
	m->lower_bound = true;
	freed(w, ">=8K\n");
	/* another process that may hold it: neither bound is known */
	w->scan.proc_hides = true;
	freed(w, "-\n");
	m->lower_bound = false;
	freed(w, "<=8K\n");
	w->scan.proc_hides = false;
	assert_int_equal(add_late(&w->scan, 12), 0);
	freed(w, "<=8K\n");
	w->scan.late_n = 0;
	assert_int_equal(add_hidden(&w->scan, 1, "x", HIDDEN_STUCK), 0);
	freed(w, "<=8K\n");
	/* who stays keeps it all */
	(void)add_holder(m, 11, "b");
	freed(w, "0\n");
}

static void total(struct world *w, const char *want)
{
	printed_begin(stdout);
	total_print(&w->scan, w->scan.pid % 2);
	assert_string_equal(printed(), want);
}

static void all_of_them(void **state)
{
	struct world *w = *state;
	struct mem *m;

	total(w, "total: 0 files, size 0, resident 0\n");
	m = add_file(w, 1);
	(void)add_holder(m, 11, "a");
	total(w, "total: 1 file, size 16K, resident 8K\n");
	(void)add_holder(add_file(w, 2), 12, "b");
	total(w, "total: 2 files, size 32K, resident 16K\n");
	m->lower_bound = true;
	total(w, "total: 2 files, size 32K, resident >=16K\n");
	unknown(&m->no_resident, false, "why not");
	total(w, "total: 2 files, size 32K, resident >=8K\n");
	unknown(&m->no_size, false, "why not");
	total(w, "total: 2 files, size >=16K, resident >=8K\n");
	w->scan.pid = 12;
	total(w, "total: 1 file, size 16K, resident 8K, freed 8K\n");
	w->scan.pid = 11;
	total(w, "total: 1 file, size >=0, resident >=0, freed >=0\n");
	w->scan.proc_hides = true;
	total(w, "total: 1 file, size >=0, resident >=0, freed -\n");
	w->scan.pid = 12;
	total(w, "total: 1 file, size 16K, resident 8K, freed <=8K\n");
}

static void more_than_a_number_holds(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 1);

	(void)add_holder(m, 11, "a");
	(void)add_holder(add_file(w, 2), 11, "a");
	m->size = m->resident = UINT64_MAX;
	w->scan.pid = 11;
	total(w, "total: 2 files, size >=18446744073709551615, "
		 "resident >=18446744073709551615, "
		 "freed >=18446744073709551615\n");
}

static void of_a_process_that_is_hidden(void **state)
{
	struct world *w = *state;

	(void)add_holder(add_file(w, 1), 11, "a");
	(void)add_hidden(&w->scan, 12, "b", HIDDEN_DENIED);
	w->scan.pid = 11;
	total(w, "total: 1 file, size 16384, resident 8192, freed <=8192\n");
	w->scan.pid = 12;
	total(w, "total: 0 files, size >=0, resident >=0, freed -\n");
}

/* ------------------------------------------------------------------ JSON -- */

/* What ps --json prints, of which "a.0.b" is the member @path. */
static void member(struct world *w, const char *path, const char *want)
{
	struct json_object *o, *at;
	struct ctl ctl = { .command = "ps", .json = true };
	char *words = strdup(path), *saved = NULL, *word;
	enum json_tokener_error problem;

	assert_non_null(words);
	printed_begin(stdout);
	ps_json(&ctl, &w->scan, 2000, false);
	o = at = json_tokener_parse_verbose(printed(), &problem);
	assert_int_equal(problem, json_tokener_success);
	for (word = strtok_r(words, ".", &saved); word;
	     word = strtok_r(NULL, ".", &saved))
		at = json_object_is_type(at, json_type_array)
			     ? json_object_array_get_idx(
				       at, strtoul(word, NULL, 10))
			     : json_object_object_get(at, word);
	free(words);
	(void)snprintf(
		w->text, sizeof(w->text), "%s",
		json_object_to_json_string_ext(at, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	if (strcmp(w->text, want) != 0)
		fail_msg("%s: %s, wanted %s", path, w->text, want);
}

static void a_file_as_json(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);
	struct holder *h = add_holder(m, 10, "a b");

	h->mapped = 4096;
	h->fds = HOLDER_FDS + 3;
	member(w, "files.0.dev", "\"0:5\"");
	member(w, "files.0.inode", "77");
	member(w, "files.0.size", "16384");
	member(w, "files.0.resident", "8192");
	member(w, "files.0.lower_bound", "false");
	member(w, "files.0.size_from", "\"fd\"");
	member(w, "files.0.resident_from", "\"fd\"");
	member(w, "files.0.nodes_reason", "\"--nodes was not given\"");
	member(w, "files.0.nodes_from_reason", "\"--nodes was not given\"");
	member(w, "files.0.freed", "8192");
	member(w, "files.0.freed_lower_bound", "false");
	member(w, "files.0.freed_upper_bound", "false");
	member(w, "files.0.holders.0.pid", "10");
	member(w, "files.0.holders.0.command", "\"a b\"");
	member(w, "files.0.holders.0.how", "\"fd\"");
	member(w, "files.0.holders.0.fds.0", "3");
	member(w, "files.0.holders.0.more_fds", "3");
	member(w, "files.0.holders.0.mapped", "4096");
	member(w, "files.0.holders.0.kvm_vm", "false");
	member(w, "files.0.holders.0.uid", "4000000000");
	member(w, "files.0.holders.0.memory_cgroup_reason",
	       "\"--nodes was not given\"");
	member(w, "files.0.holders.0.cgroup_nodes_reason",
	       "\"--nodes was not given\"");
	member(w, "files.0.holders.0.args", "\"\"");
	member(w, "files.1", "null");
}

static void what_is_unknown_says_why(void **state)
{
	struct world *w = *state;
	struct mem *m = find_file(&w->scan, 1, 7);
	struct holder *h = add_holder(m, 10, "x");

	w->scan.nodes = true;
	h->fds = 0;
	h->unmapped = h->about.no_uid = true;
	unknown(&m->no_size, true, "why no size");
	unknown(&m->no_resident, true, "why not resident");
	unknown(&m->no_nodes, true, "why no nodes");
	member(w, "files.0.size", "null");
	member(w, "files.0.size_reason", "\"why no size\"");
	member(w, "files.0.size_from_reason", "\"why no size\"");
	member(w, "files.0.resident_reason", "\"why not resident\"");
	member(w, "files.0.lower_bound", "null");
	member(w, "files.0.lower_bound_reason", "\"why not resident\"");
	member(w, "files.0.nodes_reason", "\"why no nodes\"");
	member(w, "files.0.nodes_from_reason", "\"why no nodes\"");
	member(w, "files.0.freed", "0");
	member(w, "files.0.freed_lower_bound", "true");
	member(w, "files.0.holders.0.how", "\"mapping\"");
	member(w, "files.0.holders.0.mapped_reason",
	       "\"its mappings could not be read\"");
	member(w, "files.0.holders.0.uid_reason",
	       "\"its status could not be read\"");
	member(w, "files.0.holders.0.cgroup_reason",
	       "\"it has none that can be read\"");
	w->scan.proc_hides = true;
	member(w, "files.0.freed", "null");
	member(w, "files.0.freed_lower_bound", "null");
	member(w, "files.0.freed_upper_bound_reason",
	       "\"who else holds it is not known, nor is all of its memory\"");
}

static void nodes_as_json(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);
	struct holder *h = add_holder(m, 10, "x");

	w->scan.nodes = w->scan.payer = true;
	m->size_by_mapping = m->resident_by_mapping = true;
	m->nodes = calloc(NODES, sizeof(*m->nodes));
	assert_non_null(m->nodes);
	m->nodes[1] = 4096;
	member(w, "files.0.nodes", "[{\"node\":1,\"bytes\":4096}]");
	member(w, "files.0.nodes_from", "\"fd\"");
	m->nodes_by_mapping = true;
	member(w, "files.0.nodes_from", "\"mapping\"");
	member(w, "files.0.size_from", "\"mapping\"");
	member(w, "files.0.resident_from", "\"mapping\"");
	member(w, "files.0.holders.0.memory_cgroup_reason",
	       "\"it has none that can be read\"");
	h->about.payer = &w->payer;
	(void)snprintf(w->payer.path, CGROUP_TEXT, "/a");
	w->payer.nodes[2] = 8192;
	member(w, "files.0.holders.0.memory_cgroup", "\"\\/a\"");
	member(w, "files.0.holders.0.cgroup_nodes",
	       "[{\"node\":2,\"bytes\":8192}]");
	unknown(&w->payer.no_nodes, false, "why not");
	member(w, "files.0.holders.0.cgroup_nodes_reason", "\"why not\"");
}

static void the_rest_as_json(void **state)
{
	struct world *w = *state;
	struct mem *m = add_file(w, 77);

	(void)add_holder(m, 10, "x");
	m->lower_bound = true;
	member(w, "schema", "\"gmemctl.ps\\/1\"");
	member(w, "complete", "false");
	member(w, "proc_hides", "false");
	member(w, "budget_ms", "2000");
	member(w, "hidden", "[]");
	member(w, "not_reached", "[]");
	member(w, "total.files", "1");
	member(w, "total.size", "16384");
	member(w, "total.size_lower_bound", "false");
	member(w, "total.lower_bound", "true");
	member(w, "total.freed_reason", "\"--pid was not given\"");
	w->scan.pid = 10;
	member(w, "total.freed", "8192");
	member(w, "total.freed_lower_bound", "true");
	w->scan.processes = 3;
	assert_int_equal(add_late(&w->scan, 12), 0);
	assert_int_equal(add_late(&w->scan, 13), 0);
	(void)snprintf(w->scan.denied, sizeof(w->scan.denied), "denied");
	assert_int_equal(add_hidden(&w->scan, 14, "x", HIDDEN_DENIED), 0);
	assert_int_equal(add_hidden(&w->scan, 15, "y", HIDDEN_STUCK), 0);
	member(w, "processes", "3");
	member(w, "not_reached", "[12,13]");
	member(w, "hidden.0.pid", "14");
	member(w, "hidden.0.files_reason", "\"denied\"");
	member(w, "hidden.1.command", "\"y\"");
	member(w, "hidden.1.files_reason", "\"looking into it never ended\"");
	member(w, "total.freed_reason",
	       "\"who else holds the files is not known, nor is all of "
	       "their memory\"");
	w->scan.pid = 11;
	member(w, "files", "[]");
}

/* ------------------------------------------------------------------ list -- */

static void files_are_found_again(void **state)
{
	struct world *w = *state;
	struct scan *s = &w->scan;
	struct mem *b = find_file(s, 2, 20), *a, *c, *d;

	a = find_file(s, 1, 20);
	d = find_file(s, 2, 21);
	c = find_file(s, 2, 10);
	assert_ptr_equal(s->files, a);
	assert_ptr_equal(a->next, c);
	assert_ptr_equal(c->next, b);
	assert_ptr_equal(b->next, d);
	assert_null(d->next);
	assert_ptr_equal(find_file(s, 1, 20), a);
	assert_ptr_equal(find_file(s, 2, 20), b);
	assert_ptr_equal(find_file(s, 2, 21), d);
	assert_string_equal(a->no_size.text,
			    "only a mapping is left, and it was not asked");
	assert_string_equal(a->no_resident.text, a->no_size.text);
	assert_string_equal(a->no_nodes.text, a->no_size.text);
	assert_false(a->no_size.partial);
	assert_int_equal(add_hidden(s, 1, "x", HIDDEN_DENIED), 0);
	assert_int_equal(add_hidden(s, 2, "y", HIDDEN_STUCK), 0);
	assert_int_equal(s->hidden->next->pid, 2);
	assert_null(s->hidden->next->next);
	assert_int_equal(add_late(s, 3), 0);
	s->processes = 3;
	(void)add_holder(a, 10, "x");
	assert_ptr_equal(find_holder(a, 10, "x"), a->holders);
	assert_null(a->holders->next);
	out_of_time(&a->no_size);
	assert_true(a->no_size.partial);
	assert_string_equal(a->no_size.text, "the time of --budget is over");
	scan_free(s);
	assert_null(s->files);
	assert_ptr_equal(s->hidden_end, &s->hidden);
	assert_null(s->late);
	assert_int_equal(s->late_n, 0);
	assert_int_equal(s->processes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(of_what_is_known),
		TEST(of_what_is_not_known),
		TEST(of_each_node_that_has_memory),
		TEST(of_the_nodes_of_a_cgroup),
		TEST(of_several_holders),
		TEST(users_have_names),
		TEST(a_row_for_each_holder),
		TEST(columns_are_aligned),
		TEST(every_name_is_a_column),
		TEST(of_numbers),
		TEST(of_what_is_freed),
		TEST(of_texts),
		TEST(of_all_that_holders_map),
		TEST(what_is_freed),
		TEST(all_of_them),
		TEST(more_than_a_number_holds),
		TEST(of_a_process_that_is_hidden),
		TEST(a_file_as_json),
		TEST(what_is_unknown_says_why),
		TEST(nodes_as_json),
		TEST(the_rest_as_json),
		TEST(files_are_found_again),
	};

	return t_main(tests);
}
