// SPDX-License-Identifier: GPL-2.0
/* Calls a function in NMI context on a CPU of choice. */

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/processor.h>

#include "peer.h"

#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/nmi.h>

#define PEER_NMI_NAME	"blockpool_peer"

/* What a CPU's next NMI is for; the sender claims it, and the NMI lets go. */
struct peer_nmi {
	atomic_t claimed;
	void (*function)(void *arg);
	void *arg;
};

static DEFINE_PER_CPU(struct peer_nmi, peer_nmis);

/* One NMI may stand for two that were sent: ours is told by its function. */
static int peer_nmi_handle(unsigned int type, struct pt_regs *regs)
{
	struct peer_nmi *nmi = this_cpu_ptr(&peer_nmis);
	/* Pairs with smp_store_release() in peer_nmi_send(). */
	void (*function)(void *arg) = smp_load_acquire(&nmi->function);

	if (!function)
		return NMI_DONE;
	function(nmi->arg);
	nmi->function = NULL;
	/* Pairs with the acquire of whoever sends or waits next. */
	atomic_set_release(&nmi->claimed, 0);
	return NMI_HANDLED;
}

int peer_nmi_init(void)
{
	return register_nmi_handler(NMI_LOCAL, peer_nmi_handle, 0,
				    PEER_NMI_NAME);
}

void peer_nmi_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, PEER_NMI_NAME);
}

bool peer_nmi_there(void)
{
	return true;
}

/* False if one is still on its way there.  In any context. */
bool peer_nmi_send(int cpu, void (*function)(void *arg), void *arg)
{
	struct peer_nmi *nmi = per_cpu_ptr(&peer_nmis, cpu);

	if (atomic_cmpxchg_acquire(&nmi->claimed, 0, 1))
		return false;
	nmi->arg = arg;
	/* Pairs with smp_load_acquire() in peer_nmi_handle(). */
	smp_store_release(&nmi->function, function);
	apic->send_IPI(cpu, NMI_VECTOR);
	return true;
}

/* Until none is on its way there. */
void peer_nmi_wait(int cpu)
{
	while (atomic_read_acquire(&per_cpu_ptr(&peer_nmis, cpu)->claimed))
		cpu_relax();
}

#else /* CONFIG_X86_LOCAL_APIC */

int peer_nmi_init(void)
{
	return 0;
}

void peer_nmi_exit(void)
{
}

bool peer_nmi_there(void)
{
	return false;
}

bool peer_nmi_send(int cpu, void (*function)(void *arg), void *arg)
{
	return false;
}

void peer_nmi_wait(int cpu)
{
}

#endif /* CONFIG_X86_LOCAL_APIC */
