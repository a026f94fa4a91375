// SPDX-License-Identifier: MIT
#include <sys/ioctl.h>

#include "flat.h"

#define PSTATE 0x3c5 /* EL1, no interrupts */
#define SCTLR_M 1ULL

static bool set(const struct flat *f, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(f->fd, KVM_SET_ONE_REG, &reg) == 0;
}

#define CORE(name)                                             \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
	 offsetof(struct kvm_regs, name) / sizeof(uint32_t))
#define SCTLR_EL1 ARM64_SYS_REG(3, 0, 1, 0, 0)
#define VBAR_EL1 ARM64_SYS_REG(3, 0, 12, 0, 0)

bool flat_init(struct flat *f, int vm)
{
	struct kvm_vcpu_init how;

	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &how) < 0)
		return false;
	how.features[0] |= 1U << KVM_ARM_VCPU_PSCI_0_2;
	return ioctl(f->fd, KVM_ARM_VCPU_INIT, &how) == 0;
}

/* An exception goes to the vectors, FLAT_VECTORS behind @pc. */
void flat_reset(struct flat *f, uint32_t pc, uint32_t sp)
{
	struct kvm_mp_state on = { .mp_state = KVM_MP_STATE_RUNNABLE };
	uint64_t sctlr = 0;
	struct kvm_one_reg reg = { .id = SCTLR_EL1, .addr = (uintptr_t)&sctlr };

	flat_complete(f);
	(void)ioctl(f->fd, KVM_GET_ONE_REG, &reg);
	(void)set(f, SCTLR_EL1, sctlr & ~SCTLR_M);
	(void)set(f, VBAR_EL1, pc + FLAT_VECTORS);
	(void)set(f, CORE(regs.pstate), PSTATE);
	(void)set(f, CORE(regs.pc), pc);
	(void)set(f, CORE(sp_el1), sp);
	(void)ioctl(f->fd, KVM_SET_MP_STATE, &on);
}
