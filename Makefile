# patrolmesh - one non-recursive Makefile; everything it makes lies in build/
#
#   make            the three programs            make demo    set up, build, run the main job with something to see
#   make check      set up, build, all tests      make bench   the measured promises
#   make help       every target; V=1 shows the commands
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
# a 32-bit device, too, must see the year 2038 and files over 2 GiB
STD     := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DPATROL_VERSION='"$(VERSION)"'
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

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CPPFLAGS += $(STD) -I$(BUILD)/gen -Icommon -Ibroker -Inode -Idesk $(PKG_CFLAGS)
CFLAGS   += $(SANFLAGS_$(MODE)) $(WARN) -pthread
LDFLAGS  += $(LINK_$(MODE)) -pthread
LDLIBS   += $(PKG_LIBS) -lgeos_c -lm
# a device carries no map library and no service manager beyond what it uses
LDLIBS_DEVICE := $(filter-out -lgeos_c,$(LDLIBS))

COMMON  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c)) $(BUILD)/gen/patrol.pb-c.o
NODE    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out node/main.c,$(wildcard node/*.c)))
BROKER  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out broker/main.c,$(wildcard broker/*.c)))
DESK    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out desk/main.c,$(wildcard desk/*.c)))
PROGRAMS := $(BUILD)/patrol-broker $(BUILD)/patrol-node $(BUILD)/patrol-desk
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*_test.c))
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
CITY    := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/city/*.c))
COUNTY  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/county/*.c))
FUZZ_SECONDS ?= 600

bindir  ?= $(prefix)/bin
mandir  ?= $(prefix)/share/man
docdir  ?= $(prefix)/share/doc/patrolmesh
unitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
MAN     := $(patsubst docs/man/%.scd,$(BUILD)/man/%,$(wildcard docs/man/*.scd docs/man/zh_CN/*.scd))
UNITS   := $(patsubst deploy/%.in,$(BUILD)/deploy/%,$(wildcard deploy/*.in))

# one short line a step; V=1 shows the whole command
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.PHONY: all unit benches county city helpers man setup demo check check-cross check-source lint format \
        bench bench-speed bench-quality bench-gazetteer bench-mesh bench-meshlink soak fuzz fuzzers \
        install uninstall clean help
.SECONDARY:
all: $(PROGRAMS)

$(BUILD)/gen/patrol.pb-c.c $(BUILD)/gen/patrol.pb-c.h &: proto/patrol.proto
	@mkdir -p $(BUILD)/gen
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(BUILD)/gen -I proto $<
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(SANFLAGS_$(MODE)) -c $< -o $@

$(BUILD)/%.o: %.c | $(BUILD)/gen/patrol.pb-c.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/common/kinds.o: common/kinds.json

$(BUILD)/patrol-broker: $(BUILD)/broker/main.o $(BROKER) $(COMMON)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/patrol-node: $(BUILD)/node/main.o $(NODE) $(COMMON)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS_DEVICE) -o $@
$(BUILD)/patrol-desk: $(BUILD)/desk/main.o $(DESK) $(COMMON)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS_DEVICE) -o $@

# any unit test or bench may use any module: names are unique across folders
$(BUILD)/libpatrol.a: $(COMMON) $(NODE) $(BROKER) $(DESK)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^
$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libpatrol.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libpatrol.a $(LDLIBS) -lcmocka -o $@
$(BUILD)/bench/%: bench/%.c $(BUILD)/libpatrol.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libpatrol.a $(LDLIBS) -o $@
unit: $(UNIT)
benches: $(BENCHES)

# the generator of the invented county
$(BUILD)/county: $(COUNTY) $(BUILD)/common/geodesy.o $(BUILD)/common/timefmt.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -ljansson -lm -o $@
county: $(BUILD)/county

# the city simulator: contact traces through the routing core that ships
$(BUILD)/city: $(CITY) $(BUILD)/libpatrol.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
city: $(BUILD)/city $(BUILD)/moves
# and traces for it on invented maps
$(BUILD)/moves: $(BUILD)/tests/moves/moves.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -lm -o $@

# what scenarios need besides the three programs
$(BUILD)/hostile: $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/hostile/failio.c,$(wildcard tests/hostile/*.c))) $(COMMON)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS_DEVICE) -o $@
# an enrolled node that misbehaves on the mesh
$(BUILD)/meshfoe: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/meshfoe/*.c)) $(NODE) $(COMMON)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS_DEVICE) -o $@
# bad lines on loopback
$(BUILD)/badline: $(BUILD)/tests/badline/badline.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@
# a preloaded library that makes the disk fail: plain code, no sanitizer in a process that may have another one, and the calls by their own
# names (64-bit offsets would give two of them one name)
$(BUILD)/failio.so: tests/hostile/failio.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -shared -fPIC $< -ldl -o $@
HELPERS := $(BUILD)/badline $(BUILD)/city $(BUILD)/moves $(BUILD)/county $(BUILD)/hostile $(BUILD)/meshfoe $(BUILD)/failio.so
helpers: $(HELPERS)

# fuzz targets: only with MODE=fuzz CC=clang, as `make fuzz` does
$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/libpatrol.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libpatrol.a $(LDLIBS) -o $@
fuzzers: $(FUZZERS)

# ---- set-up, tests. A fresh machine has no pkg-config before setup, so what follows it is a make of its own.
ALSO = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
setup:
	@deploy/setup.sh
demo: setup
	+@$(ALSO) all county
	@tests/demo.sh $(BUILD)
check: setup
	+@$(ALSO) all unit helpers
	@tests/check.sh $(BUILD)
# a node for other processors, at work under qemu-user
check-cross: setup
	@deploy/setup.sh cross
	+@$(ALSO) all
	@tests/cross.sh $(BUILD)
check-source:
	@tests/check-source.sh
lint:
	@deploy/setup.sh lint
	@tests/lint.sh
format:
	@deploy/setup.sh lint
	clang-format -i $(wildcard common/*.[ch] broker/*.[ch] node/*.[ch] desk/*.[ch] tests/*/*.[ch] bench/*.[ch])
fuzz:
	@deploy/setup.sh lint
	+@$(ALSO) MODE=fuzz CC=clang BUILD=$(BUILD)/fuzz fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh $(BUILD)/fuzz
soak: setup
	+@$(ALSO) all county benches
	@tests/soak.sh $(BUILD)

# ---- the measured promises: each prints a table and writes build/bench/NAME.tsv
bench: bench-speed bench-quality bench-mesh bench-meshlink
bench-speed bench-quality bench-gazetteer bench-mesh bench-meshlink: bench-%: setup
	+@$(ALSO) all county city benches
	@PATROL_BUILD=$(abspath $(BUILD)) PATROL_SHARED=$(abspath $(wildcard ../shared)) bench/$*.sh

# ---- what is installed
$(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)scdoc < $< > $@.new && mv $@.new $@
$(BUILD)/deploy/%: deploy/%.in Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's|@bindir@|$(bindir)|g' -e 's|@docdir@|$(docdir)|g' $< > $@
man: $(MAN)
install: all man $(UNITS)
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(docdir) $(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir)
	install $(PROGRAMS) $(DESTDIR)$(bindir)
	install -m 644 $(UNITS) $(DESTDIR)$(unitdir)
	install -m 644 deploy/sysusers.conf $(DESTDIR)$(sysusersdir)/patrolmesh.conf
	install -m 644 deploy/tmpfiles.conf $(DESTDIR)$(tmpfilesdir)/patrolmesh.conf
	install -m 644 README.md README.zh-CN.md LICENSE CHANGELOG.md $(DESTDIR)$(docdir)
	install -d $(DESTDIR)$(docdir)/docs/zh $(DESTDIR)$(docdir)/docs/picture $(DESTDIR)$(docdir)/proto
	install -m 644 docs/*.md $(DESTDIR)$(docdir)/docs
	install -m 644 docs/zh/*.md $(DESTDIR)$(docdir)/docs/zh
	install -m 644 docs/picture/* $(DESTDIR)$(docdir)/docs/picture
	install -m 644 proto/PROTOCOL.md proto/patrol.proto $(DESTDIR)$(docdir)/proto
	@set -e; for page in $(patsubst $(BUILD)/man/%,%,$(MAN)); do \
	    folder=$(DESTDIR)$(mandir)/$$(dirname $$page)/man$${page##*.}; \
	    install -d $$folder; install -m 644 $(BUILD)/man/$$page $$folder; done
uninstall:
	rm -f $(patsubst $(BUILD)/%,$(DESTDIR)$(bindir)/%,$(PROGRAMS))
	rm -f $(patsubst $(BUILD)/deploy/%,$(DESTDIR)$(unitdir)/%,$(UNITS))
	rm -f $(DESTDIR)$(sysusersdir)/patrolmesh.conf $(DESTDIR)$(tmpfilesdir)/patrolmesh.conf
	@for page in $(patsubst $(BUILD)/man/%,%,$(MAN)); do \
	    rm -f $(DESTDIR)$(mandir)/$$(dirname $$page)/man$${page##*.}/$${page##*/}; done
	rm -rf $(DESTDIR)$(docdir)

