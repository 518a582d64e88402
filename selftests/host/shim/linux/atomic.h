/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's fully ordered compare and exchange, as TSan understands it. */
#ifndef HOST_SHIM_ATOMIC_H
#define HOST_SHIM_ATOMIC_H

#define cmpxchg(word, old, new) ({					\
	__typeof__(*(word)) __seen = (old);				\
									\
	__atomic_compare_exchange_n((word), &__seen, (new), false,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);\
	__seen;								\
})

#endif /* HOST_SHIM_ATOMIC_H */
