# SlothFS: every command a developer or user types.  `make help` lists them.
#
# Variants live side by side: build/release, build/asan, build/tsan (VARIANT=...).  Sources are found
# by folder, so a new file needs no line here.

VARIANT ?= release
BUILD   := build/$(VARIANT)
GEN     := build/gen
PREFIX  ?= /usr/local
CC      := gcc

BASE_SRC   := $(wildcard base/*.c)
FSD_SRC    := $(wildcard fsd/*.c fsd/*/*.c)
WORKER_SRC := $(wildcard lua/host/*.c lua/modules/*.c)
RUNNER_SRC := $(wildcard tools/runner/*.c tools/runner/*/*.c)
ROWS       := $(wildcard mount-layout/*.rows)
TEMPLATES  := $(wildcard mount-layout/templates/*/*)
LUA_SRC    := $(wildcard lua/host/*.lua lua/sloth/*.lua)
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
VERSION    := $(shell cat VERSION)

FSD_GEN    := $(if $(ROWS),$(GEN)/rows.c) $(GEN)/templates.c
WORKER_GEN := $(GEN)/lua_sources.c

FSD_PKGS    := fuse3 sqlite3 libuv jansson libsodium yaml-0.1
WORKER_PKGS := lua5.4 libuv jansson
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
CFLAGS  := -std=gnu17 $(WARN) $(HARDEN) $(FLAGS_$(VARIANT)) -pthread
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
	@tools/dev/deps build test
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	@tools/dev/run

stop: ## stop the master that `make run` started
	@PATH="$(CURDIR)/build/release:$$PATH" sloth-runner master stop

all: $(PROGRAMS) ## build the programs

objects: $(OBJ) ## compile without linking

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

# ---- programs ----------------------------------------------------------------------------------

$(BUILD)/sloth-fsd: $(FSD_OBJ) $(BASE_OBJ)
	$(CC) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(call libs,$(FSD_PKGS))

$(BUILD)/sloth-worker: $(WORKER_OBJ) $(BASE_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(call libs,$(WORKER_PKGS)) -lm

$(BUILD)/sloth-runner: $(RUNNER_OBJ) $(BASE_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(call libs,$(RUNNER_PKGS))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- generated ---------------------------------------------------------------------------------

$(GEN)/rows.c: tools/gen/rows.lua $(ROWS)
	@mkdir -p $(@D)
	lua5.4 tools/gen/rows.lua c $(ROWS) > $@

$(GEN)/handlers.h: tools/gen/rows.lua $(ROWS)
	@mkdir -p $(@D)
	lua5.4 tools/gen/rows.lua h $(ROWS) > $@

$(FSD_OBJ): | $(GEN)/handlers.h

$(GEN)/templates.c: tools/gen/embed.lua $(TEMPLATES)
	@mkdir -p $(@D)
	lua5.4 tools/gen/embed.lua templates $(TEMPLATES) > $@

$(GEN)/lua_sources.c: tools/gen/embed.lua $(LUA_SRC)
	@mkdir -p $(@D)
	lua5.4 tools/gen/embed.lua lua_sources $(LUA_SRC) > $@

# ---- tools of the tests ------------------------------------------------------------------------

TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))
tools: $(TOOLS)
$(BUILD)/tools/%: tests/tools/%.c $(BASE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(call libs,$(FSD_PKGS))

# A bench links what the daemon is made of.
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libfsd.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(call libs,$(FSD_PKGS))

# ---- tests -------------------------------------------------------------------------------------
# A unit test links everything its program is made of but main().

$(BUILD)/libfsd.a: $(filter-out $(BUILD)/fsd/main.o,$(FSD_OBJ)) $(BASE_OBJ)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/libworker.a: $(filter-out $(BUILD)/lua/host/main.o,$(WORKER_OBJ)) $(BASE_OBJ)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/librunner.a: $(filter-out $(BUILD)/tools/runner/main.o,$(RUNNER_OBJ)) $(BASE_OBJ)
	rm -f $@ && ar rcs $@ $^

# tests/unit/test_lua_<file>.c tests a file of lua/, test_runner_<file>.c one of tools/runner/,
# test_<file>.c one of base/ or fsd/.
$(BUILD)/tests/test_lua_%: tests/unit/test_lua_%.c $(BUILD)/libworker.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/libworker.a $(call libs,$(WORKER_PKGS) $(TEST_PKGS)) -lm

$(BUILD)/tests/test_runner_%: tests/unit/test_runner_%.c $(BUILD)/librunner.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/librunner.a $(call libs,$(RUNNER_PKGS) $(TEST_PKGS))

$(BUILD)/tests/test_%: tests/unit/test_%.c $(BUILD)/libfsd.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/libfsd.a $(call libs,$(FSD_PKGS) $(TEST_PKGS))

UNIT_RUN = $(if $(T),$(foreach t,$(UNIT_BIN),$(if $(findstring $(T),$(t)),$(t))),$(UNIT_BIN))
unit: $$(UNIT_RUN) ## unit tests only (T=name runs what matches)
	$(if $(UNIT_RUN),prove --timer -e '' $(UNIT_RUN),@echo "no unit test matches '$(T)'")

E2E := $(sort $(wildcard tests/e2e/*.bats tests/fault/*.bats))
E2E_RUN = $(if $(T),$(foreach t,$(E2E),$(if $(findstring $(T),$(t)),$(t))),$(E2E))
e2e: all tools ## end-to-end tests on a real mount (T=name runs what matches)
	$(if $(E2E_RUN),BUILD=$(CURDIR)/$(BUILD) prove --timer -j2 -e 'bats --tap' $(E2E_RUN),@echo "no test matches '$(T)'")

FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_SECONDS ?= 10
build/fuzz/%: tests/fuzz/%.c $(BASE_SRC) $(FSD_SRC) $(FSD_GEN)
	@mkdir -p $(@D)
	clang-14 $(CPPFLAGS) -std=gnu17 -O1 -g -pthread -fsanitize=fuzzer,address,undefined -o $@ \
		$(filter-out fsd/main.c,$(filter %.c,$^)) $(call libs,$(FSD_PKGS))

fuzz: $(FUZZ) ## fuzz every parser for FUZZ_SECONDS each
	prove --timer -e 'tools/dev/fuzz $(FUZZ_SECONDS)' $(FUZZ)

check-asan: ## unit tests under the address and undefined-behaviour sanitizers
	$(MAKE) --no-print-directory VARIANT=asan unit

check-tsan: ## unit tests under the thread sanitizer
	$(MAKE) --no-print-directory VARIANT=tsan unit

check: ## every test, what is missing installed first
	@tools/dev/deps build test lint fuzz
	$(MAKE) --no-print-directory -j$$(nproc) all tools $(UNIT_BIN)
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory unit
	$(MAKE) --no-print-directory -j$$(nproc) VARIANT=asan unit
	$(MAKE) --no-print-directory -j$$(nproc) VARIANT=tsan unit
	$(MAKE) --no-print-directory -j$$(nproc) fuzz
	$(MAKE) --no-print-directory e2e

check-long: check ## the tests that take longer: hundreds of crashes, minutes of load
	SLOTH_TEST_LONG=1 $(MAKE) --no-print-directory e2e FUZZ_SECONDS=300 fuzz

bench: all tools $(BENCHES) ## measure, beside the machine's floor in the same run (JSON: build/bench.json)
	tests/bench/run

C_FILES   := $(shell git ls-files '*.[ch]' 2>/dev/null)
SH_FILES  := $(shell git ls-files 'tools/dev/*' '.ci/*' 'tests/bench/run' '*.bash' 2>/dev/null | grep -v packages)
LUA_FILES := $(shell git ls-files 'tools/*.lua' 'lua/*.lua' 2>/dev/null)
lint: $(FSD_GEN) ## formatting, house rules, static analysis, spelling
	@tools/dev/deps lint
	clang-format-14 --dry-run --Werror $(C_FILES)
	lua5.4 tools/lint/house.lua $(C_FILES)
	lua5.4 tools/gen/rows.lua doc $(ROWS) | diff -u docs/tree.md - || { echo "docs/tree.md is old: make format"; exit 1; }
	shellcheck -x $(SH_FILES)
	luacheck -q --std lua54 $(LUA_FILES)
	cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
		--suppressions-list=tools/lint/cppcheck.txt --include=tools/lint/cppcheck.h -I. $(filter %.c,$(C_FILES))
	codespell -q 3 --ignore-words tools/lint/words.txt $(shell git ls-files '*.md' '*.[ch]' '*.lua' '*.rows' 'tools/dev/*')

format: ## put every file into the house format, make docs/tree.md anew
	clang-format-14 -i $(C_FILES)
	lua5.4 tools/gen/rows.lua doc $(ROWS) > docs/tree.md

install: all ## install below DESTDIR/PREFIX
	install -Dm755 $(BUILD)/sloth-runner $(DESTDIR)$(PREFIX)/bin/sloth-runner
	install -Dm755 $(BUILD)/sloth-fsd $(DESTDIR)$(PREFIX)/libexec/sloth-runner/sloth-fsd
	install -Dm755 $(BUILD)/sloth-worker $(DESTDIR)$(PREFIX)/libexec/sloth-runner/sloth-worker

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/sloth-runner
	rm -rf $(DESTDIR)$(PREFIX)/libexec/sloth-runner

clean: ## remove what was built
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
