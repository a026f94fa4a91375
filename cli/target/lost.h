/* SPDX-License-Identifier: MIT */
/* Where the guest gets smaller pages than a file of huge pages has. */
#ifndef GMEM_CLI_TARGET_LOST_H
#define GMEM_CLI_TARGET_LOST_H

#include <gmem.h>

struct json_object;

/* A line for each place where @slot, as gmem_bind(3) left it, loses some. */
void lost_text(const struct gmem_slot *slot);
/* Their names, a list that the caller frees. */
struct json_object *lost_json(const struct gmem_slot *slot);

#endif
