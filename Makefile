# SlothFS: every command a developer or user types.  `make help` lists them.
#
# Variants live side by side: build/release, build/asan, build/tsan, build/fuzz (VARIANT=...).  Sources
# are found by folder, so a new file needs no line here.  V=1 shows the commands in full.

VARIANT ?= release
BUILD   := build/$(VARIANT)
GEN     := build/gen
PREFIX  ?= /usr/local
CC      := $(if $(filter fuzz,$(VARIANT)),clang-14,gcc)

BASE_SRC   := $(wildcard base/*.c)
FSD_SRC    := $(wildcard fsd/*.c fsd/*/*.c)
WORKER_SRC := $(wildcard lua/host/*.c lua/modules/*.c)
RUNNER_SRC := $(wildcard tools/runner/*.c tools/runner/*/*.c)
ROWS       := $(wildcard mount-layout/*.rows)
TEMPLATES  := $(wildcard mount-layout/templates/*/*)
LUA_SRC    := $(wildcard lua/host/*.lua lua/sloth/*.lua)
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
VERSION    := $(shell cat VERSION)

MODULE_DOC := $(wildcard lua/modules/doc/*.lua)
FSD_GEN    := $(if $(ROWS),$(GEN)/rows.c) $(GEN)/templates.c $(GEN)/modules.c
WORKER_GEN := $(GEN)/lua_sources.c

FSD_PKGS    := fuse3 sqlite3 libuv jansson libsodium yaml-0.1
WORKER_PKGS := lua5.4 libuv jansson libcurl libpcre2-8 libseccomp
RUNNER_PKGS := jansson smartcols
TEST_PKGS   := check
PKGS := $(sort $(FSD_PKGS) $(WORKER_PKGS) $(RUNNER_PKGS) $(TEST_PKGS))
PKG_READY := $(shell pkg-config --exists $(PKGS) 2>/dev/null && echo yes)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
	-Wformat=2 -Wimplicit-fallthrough -Werror
CPPFLAGS := -I. -I$(GEN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 \
	-DSLOTH_VERSION='"$(VERSION)"' $(if $(PKG_READY),$(shell pkg-config --cflags $(PKGS)))
HARDEN := -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=3
FLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_tsan    := -O1 -g -fsanitize=thread
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined
CFLAGS  := -std=gnu17 $(if $(filter fuzz,$(VARIANT)),,$(WARN)) $(HARDEN) $(FLAGS_$(VARIANT)) -pthread
LDFLAGS := $(LDHARDEN) $(filter -fsanitize%,$(FLAGS_$(VARIANT))) -pthread
libs = $(shell pkg-config --libs $(1))

objs = $(patsubst %.c,$(BUILD)/%.o,$(filter-out build/%,$(1))) $(patsubst build/%.c,$(BUILD)/%.o,$(filter build/%,$(1)))
BASE_OBJ   := $(call objs,$(BASE_SRC))
FSD_OBJ    := $(call objs,$(FSD_SRC) $(FSD_GEN))
WORKER_OBJ := $(call objs,$(WORKER_SRC) $(WORKER_GEN))
RUNNER_OBJ := $(call objs,$(RUNNER_SRC))
PROGRAMS   := $(BUILD)/sloth-fsd $(BUILD)/sloth-worker $(BUILD)/sloth-runner
OBJ        := $(BASE_OBJ) $(FSD_OBJ) $(WORKER_OBJ) $(RUNNER_OBJ)
UNIT_BIN   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))

# One short line a step; none with make -s.
JOBS  = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
Q    := $(if $(V),,@)
step  = @$(if $(SILENT)$(V),:,printf '  %-5s %s\n' $(1) $@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:
.PHONY: all tools objects help deps run stop check check-asan check-tsan check-long e2e fuzz bench lint \
	format install uninstall clean unit FORCE

# Commands that must work on a bare machine install what is missing first, then start make anew, so
# that pkg-config is asked after the packages are there.
deps: ## install the Debian packages that are missing
	@tools/dev/deps build test lint fuzz

run: ## build, start a master for this user, and show what it does
	@tools/dev/deps build
	@$(if $(wildcard $(PROGRAMS)),,echo "building (a minute or so the first time) ...")
	@$(MAKE) --no-print-directory -s $(JOBS) VARIANT=release all
	@tools/dev/run

stop: ## stop the master that `make run` started
	@tools/dev/run stop

all: $(PROGRAMS) ## build the programs

objects: $(OBJ) ## compile without linking

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

# ---- programs ----------------------------------------------------------------------------------

$(BUILD)/sloth-fsd: $(FSD_OBJ) $(BASE_OBJ)
	$(call step,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(call libs,$(FSD_PKGS))

$(BUILD)/sloth-worker: $(WORKER_OBJ) $(BASE_OBJ)
	$(call step,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call libs,$(WORKER_PKGS)) -lm

$(BUILD)/sloth-runner: $(RUNNER_OBJ) $(BASE_OBJ)
	$(call step,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call libs,$(RUNNER_PKGS))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call step,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	$(call step,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- generated ---------------------------------------------------------------------------------

$(GEN)/rows.c: tools/gen/rows.lua $(ROWS)
	@mkdir -p $(@D)
	$(call step,GEN)
	$(Q)lua5.4 tools/gen/rows.lua c $(ROWS) > $@

$(GEN)/handlers.h: tools/gen/rows.lua $(ROWS)
	@mkdir -p $(@D)
	$(call step,GEN)
	$(Q)lua5.4 tools/gen/rows.lua h $(ROWS) > $@

$(FSD_OBJ): | $(GEN)/handlers.h

# Written again only when the commit is another one: what includes it is not built for nothing.
$(GEN)/source_commit.h: FORCE
	@mkdir -p $(@D)
	@new=$@.$$$$; { git log -1 --format='#define SOURCE_COMMIT "%h"%n#define SOURCE_DATE "%cs"' 2>/dev/null || \
		printf '#define SOURCE_COMMIT "unknown"\n#define SOURCE_DATE "unknown"\n'; } > $$new && \
		if cmp -s $$new $@; then rm $$new; else mv $$new $@; fi
FORCE:

$(BUILD)/tools/runner/cmd_version.o: $(GEN)/source_commit.h

$(GEN)/templates.c: tools/gen/embed.lua $(TEMPLATES)
	@mkdir -p $(@D)
	$(call step,GEN)
	$(Q)lua5.4 tools/gen/embed.lua templates $(TEMPLATES) > $@

# What the mount says of each Lua module, to people (.txt) and to language servers (.lua).
MODULE_PAGES := $(foreach m,$(MODULE_DOC:lua/modules/doc/%.lua=%),$(GEN)/modules/$(m).txt $(GEN)/modules/$(m).lua)
SETTING_READERS := lua/host/meta.c lua/host/meta_rules.c
$(GEN)/modules.c: tools/gen/modules.lua tools/gen/embed.lua mount-layout/hooks.rows $(SETTING_READERS) $(MODULE_DOC)
	@mkdir -p $(GEN)/modules
	$(call step,GEN)
	$(Q)lua5.4 $< $(GEN)/modules mount-layout/hooks.rows $(SETTING_READERS) -- $(MODULE_DOC)
	$(Q)lua5.4 tools/gen/embed.lua modules $(MODULE_PAGES) > $@

$(GEN)/lua_sources.c: tools/gen/embed.lua $(LUA_SRC)
	@mkdir -p $(@D)
	$(call step,GEN)
	$(Q)lua5.4 tools/gen/embed.lua lua_sources $(LUA_SRC) > $@

# ---- tools of the tests ------------------------------------------------------------------------

TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))
PRELOADS := $(patsubst tests/preload/%.c,$(BUILD)/tools/%.so,$(wildcard tests/preload/*.c))
tools: $(TOOLS) $(PRELOADS)
$(BUILD)/tools/%: tests/tools/%.c $(BASE_OBJ)
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(call libs,$(FSD_PKGS))

# Loaded into the daemon by a test, to make its machine a worse one.
$(BUILD)/tools/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $<

# A bench links what the daemon is made of.
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libfsd.a
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(call libs,$(FSD_PKGS))

# ---- tests -------------------------------------------------------------------------------------
# A unit test links everything its program is made of but main().

$(BUILD)/libfsd.a: $(filter-out $(BUILD)/fsd/main.o,$(FSD_OBJ)) $(BASE_OBJ)
	$(call step,AR)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/libworker.a: $(filter-out $(BUILD)/lua/host/main.o,$(WORKER_OBJ)) $(BASE_OBJ)
	$(call step,AR)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/librunner.a: $(filter-out $(BUILD)/tools/runner/main.o,$(RUNNER_OBJ)) $(BASE_OBJ)
	$(call step,AR)
	$(Q)rm -f $@ && ar rcs $@ $^

# tests/unit/test_lua_<file>.c tests a file of lua/, test_runner_<file>.c one of tools/runner/,
# test_<file>.c one of base/ or fsd/.
$(BUILD)/tests/test_lua_%: tests/unit/test_lua_%.c $(BUILD)/libworker.a
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/libworker.a $(call libs,$(WORKER_PKGS) $(TEST_PKGS)) -lm

$(BUILD)/tests/test_runner_%: tests/unit/test_runner_%.c $(BUILD)/librunner.a
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/librunner.a $(call libs,$(RUNNER_PKGS) $(TEST_PKGS))

$(BUILD)/tests/test_%: tests/unit/test_%.c $(BUILD)/libfsd.a
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/libfsd.a $(call libs,$(FSD_PKGS) $(TEST_PKGS))

matching = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$(t)),$(t))),$(1))
UNIT_RUN = $(call matching,$(UNIT_BIN))
unit: $$(UNIT_RUN) ## unit tests only (T=name runs what matches)
	$(if $(UNIT_RUN),@CK_DEFAULT_TIMEOUT=30 CK_TIMEOUT_MULTIPLIER=$(if $(filter release,$(VARIANT)),4,10) tools/dev/prove '' $(UNIT_RUN),@echo "no unit test matches '$(T)'")

E2E := $(sort $(wildcard tests/e2e/*.bats tests/fault/*.bats))
E2E_RUN = $(call matching,$(E2E))
e2e: all tools ## end-to-end tests on a real mount (T=name runs what matches)
	$(if $(E2E_RUN),@BUILD=$(CURDIR)/$(BUILD) tools/dev/prove 'bats --tap --print-output-on-failure' $(E2E_RUN),@echo "no end-to-end test matches '$(T)'")

# A fuzzer is linked like a unit test, from objects made for it by clang.
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/bin/%,$(wildcard tests/fuzz/*.c))
FUZZ_RUN = $(call matching,$(FUZZ))
FUZZ_SECONDS ?= 0
build/fuzz/bin/lua_%: tests/fuzz/lua_%.c build/fuzz/libworker.a
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(call libs,$(WORKER_PKGS)) -lm

build/fuzz/bin/%: tests/fuzz/%.c build/fuzz/libfsd.a
	@mkdir -p $(@D)
	$(call step,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(call libs,$(FSD_PKGS))

fuzz: ## fuzz every parser: a few thousand inputs, or FUZZ_SECONDS of others (T=name runs what matches)
	@$(if $(FUZZ_RUN),$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZ_RUN),)
	$(if $(FUZZ_RUN),@tools/dev/prove 'tools/dev/fuzz $(FUZZ_SECONDS)' $(FUZZ_RUN),@echo "no fuzzer matches '$(T)'")

check-asan: ## unit tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory $(JOBS) VARIANT=asan unit

check-tsan: ## unit tests under the thread sanitizer
	@$(MAKE) --no-print-directory $(JOBS) VARIANT=tsan unit

# One after the other, so that a failure stands at the end.  What is built for no test's sake first.
part = @echo "== $(1)"
check: ## every test, what is missing installed first (T=name runs what matches)
	@tools/dev/deps build test lint fuzz
	$(call part,build)
	@$(MAKE) --no-print-directory -s $(JOBS) all tools $(UNIT_BIN)
	$(call part,lint)
	@$(MAKE) --no-print-directory -s lint
	$(call part,unit tests)
	@$(MAKE) --no-print-directory -s unit
	$(call part,unit tests with address and undefined-behaviour sanitizers)
	@$(MAKE) --no-print-directory -s check-asan
	$(call part,unit tests with the thread sanitizer)
	@$(MAKE) --no-print-directory -s check-tsan
	$(call part,fuzzers)
	@$(MAKE) --no-print-directory -s $(JOBS) fuzz
	$(call part,end-to-end tests)
	@$(MAKE) --no-print-directory -s e2e

check-long: check ## the tests that take longer: hundreds of crashes, minutes of load
	@SLOTH_TEST_LONG=1 $(MAKE) --no-print-directory e2e FUZZ_SECONDS=300 fuzz

bench: all tools $(BENCHES) ## measure, beside the machine's floor in the same run (JSON: build/bench.json)
	tests/bench/run

C_FILES   := $(wildcard $(foreach d,base fsd fsd/* lua/* tools/runner tools/lint tests/*,$(d)/*.[ch]))
SH_FILES  := $(wildcard .ci/run tools/dev/deps tools/dev/fuzz tools/dev/prove tools/dev/run tests/bench/run tests/*/*.bash)
LUA_FILES := $(wildcard tools/*/*.lua) $(LUA_SRC)
TEXTS     := $(C_FILES) $(SH_FILES) $(LUA_FILES) $(MODULE_DOC) $(TEMPLATES) $(ROWS) $(wildcard *.md docs/*.md docs/*/*.md docs/man/* docs/examples/*/*)
lint: ## formatting, house rules, static analysis, spelling
	@tools/dev/deps lint
	@clang-format-14 --dry-run --Werror $(C_FILES)
	@lua5.4 tools/lint/house.lua $(C_FILES)
	@lua5.4 tools/gen/rows.lua doc $(ROWS) | diff -u docs/tree.md - || { echo "docs/tree.md is old: make format"; exit 1; }
	@shellcheck -x -e SC2016 $(SH_FILES) # wait_for takes its condition in single quotes
	@luacheck -q --formatter plain --std lua54 $(LUA_FILES)
	@luacheck -q --formatter plain --std lua54 $(patsubst lua/modules/doc/%.lua,--read-globals %,$(MODULE_DOC)) \
		-- $(filter %.lua,$(TEMPLATES))
	@cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 -j$$(nproc) \
		--suppressions-list=tools/lint/cppcheck.txt --include=tools/lint/cppcheck.h -I. $(filter %.c,$(C_FILES))
	@codespell -q 3 --ignore-words tools/lint/words.txt $(TEXTS)
	@echo "lint: $(words $(C_FILES)) C files, $(words $(SH_FILES)) shell, $(words $(LUA_FILES)) Lua: clean"

format: ## put every file into the house format, make docs/tree.md anew
	clang-format-14 -i $(C_FILES)
	lua5.4 tools/gen/rows.lua doc $(ROWS) > docs/tree.md

# Programs that only sloth-runner starts are kept out of PATH.
BINDIR     := $(DESTDIR)$(PREFIX)/bin
LIBEXECDIR := $(DESTDIR)$(PREFIX)/libexec/sloth-runner
MANDIR     := $(DESTDIR)$(PREFIX)/share/man/man1
install: all ## install below DESTDIR and PREFIX (/usr/local)
	install -Dm755 -t $(BINDIR) $(BUILD)/sloth-runner
	install -Dm755 -t $(LIBEXECDIR) $(BUILD)/sloth-fsd $(BUILD)/sloth-worker
	install -Dm644 -t $(MANDIR) docs/man/sloth-runner.1

uninstall: ## remove what install put there
	rm -f $(BINDIR)/sloth-runner $(MANDIR)/sloth-runner.1
	rm -f $(LIBEXECDIR)/sloth-fsd $(LIBEXECDIR)/sloth-worker
	rmdir $(LIBEXECDIR) 2>/dev/null || true

clean: ## remove what was built
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
