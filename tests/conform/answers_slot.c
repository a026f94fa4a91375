// SPDX-License-Identifier: MIT
/* What is answered to slots, and what a guest meets in them. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "answers.h"
#include "macros.h"
#include "uapi.h"
#include "uapi_proposed.h"

static int64_t set(int vm, uint32_t slot, uint32_t flags, uint64_t gpa,
		   uint64_t len, uint64_t addr, int fd, uint64_t offset)
{
	const struct gmem__region2 r = {
		.region = { .slot = slot,
			    .flags = flags,
			    .guest_phys_addr = gpa,
			    .memory_size = len,
			    .userspace_addr = addr },
		.guest_memfd = (uint32_t)fd,
		.guest_memfd_offset = offset,
	};

	return ioc(vm, GMEM__KVM_SET_USER_MEMORY_REGION2, &r);
}

static void drop(int vm, uint32_t slot)
{
	(void)set(vm, slot, 0, 0, 0, 0, -1, 0);
}

static void flags_of_slots(int vm, int fd)
{
	struct gmem__region one = { .memory_size = page };

	head("flags of a slot");
	for (uint32_t flags = 0; flags < 17; flags++) {
		say_n("", flags, set(vm, 0, flags, 0, page, 0, fd, 0));
		drop(vm, 0);
		one.flags = flags;
		say_n("first ", flags,
		      ioc(vm, GMEM__KVM_SET_USER_MEMORY_REGION, &one));
		drop(vm, 0);
	}
	say("NULL", ioc(vm, GMEM__KVM_SET_USER_MEMORY_REGION, NULL));
	say("NULL", ioc(vm, GMEM__KVM_SET_USER_MEMORY_REGION2, NULL));
}

static void numbers_of_slots(int vm)
{
	static const uint32_t ids[] = {
		0,
		1,
		509,
		32763,
		32764,
		32766,
		32767,
		32768,
		65535,
		1 << 16,
		1 << 16 | 1,
		2 << 16,
		1 << 16 | 32763,
		1 << 16 | 32764,
		UINT32_MAX,
	};
	struct gmem_model_slot s = { .sz = sizeof(s) };

	head("numbers of slots");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		say_n("", ids[i], set(vm, ids[i], 0, 0, page, 0, -1, 0));
		say("has", gmem_model_get_slot(kernel, ids[i] & 0xffff,
					       ids[i] >> 16, &s, NULL));
		say("as a whole",
		    gmem_model_get_slot(kernel, ids[i], 0, &s, NULL));
		say("gone", set(vm, ids[i], 0, 0, 0, 0, -1, 0));
		say("again", set(vm, ids[i], 0, 0, 0, 0, -1, 0));
	}
}

static void places_of_slots(int vm, int fd)
{
	const uint64_t at[] = {
		0,	    1,		page,	    1ULL << 36, 1ULL << 40,
		1ULL << 48, 1ULL << 52, 1ULL << 63, -page,
	};
	const uint64_t sizes[] = {
		1,
		page,
		2 * page,
		page / 2,
		GMEM__SLOT_MAX_PAGES * page,
		(GMEM__SLOT_MAX_PAGES + 1) * page,
		1ULL << 46,
		1ULL << 47,
		1ULL << 63,
		-page,
	};

	head("places of slots");
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
			say_n("", i << 8 | n,
			      set(vm, 0, 0, at[i], sizes[n], 0, -1, 0));
			drop(vm, 0);
			say_n("below ", i << 8 | n,
			      set(vm, 0, 0, at[i] - sizes[n], sizes[n], 0, -1,
				  0));
			drop(vm, 0);
			say_n("from ", i << 8 | n,
			      set(vm, 0, 0, 0, page, at[i] - sizes[n], -1, 0));
			drop(vm, 0);
			say_n("file ", i << 8 | n,
			      set(vm, 0, GMEM__MEM_GUEST_MEMFD, 0, sizes[n], 0,
				  fd, at[i]));
			drop(vm, 0);
		}
	head("parts of a file");
	for (uint64_t o = 0; o <= FILE_PAGES + 1; o++)
		for (uint64_t n = 1; n <= FILE_PAGES + 1; n += FILE_PAGES / 2) {
			say_n("", o << 8 | n,
			      set(vm, 0, GMEM__MEM_GUEST_MEMFD, 0, n * page, 0,
				  fd, o * page));
			drop(vm, 0);
		}
	say("odd", set(vm, 0, GMEM__MEM_GUEST_MEMFD, 0, page, 0, fd, 1));
	say("unused", set(vm, 0, 0, 0, page, 0, fd, 1));
	drop(vm, 0);
	say("VM", set(vm, 0, GMEM__MEM_GUEST_MEMFD, 0, page, 0, vm, 0));
	say("other", set(vm, 0, GMEM__MEM_GUEST_MEMFD, 0, page, 0, 0, 0));
	say("closed", set(vm, 0, GMEM__MEM_GUEST_MEMFD, 0, page, 0, -1, 0));
}

/* Beside a slot at pages 8 to 11 with the pages 2 to 5 of the file. */
static void beside(int vm, int fd)
{
	const uint32_t with = GMEM__MEM_GUEST_MEMFD;

	if (set(vm, 3, with, 8 * page, 4 * page, page, fd, 2 * page))
		return;
	head("beside another");
	for (uint64_t gpa = 5; gpa < 14; gpa++)
		for (uint64_t n = 1; n < 9; n += 3) {
			say_n("", gpa << 8 | n,
			      set(vm, 4, 0, gpa * page, n * page, 0, -1, 0));
			drop(vm, 4);
		}
	for (uint64_t o = 0; o < FILE_PAGES; o++) {
		say_n("offset ", o, set(vm, 4, with, 0, page, 0, fd, o * page));
		drop(vm, 4);
		say_n("two ", o,
		      set(vm, 4, with, 0, 2 * page, 0, fd, o * page));
		drop(vm, 4);
		say_n("high ", o,
		      set(vm, 4, with, 1ULL << 60, page, 0, fd, o * page));
	}
	say("elsewhere", set(vm, 1 << 16, 0, 8 * page, page, 0, -1, 0));
	drop(vm, 1 << 16);
	head("changed");
	say("same", set(vm, 3, with, 8 * page, 4 * page, page, fd, 2 * page));
	say("no file", set(vm, 3, 0, 8 * page, 4 * page, page, -1, 0));
	drop(vm, 3);
	if (set(vm, 3, 0, 8 * page, 4 * page, page, -1, 0) ||
	    set(vm, 4, 0, 16 * page, 4 * page, page, -1, 0))
		return;
	say("same", set(vm, 3, 0, 8 * page, 4 * page, page, -1, 0));
	say("log", set(vm, 3, 1, 8 * page, 4 * page, page, -1, 0));
	say("readonly", set(vm, 3, 2, 8 * page, 4 * page, page, -1, 0));
	say("file", set(vm, 3, with, 8 * page, 4 * page, page, fd, 0));
	say("address", set(vm, 3, 0, 8 * page, 4 * page, 0, -1, 0));
	say("shorter", set(vm, 3, 0, 8 * page, 3 * page, page, -1, 0));
	for (uint64_t gpa = 0; gpa < 22; gpa += 2)
		say_n("moved ", gpa,
		      set(vm, 3, 0, gpa * page, 4 * page, page, -1, 0));
	say("moved high", set(vm, 3, 0, 1ULL << 60, 4 * page, page, -1, 0));
	drop(vm, 3);
	drop(vm, 4);
}

