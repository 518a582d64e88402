// SPDX-License-Identifier: GPL-2.0
#include "letters.h"

static bool lives(const struct view *view, __u32 client)
{
	for (size_t i = 0; i < view->nr_holders; i++)
		if (view->holders[i].cursor == client)
			return true;
	return false;
}

unsigned int letter_of(const struct letters *letters, __u32 client)
{
	unsigned int i = 0;

	while (i < NR_LETTERS && letters->client[i] != client)
		i++;
	return i;
}

void letters_update(struct letters *letters, const struct view *view)
{
	for (unsigned int i = 0; i < NR_LETTERS; i++)
		if (!lives(view, letters->client[i]))
			letters->client[i] = 0;
	for (size_t i = 0; i < view->nr_holders; i++) {
		const struct blockpool_holder_args *h = &view->holders[i];
		unsigned int unused = letter_of(letters, 0);

		if (unused == NR_LETTERS)
			return;
		if (h->held && letter_of(letters, h->cursor) == NR_LETTERS)
			letters->client[unused] = h->cursor;
	}
}
