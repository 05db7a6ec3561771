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
LUA_SRC    := $(wildcard lua/sloth/*.lua)
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
.PHONY: all objects help deps clean unit

all: $(PROGRAMS) ## build the programs

objects: $(OBJ) ## compile without linking

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# ---- programs ----------------------------------------------------------------------------------

$(BUILD)/sloth-fsd: $(FSD_OBJ) $(BASE_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(call libs,$(FSD_PKGS))

$(BUILD)/sloth-worker: $(WORKER_OBJ) $(BASE_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(call libs,$(WORKER_PKGS))

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

$(GEN)/templates.c: tools/gen/embed.lua $(TEMPLATES)
	@mkdir -p $(@D)
	lua5.4 tools/gen/embed.lua templates $(TEMPLATES) > $@

$(GEN)/lua_sources.c: tools/gen/embed.lua $(LUA_SRC)
	@mkdir -p $(@D)
	lua5.4 tools/gen/embed.lua lua_sources $(LUA_SRC) > $@

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
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/libworker.a $(call libs,$(WORKER_PKGS) $(TEST_PKGS))

$(BUILD)/tests/test_runner_%: tests/unit/test_runner_%.c $(BUILD)/librunner.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/librunner.a $(call libs,$(RUNNER_PKGS) $(TEST_PKGS))

$(BUILD)/tests/test_%: tests/unit/test_%.c $(BUILD)/libfsd.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(BUILD)/libfsd.a $(call libs,$(FSD_PKGS) $(TEST_PKGS))

UNIT_RUN = $(if $(T),$(foreach t,$(UNIT_BIN),$(if $(findstring $(T),$(t)),$(t))),$(UNIT_BIN))
unit: $$(UNIT_RUN) ## unit tests only (T=name runs what matches)
	$(if $(UNIT_RUN),prove --timer -e '' $(UNIT_RUN),@echo "no unit test matches '$(T)'")

clean: ## remove what was built
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
