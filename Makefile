# SPDX-License-Identifier: GPL-2.0
#
# blockpool: pools of fixed-size blocks, lent zero-copy by the kernel.
# "make help" lists what can be made. Everything is built below build/.

KERNEL ?= $(if $(KDIR),custom,6.1)
O := $(CURDIR)/build/host
MODDIR := $(CURDIR)/build/$(KERNEL)
GUEST := $(if $(filter uml%,$(KERNEL)),uml,vm)
CACHE = $(shell tools/vm/kernel path)

.NOTPARALLEL:	# the targets; what each of them runs may use -j
MAKEFLAGS += --no-print-directory -j$(shell nproc)
export KERNEL

# LLVM=1 means clang for the kernel; let it mean the same for everything else.
clang := $(or $(LLVM),$(findstring clang,$(CC)))
ifneq ($(clang),)
ifeq ($(origin CC),default)
CC := clang
endif
export CC
endif

# A command for the guest's shell: its dollars are not make's.
ifneq ($(origin CMD),undefined)
export override CMD := $(value CMD)
endif

.PHONY: all
all: lib tools		## the library and blockpoolctl (default)

# --- kernel side ---

# Real directories of links to the sources, one tree a kernel: objects of two
# kernels never mix and the source tree stays clean. Links to what is gone, or to
# another checkout that this one was copied from, go first, and all that was built
# for a kernel of another release.
define mirror
	@case '$(CURDIR)' in *[[:space:]:]*) \
		echo "kbuild cannot build in a path with spaces or colons" >&2; exit 1;; esac
	@[ ! -e '$(release)' ] || cmp -s '$(release)' $(MODDIR)/release || rm -rf $(MODDIR)
	@mkdir -p $(MODDIR)/selftests
	@[ ! -e '$(release)' ] || cp '$(release)' $(MODDIR)/release
	@find $(MODDIR) -type l \( -xtype l -o ! -lname '$(CURDIR)/*' \) -delete
	@cp -asn $(CURDIR)/Kbuild $(CURDIR)/common $(CURDIR)/kmod $(CURDIR)/uapi $(MODDIR)/
	@cp -asn $(CURDIR)/selftests/peer $(MODDIR)/selftests/
endef

ifdef KDIR
kdir = $(if $(wildcard $(KDIR)/Makefile),$(KDIR),$(error no kernel headers at KDIR=$(KDIR)))
else
kdir = $(CACHE)/kernels/$(KERNEL)/build
release = $(CACHE)/kernels/$(KERNEL)/release
modules: kernel

# A kernel that is built here: always with the compiler that built it.
ifneq ($(filter uml%,$(KERNEL)),)
kdir += ARCH=um CC=gcc-12 LLVM=
else ifeq ($(KERNEL),kcsan)
kdir += CC=gcc-12 LLVM=
else
# The headers lack the vmlinux that BTF is made from: do without a warning of it.
kdir += CONFIG_DEBUG_INFO_BTF_MODULES=

# Debian configured these kernels for gcc 12. For clang, turn off by name what
# it does not know; the module built so loads and works in the same kernel.
ifneq ($(clang),)
kdir += LLVM= CC=$(CC) CONFIG_CC_IS_GCC= CONFIG_CC_IS_CLANG=y \
	CONFIG_GCC_VERSION=0 CONFIG_CLANG_VERSION=140000 \
	CONFIG_RETHUNK= CONFIG_MITIGATION_RETHUNK= CONFIG_SLS= CONFIG_MITIGATION_SLS= \
	CONFIG_FUNCTION_TRACER= CONFIG_FTRACE_MCOUNT_USE_CC= \
	CONFIG_CC_HAS_AUTO_VAR_INIT_ZERO_BARE= CONFIG_CC_HAS_AUTO_VAR_INIT_ZERO_ENABLER=y \
	CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough \
	KCFLAGS='-Wno-duplicate-decl-specifier -DCC_USING_FENTRY $(KCFLAGS)'
endif
endif
endif

# The lock is for people who run two of our targets at once.
kbuild = flock $(MODDIR)/.lock $(MAKE) -C $(kdir)

.PHONY: modules
modules: setup-build	## blockpool.ko in build/KERNEL (KERNEL, see README.md, or KDIR=a kernel's build folder)
	$(mirror)
	+@$(kbuild) M=$(MODDIR) modules

# Builds a module that uses blockpool's symbols. Kbuild does not look whether those
# have changed since.
define user_module	# folder in MODDIR
	@[ ! $(MODDIR)/Module.symvers -nt $(1)/Module.symvers ] || rm -f $(1)/Module.symvers
	+@$(kbuild) M=$(1) KBUILD_EXTRA_SYMBOLS=$(MODDIR)/Module.symvers modules
endef

.PHONY: peer
peer: modules		## blockpool_peer.ko, the module's kernel-side user
	$(call user_module,$(MODDIR)/selftests/peer)

.PHONY: example
example: modules	## example.ko, of examples/kernel
	@cp -asfn $(CURDIR)/examples $(MODDIR)/
	$(call user_module,$(MODDIR)/examples/kernel)

