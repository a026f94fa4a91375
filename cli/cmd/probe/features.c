// SPDX-License-Identifier: MIT
/* Features by index and by name, and the names of what is said of them. */
#include <string.h>

#include "cmd/probe/probe.h"

const char *vm_type_name(uint32_t type)
{
	return gmem_name(GMEM_NAME_VM_TYPE, type);
}

const char *support_name(const struct gmem_feature_info *f)
{
	return gmem_name(GMEM_NAME_SUPPORT, f->support);
}

bool feature(const struct gmem_vm *vm, uint32_t index,
	     struct gmem_feature_info *info)
{
	*info = (struct gmem_feature_info){ .sz = sizeof(*info) };
	return gmem_vm_feature(vm, index, info, NULL) == 0;
}

bool find_feature(const struct gmem_vm *vm, const char *name, size_t len,
		  struct gmem_feature_info *info)
{
	for (uint32_t i = 0; feature(vm, i, info); i++)
		if (strlen(info->name) == len && !memcmp(info->name, name, len))
			return true;
	return false;
}
