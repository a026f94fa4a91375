/* SPDX-License-Identifier: MIT */
/* --model: the model's kernel instead of this machine's. */
#ifndef GMEMCTL_TARGET_MODEL_H
#define GMEMCTL_TARGET_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <gmem_model.h>

struct ctl;
struct json_object;

#define MODEL_DEFAULT GMEM_MODEL_NEWEST
/* Nodes of the model's machine. */
#define MODEL_NODES 2

#define MODEL_NAME 32
struct model {
	char name[MODEL_NAME]; /* as it can be given again; "" = none */
	char profile[MODEL_NAME];
	uint32_t machine; /* enum gmem_model_machine */
	bool help;	  /* only list them */
	bool stands_in;	  /* for this machine's kernel, with its nodes */
};

/* The @index-th word that --model takes; NULL past the last. */
const char *model_word(uint32_t index);
/* Reads "PROFILE[,MACHINE]" or "help".  Return: 0, or the exit status. */
int model_parse(struct ctl *ctl, const char *value, struct model *out);
/* The newest release that is not newer than this machine's kernel. */
void model_nearest(struct model *out);
/* What --model=help prints. */
void model_help(struct ctl *ctl);
int model_vm_open(const struct ctl *ctl, const struct gmem_vm_opts *vm,
		  struct gmem_vm **out, struct gmem_error *err);
/* How the profile is asked for huge pages; GMEM_HUGETLB_MERGED without one. */
uint32_t model_encoding(const struct ctl *ctl);
/* What --model was given; NULL: it is the kernel of this machine. */
const char *model_name(const struct ctl *ctl);
/* As uname(1) calls it. */
const char *model_machine(const struct ctl *ctl);
/* A first line that says so where it is the model. */
void model_note(const struct ctl *ctl);
/* The member "model"; and why what is this machine's is absent with it. */
#define MODEL_STANDS_IN "a model stands in for it"
void model_json(const struct ctl *ctl, struct json_object *to);

#endif
