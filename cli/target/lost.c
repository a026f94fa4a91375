// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "report/json.h"
#include "report/words.h"
#include "target/lost.h"

static uint64_t lost_flags(const struct gmem_slot *slot)
{
	return slot->flags & (GMEM_SLOT_NO_HUGE | GMEM_SLOT_SMALL_START |
			      GMEM_SLOT_SMALL_END);
}

void lost_text(const struct gmem_slot *slot)
{
	uint64_t lost = lost_flags(slot);
	char page[SIZE_TEXT];

	if (!lost)
		return;
	size_text(gmem_page_size(slot->gmem), page);
	if (lost & GMEM_SLOT_NO_HUGE)
		printf("huge pages: none for the guest: gpa 0x%" PRIx64
		       " and offset 0x%" PRIx64 " lie differently in a page of "
		       "%s, or none fits into the slot\n",
		       slot->gpa, slot->offset, page);
	if (lost & GMEM_SLOT_SMALL_START)
		printf("huge pages: none where the slot begins: gpa 0x%" PRIx64
		       " is not a multiple of %s\n",
		       slot->gpa, page);
	if (lost & GMEM_SLOT_SMALL_END)
		printf("huge pages: none where the slot ends: gpa + len "
		       "0x%" PRIx64 " is not a multiple of %s\n",
		       slot->gpa + slot->len, page);
}

json_object *lost_json(const struct gmem_slot *slot)
{
	return json_names(GMEM_NAME_SLOT_FLAG, lost_flags(slot));
}
