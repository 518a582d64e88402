/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel orders memory by, as TSan understands it. */
#ifndef HOST_SHIM_ATOMIC_H
#define HOST_SHIM_ATOMIC_H

#define cmpxchg(word, old, new) ({					\
	__typeof__(*(word)) __seen = (old);				\
									\
	__atomic_compare_exchange_n((word), &__seen, (new), false,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);\
	__seen;								\
})

#define smp_store_release(word, value) /* pairs as the kernel's does */	\
	__atomic_store_n((word), (value), __ATOMIC_RELEASE)

#endif /* HOST_SHIM_ATOMIC_H */