void slots(int vm)
{
	for (uint64_t flags = 0; flags < 4; flags++) {
		int fd = (int)new_file(vm, FILE_PAGES * page, flags);

		if (fd < 0)
			continue;
		head("slots of a file of flags");
		tell("", flags);
		flags_of_slots(vm, fd);
		places_of_slots(vm, fd);
		beside(vm, fd);
		(void)sys(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
	}
	numbers_of_slots(vm);
}

/* ----------------------------------------------------------------- guests --
 */

enum {
	RUN_BYTES = 64,
	EXIT_REASON = 8,
	EXIT_DATA = 32,
};

/* What struct kvm_run says behind an access, byte by byte. */
static void access_one(const char *what, uint64_t n, uint64_t gpa, size_t len,
		       uint32_t flags, size_t room)
{
	unsigned char run[RUN_BYTES] = { 0 };
	struct gmem_error err = { .sz = sizeof(err) };
	char buf[16] = "guest's bytes..", name[40], text[120];
	int64_t r = gmem_model_access(kernel, gpa, buf, len, flags, run, room,
				      &err);
	int at = snprintf(text, sizeof(text), "%lld/%llu/%u", (long long)r,
			  (unsigned long long)err.done, run[EXIT_REASON]);

	for (int i = EXIT_DATA; i < RUN_BYTES; i++)
		if (run[i])
			at += snprintf(text + at, sizeof(text) - (size_t)at,
				       "/%d:%x", i, run[i]);
	if (!(flags & GMEM_MODEL_WRITE) && memcmp(buf, "guest's bytes..", 16))
		(void)snprintf(text + at, sizeof(text) - (size_t)at, "/%.8s",
			       buf[0] ? buf : "zero");
	(void)snprintf(name, sizeof(name), "%s%llx", what,
		       (unsigned long long)n);
	answer(name, text);
}

/* Each by its flags: read or write, private or not, or KVM's own. */
static void accesses(const char *what)
{
	const uint64_t at[] = { 0,	  page - 4,	2 * page - 4,
				4 * page, 8 * page - 4, 8 * page,
				12 * page };

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		head(what);
		tell("at ", at[i] / (page / 4));
		for (uint32_t flags = 0; flags < 8; flags++)
			access_one("", flags, at[i], 8, flags, RUN_BYTES);
	}
}

