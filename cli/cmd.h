/* SPDX-License-Identifier: MIT */
/*
 * gmemctl: one table of commands (program/list.c) says what each is called,
 * takes and does; help, shell completion and `gmemctl commands` only read it.
 */
#ifndef GMEMCTL_CMD_H
#define GMEMCTL_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gmem.h>

#include "report/jsonc.h"
#include "report/words.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses; never 255, which xargs(1) and systemd take for more. */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_UNSUPPORTED = 3, /* this kernel, host or VM type lacks it */
	CTL_CHECK = 4,	     /* a check failed, or only a part was done */
	CTL_ACCESS = 5,	     /* no permission */
	CTL_RUN = 125,	     /* gmemctl's own failures under CMD_WRAPS */
	CTL_RUN_NOT_EXECUTABLE = 126,
	CTL_RUN_NOT_FOUND = 127,
	CTL_RUN_SIGNAL = 128, /* plus the signal's number */
};

/* ------------------------------------------------- options, commands -- */

enum opt_kind {
	OPT_BOOL,  /* bool: true when given */
	OPT_BITS,  /* uint64_t: .bits are added */
	OPT_SIZE,  /* struct opt_size */
	OPT_U32,   /* struct opt_u32 */
	OPT_TEXT,  /* const char *: one of .values if there are any */
	OPT_LIST,  /* struct opt_list: may be given many times */
	OPT_MODEL, /* struct model */
	OPT_HELP,
	OPT_VERSION,
};

struct opt_size {
	uint64_t value;
	bool given;
};

struct opt_u32 {
	uint32_t value;
	bool given;
};

#define OPT_LIST_MAX 64
struct opt_list {
	const char *value[OPT_LIST_MAX];
	size_t n;
};

/* --model: which kernel stands in for that of this machine. */
#define MODEL_NAME 32
struct model {
	char name[MODEL_NAME]; /* as it can be given again; "" = none */
	char profile[MODEL_NAME];
	uint32_t machine; /* enum gmem_model_machine */
	bool help;	  /* only list them */
};

struct opt {
	const char *name; /* without the dashes */
	const char *arg;  /* "SIZE"; NULL = takes none */
	enum opt_kind kind;
	size_t at; /* offset of the value in the command's struct */
	const char *help;
	uint64_t bits;		   /* OPT_BITS */
	const char *const *values; /* what OPT_TEXT may be; NULL ends it */
	const char *without;	   /* its value where none follows with '=' */
	unsigned int need;	   /* common option: CMD_* that must take it */
	char letter;		   /* short name, or '\0' */
};

struct ctl;

/* A word of a command's own language, for its help. */
struct cmd_word {
	const char *name, *args, *summary;
};

/* struct cmd.flags */
#define CMD_JSON (1U << 0)     /* takes --json */
#define CMD_KVM (1U << 1)      /* makes VMs: takes --device */
#define CMD_OPERANDS (1U << 2) /* takes operands */
/* Runs a program: operands end the options, failures are told as by env(1). */
#define CMD_WRAPS (1U << 3)
#define CMD_TRACE (1U << 4) /* makes them with the library: --verbose */
#define CMD_MODEL (1U << 5) /* takes --model */

struct cmd {
	const char *name;
	const char *args;	     /* behind the name in the usage line */
	const char *summary;	     /* one line, no full stop */
	const char *text;	     /* paragraphs for --help; NULL = none */
	const struct opt *opts;	     /* .name NULL ends it; NULL = none */
	const struct opt *more_opts; /* those it shares with another command */
	const struct cmd *subs;	     /* .name NULL ends it; NULL = none */
	/* Words of its language, NULL past the last; NULL = none. */
	const struct cmd_word *(*word)(size_t index);
	/* @argv holds what follows the name.  Return: the exit status. */
	int (*run)(struct ctl *ctl, int argc, char **argv);
	unsigned int flags;
};

