// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "canary.h"
#include "guest.h"

#define LIMIT 60 /* seconds, for what takes a moment */
#define EXITS 4096

static void on_alarm(int sig)
{
	(void)sig;
}

static void limit(int seconds)
{
	struct itimerval t = {
		.it_value.tv_sec = seconds,
		.it_interval.tv_sec = seconds ? 1 : 0,
	};

	(void)setitimer(ITIMER_REAL, &t, NULL);
}

void guest_start(struct guest *s, struct live *l)
{
	live_need("private-memory");
	guest_start_type(s, l, GMEM_VM_SW_PROTECTED);
}

void guest_start_type(struct guest *s, struct live *l, uint32_t type)
{
	struct sigaction act = { .sa_handler = on_alarm };

	*s = (struct guest){ .l = l };
	live_vm(l, type);
	s->ram = live_memory(l, GUEST_RAM_SIZE, 0);
	t_code(raw_plain(gmem_vm_fd(l->vm), GUEST_RAM_SLOT, GUEST_RAM,
			 GUEST_RAM_SIZE, s->ram),
	       0);
	assert_true(flat_make(&s->vcpu, gmem_vm_fd(l->vm), 0));
	l->vcpu = s->vcpu.fd;
	l->run = (unsigned char *)s->vcpu.run;
	l->run_size = s->vcpu.size;
	sigaction(SIGALRM, &act, NULL);
}

struct code *guest_code(struct guest *s)
{
	s->code = (struct code){ .at = s->ram };
	s->mmio_in_slots = 0;
	s->mmio = 0;
	s->io = 0;
	s->leaks = 0;
	return &s->code;
}

static void look(struct guest *s, const unsigned char *data, size_t len)
{
	uint32_t word;

	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		s->leaks += canary_is(word);
	}
}

static void on_io(struct guest *s)
{
	struct kvm_run *run = s->vcpu.run;
	size_t len = (size_t)run->io.size * run->io.count;

	s->io++;
	if (run->io.direction == KVM_EXIT_IO_IN)
		memset(flat_io_data(&s->vcpu), 0x5a, len);
	else
		look(s, flat_io_data(&s->vcpu), len);
}

static bool in_a_slot(const struct guest *s, uint64_t gpa)
{
	struct gmem_slot slot = { .sz = sizeof(slot) };

	for (uint32_t id = 0; id < LIVE_SLOTS; id++)
		if (!gmem_slot_get(s->l->vm, id, 0, &slot, NULL) &&
		    gpa - slot.gpa < slot.len)
			return true;
	return false;
}

static void on_mmio(struct guest *s)
{
	struct kvm_run *run = s->vcpu.run;

	if (in_a_slot(s, run->mmio.phys_addr))
		s->mmio_in_slots++;
	else
		s->mmio++;
	if (run->mmio.is_write)
		look(s, run->mmio.data, run->mmio.len);
	else
		memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
}

int guest_on(struct guest *s)
{
	const struct kvm_run *run = s->vcpu.run;
	int r = 0;

	limit(LIMIT);
	for (int i = 0; r == 0 && i < EXITS; i++) {
		r = flat_run(&s->vcpu);
		if (r < 0)
			break;
		if (run->exit_reason == KVM_EXIT_IO)
			on_io(s);
		else if (run->exit_reason == KVM_EXIT_MMIO)
			on_mmio(s);
		else
			r = (int)run->exit_reason;
	}
	limit(0);
	assert_int_not_equal(r, -EINTR);
	assert_int_not_equal(r, 0);
	return r == KVM_EXIT_HLT ? 0 : r;
}

int guest_go(struct guest *s)
{
	code_halt(&s->code);
	assert_true(s->code.n < GUEST_RAM_SIZE / 2);
	flat_reset(&s->vcpu, GUEST_RAM, GUEST_RAM + GUEST_RAM_SIZE);
	return guest_on(s);
}

int guest_write(struct guest *s, uint64_t gpa, uint32_t value)
{
	code_store(guest_code(s), (uint32_t)gpa, value);
	return guest_go(s);
}

int guest_read(struct guest *s, uint64_t gpa, uint32_t *value)
{
	int r;

	code_load(guest_code(s), (uint32_t)gpa);
	r = guest_go(s);
	*value = flat_eax(&s->vcpu);
	return r;
}

void guest_convert(struct guest *s, uint64_t offset, uint64_t gpa, uint64_t len,
		   bool private)
{
	uint64_t value = private ? GMEM__ATTRIBUTE_PRIVATE : 0;

	if (live_has("in-place"))
		t_code(raw_file_attributes(gmem_fd(s->l->g), offset, len,
					   value),
		       0);
	else
		t_code(raw_attributes(gmem_vm_fd(s->l->vm), gpa, len, value),
		       0);
}
