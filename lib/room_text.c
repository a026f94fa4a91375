// SPDX-License-Identifier: MIT
#include <string.h>

#include "macros.h"
#include "room_text.h"

/* The number at *@p, which is moved behind it; false if there is none. */
static bool number(const char **p, uint64_t *out)
{
	uint64_t n = 0;

	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; ++*p) {
		uint64_t digit = (uint64_t)(**p - '0');

		n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
	}
	*out = n;
	return true;
}

static const char *skip(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* What follows @name, which *@p begins with, and spaces; or NULL. */
static const char *after(const char *p, const char *name)
{
	size_t n = strlen(name);

	return strncmp(p, name, n) ? NULL : skip(p + n);
}

/* The words of @list, parted by commas, have @word. */
static bool listed(const char *list, const char *end, const char *word)
{
	size_t n = strlen(word);

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));

		if (!comma)
			comma = end;
		if ((size_t)(comma - list) == n && !memcmp(list, word, n))
			return true;
		list = comma + 1;
	}
	return false;
}

enum gmem__cgroup gmem__cgroup_line(const char *line, const char **path)
{
	const char *controllers, *end;
	uint64_t hierarchy;

	if (!number(&line, &hierarchy) || *line != ':')
		return GMEM__CGROUP_OTHER;
	controllers = line + 1;
	end = strchr(controllers, ':');
	if (!end)
		return GMEM__CGROUP_OTHER;
	if (hierarchy)
		return listed(controllers, end, "memory") ? GMEM__CGROUP_V1
							  : GMEM__CGROUP_OTHER;
	*path = end + 1;
	return **path == '/' ? GMEM__CGROUP_V2 : GMEM__CGROUP_OTHER;
}

bool gmem__number_line(const char *line, uint64_t *out)
{
	if (!strcmp(line, "max")) {
		*out = UINT64_MAX;
		return true;
	}
	return number(&line, out) && !*line;
}

/* "NAME VALUE" with one of the @n names: adds the value times @unit. */
static void add_named(const char *line, const char *const *names, size_t n,
		      uint64_t unit, struct gmem__sum *sum)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = after(line, names[i]);
		uint64_t value;

		if (!p || !number(&p, &value))
			continue;
		if (value > UINT64_MAX / unit)
			value = UINT64_MAX / unit;
		sum->bytes = gmem__add(sum->bytes, value * unit);
		sum->found++;
	}
}

void gmem__stat_line(const char *line, struct gmem__sum *sum)
{
	static const char *const names[GMEM__STAT_LINES] = {
		"inactive_file ",
		"active_file ",
		"slab_reclaimable ",
	};

	add_named(line, names, ARRAY_SIZE(names), 1, sum);
}

void gmem__meminfo_line(const char *line, struct gmem__sum *sum)
{
	static const char *const names[GMEM__MEMINFO_LINES] = {
		"MemFree:",
		"Active(file):",
		"Inactive(file):",
		"SReclaimable:",
	};
	const char *p = after(line, "Node ");
	uint64_t node;

	if (p && number(&p, &node))
		line = skip(p);
	add_named(line, names, ARRAY_SIZE(names), 1024, sum);
}

/* "Node N, zone NAME". */
static void begin_zone(struct gmem__zones *z, uint64_t node, const char *name)
{
	struct gmem__zone *zone;

	if (!z->any || z->node != node) {
		gmem__zone_end(z);
		z->any = true;
		z->node = node;
		z->n = 0;
		z->normal = GMEM__ZONES;
	}
	if (!strcmp(name, "Normal"))
		z->normal = z->n;
	if (z->n == GMEM__ZONES) /* as if it were part of the last one */
		return;
	zone = &z->zone[z->n++];
	memset(zone, 0, sizeof(*zone));
	zone->movable = !strcmp(name, "Movable") || !strcmp(name, "Device");
}

/* "(A, B, ...)": what a zone keeps from requests that fit a higher one. */
static void protection(struct gmem__zone *zone, const char *p)
{
	for (unsigned int i = 0; i < GMEM__ZONES; i++) {
		p = skip(p + 1);
		if (!number(&p, &zone->protection[i]) || *p != ',')
			return;
	}
}

static void zone_number(struct gmem__zone *zone, const char *p)
{
	const struct {
		const char *name;
		uint64_t *to;
	} numbers[] = {
		{ "pages free ", &zone->free },
		{ "low ", &zone->low },
		{ "managed ", &zone->managed },
		{ "nr_free_cma ", &zone->cma },
	};
	static const char *const files[] = {
		"nr_zone_inactive_file ",
		"nr_zone_active_file ",
	};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *value = after(p, numbers[i].name);

		if (value && number(&value, &n))
			*numbers[i].to = n;
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *value = after(p, files[i]);

		if (value && number(&value, &n))
			zone->file = gmem__add(zone->file, n);
	}
}

void gmem__zone_line(struct gmem__zones *z, const char *line)
{
	const char *p = after(line, "Node ");
	uint64_t n;

	if (p) {
		if (number(&p, &n) && (p = after(p, ", zone ")) != NULL)
			begin_zone(z, n, p);
		return;
	}
	line = skip(line);
	p = after(line, "cpu: ");
	if (p && number(&p, &n) && n >= z->cpus && n < UINT32_MAX)
		z->cpus = n + 1;
	if (!z->n)
		return;
	p = after(line, "protection: ");
	if (p && *p == '(')
		protection(&z->zone[z->n - 1], p);
	else
		zone_number(&z->zone[z->n - 1], line);
}

static uint64_t held(const struct gmem__zone *zone, unsigned int normal)
{
	uint64_t keep = normal < GMEM__ZONES ? zone->protection[normal] : 0;

	if (zone->movable)
		return gmem__add(zone->free, zone->file);
	keep = gmem__add(keep, zone->low);
	if (keep > zone->managed)
		keep = zone->managed;
	return gmem__add(keep, zone->cma);
}

void gmem__zone_end(struct gmem__zones *z)
{
	if (!z->any || z->node >= GMEM__NODES)
		return;
	for (unsigned int i = 0; i < z->n; i++) {
		uint64_t *sum = &z->held[z->node];

		*sum = gmem__add(*sum, held(&z->zone[i], z->normal));
		if (z->zone[i].managed)
			gmem__bit_set(z->memory, z->node);
	}
	z->any = false;
}

bool gmem__cpu_line(const char *line, unsigned long *set, uint64_t bits)
{
	uint64_t first, last;

	while (*line) {
		if (!number(&line, &first))
			return false;
		last = first;
		if (*line == '-') {
			line++;
			if (!number(&line, &last))
				return false;
		}
		for (; first <= last && first < bits; first++)
			gmem__bit_set(set, first);
		if (*line == ',')
			line++;
		else if (*line)
			return false;
	}
	return true;
}