static void short_ones(void)
{
	head("short");
	for (size_t len = 0; len < 16; len++)
		access_one("", len, 20 * page, len, len & 1, RUN_BYTES);
	head("little room");
	for (size_t room = 8; room < RUN_BYTES; room += 4)
		access_one("", room, 20 * page, 8, 1, room);
	head("no run");
	say("",
	    gmem_model_access(kernel, 0, (char[1]){ 0 }, 1, 0, NULL, 64, NULL));
}

/*
 * Pages 0 to 3 in a slot of memory, 4 to 7 of a file that is read-only where
 * that can be, 8 to 11 in one of the file, whose userspace_addr is memory.
 */
void guests(int vm)
{
	const uint64_t len = 4 * page;
	char *memory = mmap(NULL, 3 * len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t addr = (uintptr_t)memory;

	for (uint64_t flags = 0; flags < 4; flags++) {
		struct gmem__attributes a = { .address = 0,
					      .size = 10 * page,
					      .attributes = 8 };
		struct gmem__attributes2 b = { .offset = page,
					       .size = page,
					       .attributes = 8 };
		int fd = (int)new_file(vm, FILE_PAGES * page, flags);

		if (fd < 0)
			continue;
		memset(memory, 'm', 3 * len);
		head("guest of a file of flags");
		tell("", flags);
		say("memory", set(vm, 0, 0, 0, len, addr, -1, 0));
		say("readonly", set(vm, 1, 2, len, len, addr + len, -1, 0));
		say("file",
		    set(vm, 2, 4, 2 * len, len, addr + 2 * len, fd, 2 * page));
		accesses("before");
		(void)ioc(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a);
		(void)ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &b);
		b.offset = 3 * page;
		(void)ioc(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &b);
		accesses("private");
		(void)gmem_model_poison(kernel, fd, 2 * page, page, NULL);
		accesses("poisoned");
		(void)sys(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
		accesses("closed");
		for (uint32_t slot = 0; slot < 3; slot++)
			drop(vm, slot);
		a.attributes = 0;
		(void)ioc(vm, GMEM__KVM_SET_MEMORY_ATTRIBUTES, &a);
	}
	short_ones();
	(void)munmap(memory, 3 * len);
}