extern const struct cmd commands[];    /* .name NULL ends it */
extern const struct opt common_opts[]; /* .name NULL ends it */

/* What one invocation of gmemctl is about. */
struct ctl {
	const struct cmd *cmd; /* "why"; NULL before it is known */
	const struct cmd *sub; /* "create"; NULL if it has none */
	const char *device;    /* --device */
	struct model model;    /* --model */
	bool json;	       /* --json */
	bool verbose;	       /* --verbose */
	bool replied;	       /* the one JSON object is out */
	unsigned int common;   /* bit i: common_opts[i] was given */
	int status;	       /* when opts_parse() ended the command */
	void (*sigpipe)(int);  /* as gmemctl found it */
};

/* The command that is run: the sub-command where there is one. */
static inline const struct cmd *ctl_leaf(const struct ctl *ctl)
{
	return ctl->sub ? ctl->sub : ctl->cmd;
}

/* program/opts.c */
/*
 * Reads the options in @argv into the common ones of @ctl and the command's
 * own struct @args, and moves the operands to the front.
 * Return: their number, or -1: the command ends with ctl->status.
 */
int opts_parse(struct ctl *ctl, int argc, char **argv, void *args);
/* The usage error for a common option, as @text, that the command lacks. */
int opt_refused(struct ctl *ctl, const struct opt *o, const char *text);

/* program/help.c */
const struct cmd *find_cmd(const struct cmd *in, const char *name);
/* The options of @leaf and the common ones that it takes; NULL: of gmemctl. */
#define CMD_OPTS_MAX 32
size_t cmd_opts(const struct cmd *leaf, const struct opt *list[CMD_OPTS_MAX]);
void print_help(const struct ctl *ctl);
int cmd_help(struct ctl *ctl, int argc, char **argv);

/* ------------------------------------------------------------- output -- */

/* report/output.c */
/* "why create" */
#define CMD_NAME_TEXT 40
const char *ctl_name(const struct ctl *ctl, char buf[CMD_NAME_TEXT]);
/* The command's one JSON object, and printing it, which takes it. */
json_object *json_new(const struct ctl *ctl);
void out_json(struct ctl *ctl, json_object *result);
/* Adds text, or null and "KEY_reason" with @why. */
void json_text(json_object *to, const char *key, const char *text,
	       const char *why);
void json_u64(json_object *to, const char *key, uint64_t value);
/* The "error" member: of gmemctl's own rules, or what the library said. */
json_object *json_problem(const char *code, const char *reason,
			  const char *text, const char *remedy);
json_object *json_error(const struct gmem_error *err);
/* The nodes that have any of @bytes. */
json_object *nodes_json(const uint64_t bytes[NODES]);
const char *errno_name(int errnum);

/* Adds null and "KEY_reason". */
void json_null(json_object *to, const char *key, const char *why);

/* Whether colours may be used on standard output. */
bool out_colour(void);

/*
 * Ends a command that failed: the message on standard error, in JSON mode
 * also the error object.  Return: the exit status.
 */
__attribute__((format(printf, 2, 3))) int usage_error(struct ctl *ctl,
						      const char *fmt, ...);
__attribute__((format(printf, 3, 4))) int
system_error(struct ctl *ctl, int errnum, const char *fmt, ...);
/* @remedy replaces the library's where it is not NULL. */
int gmem_failed(struct ctl *ctl, const struct gmem_error *err,
		const char *remedy);
/* A line on standard error that ends nothing. */
__attribute__((format(printf, 2, 3))) void message(const struct ctl *ctl,
						   const char *fmt, ...);

/* Fills @err as the library would, for a rule of its own.  Return: @code. */
__attribute__((format(printf, 4, 5))) int
refuse(struct gmem_error *err, int code, uint32_t reason, const char *fmt, ...);

/* The exit status for what the library reported. */
int exit_of(const struct gmem_error *err);

