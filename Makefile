# patrolmesh - one non-recursive Makefile; everything it makes lies in build/
#
#   make            the three programs            make demo    set up, build, run the main job with something to see
#   make check      set up, build, all tests      make bench   the measured promises
#   make help       every target
#
# MODE=release (default) | asan | tsan | fuzz | debug chooses flags and build folder.

MODE    ?= release
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build$(if $(filter-out release,$(MODE)),/$(MODE))
prefix  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

PKGS    := libzmq libsodium libprotobuf-c sqlite3 jansson smartcols libsystemd libqrencode
STD     := -std=c11 -D_GNU_SOURCE -DPATROL_VERSION='"$(VERSION)"'
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
           -Wwrite-strings -Wformat=2 -Wundef -Wno-missing-field-initializers
HARDEN  := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
SANFLAGS_release := $(HARDEN)
SANFLAGS_debug   := -O0 -g
SANFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANFLAGS_tsan    := -O1 -g -fsanitize=thread
SANFLAGS_fuzz    := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
LINK_release     := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LINK_asan        := -fsanitize=address,undefined
LINK_tsan        := -fsanitize=thread
LINK_fuzz        := -fsanitize=address,undefined,fuzzer

CPPFLAGS += $(STD) -I$(BUILD)/gen -Icommon -Ibroker -Inode -Idesk $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   += $(SANFLAGS_$(MODE)) $(WARN) -pthread
LDFLAGS  += $(LINK_$(MODE)) -pthread
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lgeos_c -lm
# a device carries no map library and no service manager beyond what it uses
LDLIBS_DEVICE := $(filter-out -lgeos_c,$(LDLIBS))

COMMON  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c)) $(BUILD)/gen/patrol.pb-c.o
NODE    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out node/main.c,$(wildcard node/*.c)))
BROKER  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out broker/main.c,$(wildcard broker/*.c)))
DESK    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out desk/main.c,$(wildcard desk/*.c)))
PROGRAMS := $(BUILD)/patrol-broker $(BUILD)/patrol-node $(BUILD)/patrol-desk
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*_test.c))
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))

.PHONY: all unit clean
.SECONDARY:
all: $(PROGRAMS)

$(BUILD)/gen/patrol.pb-c.c $(BUILD)/gen/patrol.pb-c.h: proto/patrol.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --c_out=$(BUILD)/gen -I proto $<
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(CC) $(CPPFLAGS) $(SANFLAGS_$(MODE)) -c $< -o $@

$(BUILD)/%.o: %.c | $(BUILD)/gen/patrol.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/common/kinds.o: common/kinds.json

$(BUILD)/patrol-broker: $(BUILD)/broker/main.o $(BROKER) $(COMMON)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/patrol-node: $(BUILD)/node/main.o $(NODE) $(COMMON)
	$(CC) $(LDFLAGS) $^ $(LDLIBS_DEVICE) -o $@
$(BUILD)/patrol-desk: $(BUILD)/desk/main.o $(DESK) $(COMMON)
	$(CC) $(LDFLAGS) $^ $(LDLIBS_DEVICE) -o $@

# any unit test or bench may use any module: names are unique across folders
$(BUILD)/libpatrol.a: $(COMMON) $(NODE) $(BROKER) $(DESK)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libpatrol.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libpatrol.a $(LDLIBS) -lcmocka -o $@
$(BUILD)/bench/%: bench/%.c $(BUILD)/libpatrol.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libpatrol.a $(LDLIBS) -o $@
unit: $(UNIT)

clean:
	rm -rf build

-include $(wildcard $(BUILD)/*/*.d)