clean:
	rm -rf build

help:
	@echo 'make                the three programs, in build/'
	@echo 'make demo           set up, build, run a small county with something to see (under two minutes)'
	@echo 'make check          set up, build, unit tests, scenarios, source rules; MODE=asan for the sanitizers'
	@echo 'make check-cross    the node for arm64 and armhf, and its work there under qemu-user'
	@echo 'make check-source   what we agreed not to write'
	@echo 'make lint           cppcheck, clang-tidy, shellcheck'
	@echo 'make format         clang-format over the C files'
	@echo 'make bench          bench-speed, bench-quality, bench-mesh, bench-meshlink: the measured promises, build/bench/*.tsv'
	@echo 'make bench-gazetteer   the gazetteer part of bench-quality alone'
	@echo 'make soak           200 kill rounds, then demos and scenarios for an hour'
	@echo 'make fuzz           every fuzz target for FUZZ_SECONDS (600) each'
	@echo 'make install        DESTDIR, prefix, bindir, mandir, docdir, unitdir, sysusersdir, tmpfilesdir'
	@echo 'make uninstall      with the same variables'
	@echo 'make setup          installs the Debian packages of deploy/packages.txt that are missing'
	@echo 'make clean          removes build/'
	@echo
	@echo 'MODE=release|debug|asan|tsan chooses flags and build folder; CC=gcc|clang; BUILD=FOLDER'

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/tests/*/*.d)
