// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../kmod/geometry.h"
#include "../../common/stack.h"
#include "model.h"
#include "model_port.h"

struct model model;
__thread bool model_inside;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bp_geometry geo;		/* all that follows is under the lock */
static struct bp_stack *stack;
static __u32 *owners;
static __u32 block_size;

static u32 blocks_with(u32 flags)
{
	return (flags & BLOCKPOOL_GUARD ? BP_GUARDED : 0) |
	       (flags & BLOCKPOOL_ISOLATED ? BP_PAGED : 0);
}

void model_init(__u32 size, __u32 nr_blocks)
{
	model_init_flags(size, nr_blocks, 0);
}

void model_init_flags(__u32 size, __u32 nr_blocks, __u32 flags)
{
	model = (struct model){ .fd = -1, .flags = flags };
	block_size = size;
	bp_geometry_init(&geo, size, nr_blocks, sysconf(_SC_PAGESIZE),
			 BP_CHUNK_EASY, blocks_with(flags));
	free(stack);
	free(owners);
	stack = calloc(1, bp_stack_bytes(nr_blocks));
	stack->size = nr_blocks;
	bp_stack_fill(stack);
	owners = calloc(nr_blocks, sizeof(*owners));
	model_ports_init(owners, nr_blocks);
}

__u32 model_held(void)
{
	__u32 i, held = 0;

	pthread_mutex_lock(&lock);
	for (i = 0; i < geo.nr_blocks; i++)
		held += owners[i] == MODEL_CLIENT;
	pthread_mutex_unlock(&lock);
	return held;
}

void model_own(__u32 index, __u32 owner)
{
	pthread_mutex_lock(&lock);
	owners[index] = owner;
	pthread_mutex_unlock(&lock);
}

void model_steal(__u32 index)
{
	model_own(index, MODEL_CLIENT + 1);
}

void model_lend(__u32 index)
{
	__u32 at = 0;

	pthread_mutex_lock(&lock);
	while (stack->elements[at] != index)
		at++;
	owners[bp_stack_take_at(stack, at)] = MODEL_CLIENT;
	pthread_mutex_unlock(&lock);
}

static int model_create(struct blockpool_create_args *args)
{
	model.created = *args;
	model.create_calls++;
	return args->size == sizeof(*args) ? 0 : EINVAL;
}

static int model_name(const struct blockpool_name_args *args, char *to)
{
	memcpy(to, args->name, sizeof(args->name));
	return args->size == sizeof(*args) && !args->flags ? 0 : EINVAL;
}

static int model_info(struct blockpool_info *info)
{
	if (info->size != sizeof(*info))
		return EINVAL;
	strcpy(info->name, "model");
	info->flags = model.flags;
	info->block_size = block_size;
	info->block_offset = geo.front;
	info->nr_blocks = geo.nr_blocks;
	info->stride = geo.stride;
	info->map_size = model.map_size ? model.map_size : geo.map_size;
	info->status_offset = geo.map_size;
	info->client_max = model.client_max;
	info->client = MODEL_CLIENT;
	return 0;
}

static int model_stats(struct blockpool_stats *stats)
{
	if (stats->size != sizeof(*stats))
		return EINVAL;
	stats->nr_blocks = geo.nr_blocks;
	stats->nr_free = stack->nr;
	stats->nr_held = geo.nr_blocks - stack->nr;
	return 0;
}

/* As many as are not wanted by others, not too many and within the limit. */
static u32 model_extra(const struct blockpool_alloc_args *args)
{
	u32 held = geo.nr_blocks - stack->nr, extra = args->extra;

	if (model.status->wanted)
		return 0;
	if (extra > stack->nr / 2)
		extra = stack->nr / 2;
	if (model.client_max && extra > model.client_max - held)
		extra = model.client_max - held;
	return extra;
}

/* Only pools that track look at the stack, as far as there is room for it. */
void model_stack(struct model_stack *to, __u64 frames, __u32 nr)
{
	if (!(model.flags & BLOCKPOOL_TRACK))
		return;
	to->nr = nr < BLOCKPOOL_FRAMES_MAX ? nr : BLOCKPOOL_FRAMES_MAX;
	memcpy(to->frames, (void *)(uintptr_t)frames,
	       to->nr * sizeof(*to->frames));
}

static int model_modules(const struct blockpool_modules_args *args)
{
	if (args->size != sizeof(*args) || !args->length ||
	    args->length > BLOCKPOOL_MODULES_SIZE)
		return EINVAL;
	if (!(model.flags & BLOCKPOOL_TRACK))
		return EOPNOTSUPP;
	memcpy(model.modules, (void *)(uintptr_t)args->text, args->length);
	model.modules[args->length] = '\0';
	model.nr_modules++;
	return 0;
}

static int model_owners(const struct blockpool_owners_args *args)
{
	if (args->size != sizeof(*args) || !args->count ||
	    args->first > geo.nr_blocks ||
	    args->count > geo.nr_blocks - args->first)
		return EINVAL;
	memcpy((void *)(uintptr_t)args->owners, owners + args->first,
	       args->count * sizeof(*owners));
	return 0;
}

