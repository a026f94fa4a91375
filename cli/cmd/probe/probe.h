/* SPDX-License-Identifier: MIT */
/* What probe.c shows, and what --require asks of it (require.c). */
#ifndef GMEMCTL_PROBE_H
#define GMEMCTL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmem.h>

struct ctl;
struct json_object;

/* More than the numbers of the VM types there are. */
#define TYPES 16

/* One VM of each type asked about: .vm or .err, or neither if not. */
struct host {
	struct ctl *ctl;
	struct {
		struct gmem_vm *vm;
		struct gmem_error err;
	} type[TYPES];
};

/* features.c */
const char *vm_type_name(uint32_t type);
const char *support_name(const struct gmem_feature_info *f);
/* The @index-th feature; false past the last. */
bool feature(const struct gmem_vm *vm, uint32_t index,
	     struct gmem_feature_info *info);
bool find_feature(const struct gmem_vm *vm, const char *name, size_t len,
		  struct gmem_feature_info *info);

/* require.c, of the list "NAME,..." */
/*
 * All names are features, of which every VM knows the same.  The first can
 * tell before there is a VM, but may not.  Return: 0, or the exit status.
 */
int check_names_early(struct ctl *ctl, const char *list);
int check_names(struct ctl *ctl, const struct gmem_vm *vm, const char *list);
bool listed(const char *list, const char *feature_name);
/* Adds those that the VM of @type lacks. */
void add_missing(const struct host *h, uint32_t type, const char *list,
		 struct json_object *missing);
void tell_missing(const struct host *h, struct json_object *missing);

#endif
