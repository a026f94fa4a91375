// SPDX-License-Identifier: MIT
/* The features that --require names. */
#include <stdio.h>
#include <string.h>

#include "cmd/probe/probe.h"
#include "report/json.h"
#include "report/output.h"
#include "report/words.h"
#include "target/vm.h"

/* The next name of the list *@s, which goes behind it; 0 at the end. */
static size_t next_name(const char **s, const char **name)
{
	*name = *s + (**s == ',');
	*s = *name + strcspn(*name, ",");
	return (size_t)(*s - *name);
}

bool listed(const char *list, const char *feature_name)
{
	const char *name;
	size_t len;

	do {
		len = next_name(&list, &name);
		if (strlen(feature_name) == len &&
		    !memcmp(feature_name, name, len))
			return true;
	} while (*list);
	return false;
}

static int no_feature(struct ctl *ctl, const struct gmem_vm *vm,
		      const char *name, size_t len)
{
	struct guess guess = { .word = name, .len = len };
	struct gmem_feature_info f;
	char text[GUESS_TEXT];

	for (uint32_t i = 0; feature(vm, i, &f); i++)
		guess_try(&guess, f.name);
	return usage_error(ctl,
			   "--require: '%.*s' is not a feature of gmemctl "
			   "probe%s",
			   (int)len, name, guess_text(&guess, text));
}

int check_names(struct ctl *ctl, const struct gmem_vm *vm, const char *list)
{
	struct gmem_feature_info f;
	const char *name;
	size_t len;

	do {
		len = next_name(&list, &name);
		if (!find_feature(vm, name, len, &f))
			return no_feature(ctl, vm, name, len);
	} while (*list);
	return 0;
}

/* The model knows the names on any machine, if it can be made. */
int check_names_early(struct ctl *ctl, const char *list)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct kvm kvm = { .device = NULL };
	struct ctl model = { .kvm = &kvm };
	struct gmem_vm *vm;
	int status;

	model_nearest(&kvm.model);
	if (vm_open(&model, GMEM_VM_DEFAULT, &vm, &err) < 0)
		return 0;
	status = check_names(ctl, vm, list);
	(void)gmem_vm_destroy(vm, NULL);
	return status;
}

void add_missing(const struct host *h, uint32_t type, const char *list,
		 json_object *missing)
{
	struct gmem_feature_info f;
	const char *name;
	json_object *o;
	size_t len;

	do {
		len = next_name(&list, &name);
		if (!find_feature(h->type[type].vm, name, len, &f) ||
		    f.support == GMEM_YES)
			continue;
		o = json_object_new_object();
		json_text(o, "vm_type", vm_type_name(type), "");
		json_text(o, "feature", f.name, "");
		json_text(o, "support", support_name(&f), "");
		json_object_array_add(missing, o);
	} while (*list);
}

static const char *text_of(json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

void tell_missing(const struct host *h, json_object *missing)
{
	for (size_t i = 0; i < json_object_array_length(missing); i++) {
		json_object *o = json_object_array_get_idx(missing, i);
		const char *support = text_of(o, "support");

		message(h->ctl, "%s is missing on VM type %s: %s%s",
			text_of(o, "feature"), text_of(o, "vm_type"), support,
			strcmp(support, "no") ? ", which counts as missing"
					      : "");
	}
}
