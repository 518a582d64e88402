/* SPDX-License-Identifier: GPL-2.0 */
/* The letter by which a client goes in the map, for as long as it lives. */
#ifndef BLOCKPOOLCTL_LETTERS_H
#define BLOCKPOOLCTL_LETTERS_H

#include "view.h"

#define NR_LETTERS	26U

struct letters {
	__u32 client[NR_LETTERS];	/* 0: the letter is to be had */
};

/*
 * A letter is given to a client when it is first seen to hold a block, and is
 * kept until that client has gone.
 */
void letters_update(struct letters *letters, const struct view *view);

/* 0 for A and so on; NR_LETTERS if it has none. */
unsigned int letter_of(const struct letters *letters, __u32 client);

#endif
