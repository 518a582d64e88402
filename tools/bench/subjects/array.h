/* SPDX-License-Identifier: GPL-2.0 */
/* The thread-local array where it is reached by calls. */
#ifndef BENCH_ARRAY_H
#define BENCH_ARRAY_H

void array_fill(char *memory, unsigned int blocks, unsigned int block_size);
void *array_take(void);
void array_give(void *block);
void array_take_bulk(void **blocks, unsigned int n);
void array_give_bulk(void **blocks, unsigned int n);

#endif /* BENCH_ARRAY_H */