static int model_alloc(struct blockpool_alloc_args *args)
{
	u32 *indices = (u32 *)(uintptr_t)args->indices;
	u32 batch[BLOCKPOOL_BATCH_MAX], extra, i;

	if (args->size != sizeof(*args) || !args->count ||
	    args->count > BLOCKPOOL_BATCH_MAX ||
	    args->extra > BLOCKPOOL_BATCH_MAX - args->count ||
	    (args->extra && args->flags))
		return EINVAL;
	model.timeout_ms = args->timeout_ms;
	model.nr_ioctls++;
	model.last_count = args->count + args->extra;
	model_stack(&model.alloc, args->frames, args->nr_frames);
	if (model.client_max &&
	    geo.nr_blocks - stack->nr + args->count > model.client_max)
		return EDQUOT;
	if (model.others_wait && !args->flags)
		return EAGAIN;
	if (!bp_stack_pop_bulk(stack, batch, args->count))
		return args->flags & BLOCKPOOL_ALLOC_WAIT ? ETIMEDOUT : EAGAIN;
	extra = model_extra(args);
	bp_stack_pop_bulk(stack, batch + args->count, extra);
	args->count += extra;
	for (i = 0; i < args->count; i++)
		owners[batch[i]] = MODEL_CLIENT;
	/* As copy_to_user() does, whatever the address is aligned to. */
	memcpy(indices, batch, args->count * sizeof(*batch));
	return 0;
}

static int model_free(struct blockpool_free_args *args)
{
	const u32 *indices = (const u32 *)(uintptr_t)args->indices;

	if (args->size != sizeof(*args) || !args->count ||
	    args->count > BLOCKPOOL_BATCH_MAX)
		return EINVAL;
	model.nr_ioctls++;
	model.last_count = args->count;
	model_stack(&model.free, args->frames, args->nr_frames);
	for (args->done = 0; args->done < args->count; args->done++) {
		u32 index = indices[args->done];

		model.last_index = index;
		if (index >= geo.nr_blocks)
			return EINVAL;
		if (owners[index] == BLOCKPOOL_OWNER_SHARED &&
		    model_share_end(index))
			continue;
		if (owners[index] != MODEL_CLIENT &&
		    owners[index] != BLOCKPOOL_OWNER_SHARED)
			return EPERM;
		owners[index] = BLOCKPOOL_OWNER_FREE;
		bp_stack_push(stack, index);
	}
	return 0;
}

static int dispatch(unsigned long request, void *arg)
{
	if (model.fail_error && request == model.fail_request)
		return model.fail_error;
	switch (request) {
	case BLOCKPOOL_IOC_CREATE:	return model_create(arg);
	case BLOCKPOOL_IOC_ATTACH:	return model_name(arg, model.attached);
	case BLOCKPOOL_IOC_UNLINK:	return model_name(arg, model.unlinked);
	case BLOCKPOOL_IOC_INFO:	return model_info(arg);
	case BLOCKPOOL_IOC_STATS:	return model_stats(arg);
	case BLOCKPOOL_IOC_ALLOC:	return model_alloc(arg);
	case BLOCKPOOL_IOC_FREE:	return model_free(arg);
	case BLOCKPOOL_IOC_OWNERS:	return model_owners(arg);
	case BLOCKPOOL_IOC_MODULES:	return model_modules(arg);
	default:			return model_port_ioctl(request, arg);
	}
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/blockpool"))
		return __real_open(path, flags);
	if (model.open_error) {
		errno = model.open_error;
		return -1;
	}
	model.open_flags = flags;
	model.fd = memfd_create("blockpool", MFD_CLOEXEC);
	if (model.fd < 0 ||
	    ftruncate(model.fd, geo.map_size + sizeof(*model.status)))
		return -1;
	model.status = __real_mmap(NULL, sizeof(*model.status),
				   PROT_READ | PROT_WRITE, MAP_SHARED, model.fd,
				   geo.map_size);
	if (model.status == MAP_FAILED)
		return -1;
	*model.status = (struct blockpool_status){
		.size = sizeof(*model.status),
		.cache_max = geo.nr_blocks / 8,
	};
	return model.fd;
}

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	void *memory;

	if (model.fail_mmap && !--model.fail_mmap) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	memory = __real_mmap(at, size, prot, flags, fd, offset);
	if (memory != MAP_FAILED && fd >= 0)
		madvise(memory, size, MADV_DONTFORK);
	return memory;
}

/* One of those that __wrap_open() made, by whatever number. */
static bool is_device(int fd)
{
	char path[32], name[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name) - 1) > 0 &&
	       !strcmp(name, "/memfd:blockpool (deleted)");
}

int __wrap_fstat(int fd, struct stat *file)
{
	int ret = __real_fstat(fd, file);

	if (!ret && is_device(fd))
		file->st_mode = S_IFCHR | 0666;
	return ret;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int error;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	model_inside = true;
	pthread_mutex_lock(&lock);
	error = is_device(fd) ? dispatch(request, arg) :
		fcntl(fd, F_GETFD) >= 0 ? ENOTTY : EBADF;
	pthread_mutex_unlock(&lock);
	model_inside = false;
	if (model.meanwhile && request == model.meanwhile_request) {
		void (*meanwhile)(void) = model.meanwhile;

		model.meanwhile = NULL;
		meanwhile();
	}
	if (!error)
		return 0;
	errno = error;
	return -1;
}