/* Fails on what was printed and could not be written.  Return: @status. */
int out_finish(struct ctl *ctl, int status);

/* ----------------------------------------------------- VMs and rights -- */

/* target/vm.c */
/* What --shared stands for. */
#define FILE_SHARED (GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED)
/* Makes a VM of @type on --device; fills @err on failure. */
int vm_open(const struct ctl *ctl, uint32_t type, struct gmem_vm **out,
	    struct gmem_error *err);
/* The same for a command with one VM.  Return: 0, or the exit status. */
int vm_start(struct ctl *ctl, const char *type_name, struct gmem_vm **out);
/* Ends a command whose vm_open() failed: says which right is missing. */
int vm_failed(struct ctl *ctl, const struct gmem_error *err);

/* target/model.c */
#define MODEL_DEFAULT "7.3"
/* Nodes of the model's machine. */
#define MODEL_NODES 2
/* The @index-th word that --model takes; NULL past the last. */
const char *model_word(uint32_t index);
/* Reads "PROFILE[,MACHINE]" or "help".  Return: 0, or the exit status. */
int model_parse(struct ctl *ctl, const char *value, struct model *out);
/* What --model=help prints. */
void model_help(struct ctl *ctl);
int model_vm_open(const struct ctl *ctl, const struct gmem_vm_opts *vm,
		  struct gmem_vm **out, struct gmem_error *err);
/* As uname(1) calls it. */
const char *model_machine(const struct ctl *ctl);
/* A first line that says so where it is the model. */
void model_note(const struct ctl *ctl);
/* The member "model"; and why what is this machine's is absent with it. */
#define MODEL_STANDS_IN "a model stands in for it"
void model_json(const struct ctl *ctl, json_object *to);

/* target/priv.c */
/* Whether this process has CAP_@cap in force. */
bool priv_has(int cap);
/* What it lacks to see the files of all processes, in words; NULL = nothing. */
const char *priv_lacks_sight(void);
/* Keeps of its capabilities only those of @list. */
int priv_only(struct ctl *ctl, const int *list, size_t n);
/*
 * Gives up every capability: nothing after opening the device needs one.
 * Return: 0, or the exit status.
 */
int priv_drop(struct ctl *ctl);
/* Why opening @path was refused, in words; "" if nothing can be said. */
#define PRIV_TEXT 256
const char *priv_explain(const char *path, char buf[PRIV_TEXT]);

/* ----------------------------------------------------------- commands -- */

extern const struct opt probe_opts[], why_file_opts[], why_bind_opts[],
	why_attributes_opts[], run_opts[], batch_opts[], ps_opts[],
	populate_opts[], discard_opts[], load_opts[], policy_opts[], map_opts[],
	doctor_opts[], conform_opts[], target_opts[];
int cmd_commands(struct ctl *ctl, int argc, char **argv);
int cmd_probe(struct ctl *ctl, int argc, char **argv);
int cmd_why_create(struct ctl *ctl, int argc, char **argv);
int cmd_why_bind(struct ctl *ctl, int argc, char **argv);
int cmd_why_attributes(struct ctl *ctl, int argc, char **argv);
int cmd_run(struct ctl *ctl, int argc, char **argv);
int cmd_batch(struct ctl *ctl, int argc, char **argv);
int cmd_ps(struct ctl *ctl, int argc, char **argv);
int cmd_stat(struct ctl *ctl, int argc, char **argv);
int cmd_populate(struct ctl *ctl, int argc, char **argv);
int cmd_discard(struct ctl *ctl, int argc, char **argv);
int cmd_load(struct ctl *ctl, int argc, char **argv);
int cmd_policy(struct ctl *ctl, int argc, char **argv);
int cmd_map(struct ctl *ctl, int argc, char **argv);
int cmd_doctor(struct ctl *ctl, int argc, char **argv);
int cmd_conform(struct ctl *ctl, int argc, char **argv);
const struct cmd_word *batch_word(size_t index);

#endif