.PHONY: bench-module
bench-module: modules	## blockpool_bench.ko, which measures it beside the kernel's own pools
	@mkdir -p $(MODDIR)/tools/bench/kernel
	@cp -asfn $(CURDIR)/tools/bench/kernel/module $(MODDIR)/tools/bench/kernel/
	$(call user_module,$(MODDIR)/tools/bench/kernel/module)

.PHONY: tcptap-module
tcptap-module: modules	## blockpool_tap.ko, which sends TCP segments to blockpool-tap
	@mkdir -p $(MODDIR)/tools/tcptap
	@cp -asfn $(CURDIR)/tools/tcptap/module $(MODDIR)/tools/tcptap/
	$(call user_module,$(MODDIR)/tools/tcptap/module)

# --- user side ---

.PHONY: lib
lib: setup-build	## libblockpool, static and shared
	@$(MAKE) -s -C lib O='$(O)/lib'

.PHONY: tools
tools: lib		## blockpoolctl, blockpool-tap
	@$(MAKE) -s -C tools/blockpoolctl O='$(O)/tools'
	@$(MAKE) -s -C tools/tcptap O='$(O)/tcptap'

.PHONY: install
install: all		## all of it, with manual pages and pkg-config file (PREFIX, DESTDIR)
	$(MAKE) -C lib install O='$(O)/lib'
	$(MAKE) -C tools/blockpoolctl install O='$(O)/tools'
	$(MAKE) -C tools/tcptap install O='$(O)/tcptap'

.PHONY: uninstall
uninstall:		## take them away again (PREFIX, DESTDIR)
	$(MAKE) -C lib uninstall
	$(MAKE) -C tools/blockpoolctl uninstall
	$(MAKE) -C tools/tcptap uninstall

# --- seeing it work ---

.PHONY: run
run: setup-run setup-vm all peer	## the demonstration, in a guest
	@tools/run

.PHONY: vm
vm: setup-$(GUEST) all modules	## CMD='...' in a guest, module loaded (KERNEL, CPUS, MEM, PARAMS, TIMEOUT)
	@PATH="$(O)/tools:$$PATH" tools/vm/vm

.PHONY: selftests
selftests: lib source	## the kselftest programs
	@$(MAKE) -s -C selftests O='$(O)/selftests' KSRC='$(CACHE)/source'

.PHONY: check
check: setup-check setup-$(GUEST) all peer tcptap-module selftests	## all tests, on this machine and in a guest (KERNEL, TESTS='name ...')
	@tools/check

.PHONY: check-host
check-host: setup-check setup-$(GUEST) all source	## those of them that this machine runs itself
	@tools/check host

.PHONY: check-guest
check-guest: setup-check setup-$(GUEST) all peer tcptap-module selftests	## those that a guest runs (KERNEL)
	@tools/check kernel

.PHONY: check-kernels
check-kernels:		## all tests, on all kernels (KERNELS='...'): before a release
	@tools/check-kernels

.PHONY: soak
soak: setup-check setup-$(GUEST) lib peer selftests	## the attacks in guests, for MINUTES=n (KERNEL)
	@tools/soak

.PHONY: kills
kills: setup-kills setup-$(GUEST) lib modules	## pools whose users are killed: the table, in build/kills (KERNEL, KILLS, RUNS)
	@tools/kills/kills

.PHONY: deaths
deaths:			## 6.12 dies under load: is what the post-mortem says true? (DEATHS=50, DEATHS_SEED)
	@$(MAKE) KERNEL=6.12 setup-check setup-vm all peer
	@tools/deaths/deaths

.PHONY: coverage
coverage:		## lines and branches of kmod/ and lib/ that tests run, the rest with reasons (build/coverage)
	@tools/coverage/coverage

.PHONY: mutants
mutants:		## bugs planted one by one: would the tests notice? (MUTANTS='name ...')
	@tools/mutants/run

.PHONY: bench
bench: all		## its cost beside its peers': tables and a picture in build/bench (QUICK=1)
	@tools/bench/bench

.PHONY: lint
lint: setup-lint setup-build kernel source	## checkpatch, sparse, W=1, shellcheck
	@tools/lint

# --- what the others need ---

.PHONY: setup-build setup-vm setup-uml setup-check setup-lint setup-run setup-kills
setup-build setup-vm setup-uml setup-check setup-lint setup-run setup-kills:
	@tools/setup $(@:setup-%=%)

.PHONY: kernel
kernel: setup-$(GUEST)	## the kernel and its headers into the cache (KERNEL)
	@tools/vm/kernel $(KERNEL)

.PHONY: source
source: setup-$(GUEST)	## the files of the kernel's source that tests and lint use, likewise
	@tools/vm/kernel source

.PHONY: clean
clean:			## what was built for this machine and for KERNEL
	rm -rf '$(O)' '$(MODDIR)'

.PHONY: distclean
distclean:		## all of build/ (the cache of kernels stays)
	rm -rf build

.PHONY: help
help:			## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s  %s\n", $$1, $$2 }' Makefile
