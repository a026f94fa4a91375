// SPDX-License-Identifier: MIT
/* The commands of the batch's language. */
#include <string.h>

#include "cmd/batch/batch.h"
#include "table/array.h"

static const struct batch_word create_words[] = {
	{ "shared", FILE_SHARED },
	{ "hugetlb=", 0 },
	{ NULL, 0 },
};
static const struct batch_word note_words[] = {
	{ "file=", 0 },
	{ "offset=", 0 },
	{ "addr=", 0 },
	{ NULL, 0 },
};
static const struct batch_word populate_words[] = {
	{ "threads=", 0 },
	{ "policy=", 0 },
	{ "nodes=", 0 },
	{ NULL, 0 },
};
static const struct batch_word placement_words[] = {
	{ "policy=", 0 },
	{ "nodes=", 0 },
	{ NULL, 0 },
};
static const struct batch_word map_words[] = {
	{ "nodes", BATCH_MAP_NODES },
	{ NULL, 0 },
};
static const struct batch_word policy_words[] = {
	{ "set=", 0 },
	{ "nodes=", 0 },
	{ NULL, 0 },
};

static const struct batch_word region_words[] = {
	{ "kind=", 0 },
	{ "file=", 0 },
	{ NULL, 0 },
};

static const struct verb verbs[] = {
	{ .word = { "create",
		    "NAME SIZE [mmap] [init-shared] [shared] [guest-only] "
		    "[unbound] [hugetlb=SIZE]",
		    "make a guest_memfd; shared: short for mmap init-shared" },
	  .takes = { PARAM_NEW_NAME, PARAM_SIZE },
	  .names = GMEM_NAME_CREATE_FLAG,
	  .flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED |
		   GMEM_CREATE_GUEST_ONLY | GMEM_CREATE_UNBOUND,
	  .words = create_words,
	  .call = call_create,
	  .commit = keep_object },
	{ .word = { "region",
		    "NAME SIZE [kind=auto|inplace|dual|shared] [file=NAME] "
		    "[no-hypercall]",
		    "make a region; file: of a guest_memfd there is" },
	  .takes = { PARAM_NEW_NAME, PARAM_SIZE },
	  .names = GMEM_NAME_REGION_FLAG,
	  .flags = GMEM_REGION_NO_HYPERCALL,
	  .words = region_words,
	  .call = call_region,
	  .commit = keep_object },
	{ .word = { "bind",
		    "NAME SLOT GPA [OFFSET LEN] [fd] [hva] [dirty-log] "
		    "[readonly] [alias] [leave-shared]",
		    "make a memory slot of it; fd, hva: only in this mode" },
	  .takes = { PARAM_OBJECT, PARAM_SLOT, PARAM_GPA, PARAM_OPTIONAL,
		     PARAM_OFFSET, PARAM_LEN },
	  .names = GMEM_NAME_SLOT_FLAG,
	  .flags = BATCH_SLOT_FLAGS,
	  .call = call_bind,
	  .commit = keep_slot },
	{ .word = { "unbind", "NAME SLOT [keep-attributes]",
		    "delete the slot and reset its attributes" },
	  .takes = { PARAM_OBJECT, PARAM_SLOT },
	  .names = GMEM_NAME_UNBIND_FLAG,
	  .flags = GMEM_UNBIND_KEEP_ATTRIBUTES,
	  .call = call_unbind,
	  .commit = drop_slot },
	{ .word = { "replace",
		    "[SLOT...] with [NAME:SLOT:GPA:OFFSET:LEN[:FLAG...]...]",
		    "replace slots by others: split, merge, move; flags as of "
		    "bind" },
	  .parse = parse_replace,
	  .call = call_replace,
	  .commit = keep_replaced },
	{ .word = { "note",
		    "SLOT GPA LEN [file=NAME] [offset=OFFSET] [addr=ADDRESS] "
		    "[dirty-log] [readonly]",
		    "note a slot made by others; no KVM call" },
	  .takes = { PARAM_SLOT, PARAM_GPA, PARAM_LEN },
	  .names = GMEM_NAME_SLOT_FLAG,
	  .flags = GMEM_SLOT_DIRTY_LOG | GMEM_SLOT_READONLY,
	  .words = note_words,
	  .call = call_note,
	  .commit = keep_slot },
	{ .word = { "forget", "SLOT", "take a note back" },
	  .takes = { PARAM_SLOT },
	  .call = call_forget,
	  .commit = drop_slot },
	{ .word = { "private", "NAME OFFSET LEN",
		    "convert a range to private" },
	  .takes = { PARAM_OBJECT, PARAM_OFFSET, PARAM_LEN },
	  .call = call_private,
	  .done = "converted" },
	{ .word = { "shared", "NAME OFFSET LEN [unbacked]",
		    "convert a range to shared; unbacked: with nothing "
		    "behind" },
	  .takes = { PARAM_OBJECT, PARAM_OFFSET, PARAM_LEN },
	  .names = GMEM_NAME_ATTRIBUTES_FLAG,
	  .flags = GMEM_ATTRIBUTES_UNBACKED,
	  .call = call_shared,
	  .done = "converted" },
	{ .word = { "convert", "NAME private|shared OFFSET:LEN... [defer]",
		    "convert ranges of a region; defer: free memory later" },
	  .parse = parse_convert,
	  .call = call_convert,
	  .done = "converted" },
	{ .word = { "reclaim", "NAME [OFFSET LEN]",
		    "free what conversions of a region left" },
	  .takes = { PARAM_REGION, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .call = call_reclaim },
	{ .word = { "reset", "NAME",
		    "make a region as it was when its slots were made" },
	  .takes = { PARAM_REGION },
	  .call = call_reset },
	{ .word = { "attributes", "NAME [OFFSET LEN]",
		    "show what is private, shared or unset (has no slot)" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .call = call_attributes },
	{ .word = { "read", "NAME OFFSET LEN",
		    "show bytes, up to 1M, in hexadecimal" },
	  .takes = { PARAM_OBJECT, PARAM_OFFSET, PARAM_READ_LEN },
	  .call = call_read },
	{ .word = { "write", "NAME OFFSET \"TEXT\"|hex:DIGITS",
		    "write bytes; in TEXT: \\\\ \\\" \\n \\t" },
	  .takes = { PARAM_OBJECT, PARAM_OFFSET, PARAM_DATA },
	  .call = call_write,
	  .done = "written" },
	{ .word = { "populate",
		    "NAME [OFFSET LEN] [threads=N] [policy=MODE] [nodes=SET] "
		    "[unchecked]",
		    "allocate memory, under a NUMA policy if asked" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .names = GMEM_NAME_POPULATE_FLAG,
	  .flags = GMEM_POPULATE_UNCHECKED,
	  .words = populate_words,
	  .call = call_populate,
	  .done = "populated",
	  .unchecked = "whether there is memory for it" },
	{ .word = { "discard", "NAME [OFFSET LEN]",
		    "free memory, which reads as zero afterwards" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .call = call_discard,
	  .done = "discarded" },
	{ .word = { "resident", "NAME [OFFSET LEN]",
		    "show how much of it is allocated" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .call = call_resident },
	{ .word = { "map", "NAME [OFFSET LEN] [nodes]",
		    "show a picture of it: private, shared, resident" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .words = map_words,
	  .call = call_map },
	{ .word = { "load", "NAME OFFSET FILE|\"FILE\" [unchecked]",
		    "read all of a file into it" },
	  .takes = { PARAM_OBJECT, PARAM_OFFSET, PARAM_INPUT },
	  .names = GMEM_NAME_LOAD_FLAG,
	  .flags = GMEM_LOAD_UNCHECKED,
	  .call = call_load,
	  .done = "loaded",
	  .unchecked = "the file, which is not opened" },
	{ .word = { "store", "NAME OFFSET LEN FILE|\"FILE\"",
		    "write a range of it to a file; holes stay holes" },
	  .takes = { PARAM_OBJECT, PARAM_OFFSET, PARAM_LEN, PARAM_OUTPUT },
	  .call = call_store,
	  .done = "stored",
	  .unchecked = "the file, which is not opened" },
	{ .word = { "policy",
		    "NAME [OFFSET LEN] [set=MODE] [nodes=SET] [strict]",
		    "show or set the NUMA policy" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .names = GMEM_NAME_MEMPOLICY_FLAG,
	  .flags = GMEM_MEMPOLICY_STRICT,
	  .words = policy_words,
	  .call = call_policy },
	{ .word = { "placement", "NAME [OFFSET LEN] [policy=MODE] [nodes=SET]",
		    "show on which NUMA nodes it is, and whether rightly so" },
	  .takes = { PARAM_OBJECT, PARAM_OPTIONAL, PARAM_OFFSET, PARAM_LEN },
	  .words = placement_words,
	  .call = call_placement },
	{ .word = { "stat", "NAME", "show size, residency and slots" },
	  .takes = { PARAM_OBJECT },
	  .call = call_stat },
	{ .word = { "close", "NAME", "release the guest_memfd or region" },
	  .takes = { PARAM_OBJECT },
	  .call = call_close,
	  .commit = drop_object },
};

const struct cmd_word *batch_word(size_t index)
{
	return index < ARRAY_SIZE(verbs) ? &verbs[index].word : NULL;
}

const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].word.name, name))
			return &verbs[i];
	return NULL;
}
