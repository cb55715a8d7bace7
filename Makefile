# Tokenyard. `make help` lists the targets; CONTRIBUTING.md explains the house.
#
# Sources are found by folder: a new .c file under sim/, workloads/, models/, scenarios/ or analysis/ is
# built without editing this file, and so is a new tests/**/test_*.c or tests/fuzz/fuzz_*.c.

VERSION   := 0.1.0
PREFIX    ?= /usr/local
DESTDIR   ?=
# address, undefined or thread: builds beside the plain build, under build/$(SANITIZE).
SANITIZE  ?=
# WERROR=1: warnings stop the build.
WERROR    ?=
# Seconds that `make fuzz` gives each target.
FUZZ_SECONDS ?= 20
# -O3 takes 6 % off the instructions of a simulated request; -flto takes none.
OPTIMISE  ?= -O3
# V=1: show the commands.
V         ?=
Q         := $(if $(V),,@)

# --- Compiling ------------------------------------------------------------------------------------

SANITIZERS := address undefined thread fuzz
ifneq ($(SANITIZE),$(filter $(SANITIZERS),$(SANITIZE)))
$(error SANITIZE is one of: address undefined thread)
endif
SANITIZE_address   := -fsanitize=address
SANITIZE_undefined := -fsanitize=undefined -fno-sanitize-recover=all
SANITIZE_thread    := -fsanitize=thread
# Internal to `make fuzz`, which links with -fsanitize=fuzzer.
SANITIZE_fuzz      := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifneq ($(SANITIZE),)
OPTIMISE  := -O1 -fno-omit-frame-pointer $(SANITIZE_$(SANITIZE))
endif

PACKAGES  := hdf5-serial libcjson gsl zlib
INCLUDES  := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) 2>/dev/null))
LIBRARIES := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lglpk -lm -lpthread
WARNINGS  := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wno-sign-conversion
COMPILE   := -std=c17 -g $(OPTIMISE) -ffp-contract=off $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) \
             -I. -D_GNU_SOURCE -DTOKENYARD_VERSION='"$(VERSION)"' $(INCLUDES) $(CPPFLAGS)
LINK       = $(Q)$(CC) -g $(OPTIMISE) $(CFLAGS) $(LDFLAGS) $(filter %.o %.a,$^) $(LIBRARIES) $(LDLIBS) -o $@

BUILD     := build$(if $(SANITIZE),/$(SANITIZE))
FLOORS    := sim workloads models scenarios analysis
objects    = $(patsubst %.c,$(BUILD)/%.o,$(sort $(shell find $(1) -name '$(2)')))
LIB_OBJ   := $(call objects,$(wildcard $(FLOORS)),*.c)
TEST_OBJ  := $(call objects,tests,test_*.c)
FUZZERS   := $(basename $(call objects,tests,fuzz_*.c))
BENCHES   := $(basename $(call objects,tests,bench_*.c))

all: $(BUILD)/tokenyard  ## build the program: build/tokenyard

$(BUILD)/libtokenyard.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $(filter %.o,$^)

$(BUILD)/tokenyard: $(BUILD)/tokenyard.o $(BUILD)/libtokenyard.a
	@echo '  LINK $@'
	$(LINK)

$(BUILD)/tests/unit: $(TEST_OBJ) $(BUILD)/libtokenyard.a
	$(LINK) -lcriterion

$(BENCHES): %: %.o $(BUILD)/libtokenyard.a
	$(LINK)

$(FUZZERS): %: %.o $(BUILD)/libtokenyard.a
	$(LINK) -fsanitize=fuzzer

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC   $<'
	$(Q)$(CC) $(COMPILE) -MMD -MP -c $< -o $@

# What everything was compiled with: when it changes, all is compiled again.
export COMPILED_WITH := $(CC) $(COMPILE)
$(BUILD)/flags: FORCE
	@missing="$(strip $(MISSING))"; if [ "$$missing" ]; then \
	  echo "Missing: $$missing. On Debian or Ubuntu, \"make deps\" installs it." >&2; exit 1; fi
	@mkdir -p $(@D)
	@echo "$$COMPILED_WITH" | cmp -s - $@ || echo "$$COMPILED_WITH" > $@

HEADERS    = hdf5.h cJSON.h gsl/gsl_rng.h zlib.h glpk.h uthash.h
compiles   = $(shell $(CC) $(INCLUDES) -E -include $(1) -xc /dev/null >/dev/null 2>&1 && echo yes)
MISSING    = $(if $(shell command -v pkg-config),,pkg-config) $(if $(shell command -v $(firstword $(CC))),\
             $(foreach header,$(HEADERS),$(if $(call compiles,$(header)),,$(header))),$(CC))

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(TEST_OBJ) $(FUZZERS:=.o) $(BENCHES:=.o) $(BUILD)/tokenyard.o)

# --- What a machine needs -------------------------------------------------------------------------

DEBIAN     := gcc libc6-dev pkg-config libhdf5-dev libgsl-dev libcjson-dev zlib1g-dev libglpk-dev \
              uthash-dev gnuplot-nox libcriterion-dev python3-jsonschema hdf5-tools
DEBIAN_DEV := clang clang-format clang-tidy libclang-rt-dev valgrind

# $(call apt,PACKAGES): installs those that are missing, and says so.
define apt
@missing=$$(for package in $(1); do \
  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q '^install ok' || echo $$package; done); \
if [ "$$missing" ] && ! command -v apt-get >/dev/null; then \
  echo "No apt-get here: what these Debian packages hold is taken to be there:" $(1); \
elif [ "$$missing" ]; then \
  echo "Installing with apt-get:" $$missing; \
  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
  $$sudo apt-get update -q && \
  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; fi
endef

deps:  ## install what building, running and testing needs (Debian packages; nothing if all is there)
	$(call apt,$(DEBIAN))

deps-dev: deps  ## install what linting, fuzzing and counting instructions needs, too
	$(call apt,$(DEBIAN_DEV))

# --- Trying and checking --------------------------------------------------------------------------

# After deps, make starts afresh: what it had asked pkg-config may have changed.
demo: deps  ## install, build, and run scenarios/quickstart.json
	@$(MAKE) --no-print-directory all
	$(BUILD)/tokenyard run scenarios/quickstart.json -o results/quickstart

test: deps  ## install, build, and run all tests; the last line counts them
	@$(MAKE) --no-print-directory check

# The thread sanitizer does not work under Criterion, which forks: then only the program is tested.
UNIT      := $(if $(filter thread,$(SANITIZE)),,$(BUILD)/tests/unit)
check: $(BUILD)/tokenyard $(UNIT)
	@tests/run.sh $(BUILD)/tokenyard $(UNIT)

# One module's tests: make t T=histogram builds and runs tests/**/test_histogram.c alone.
ONE_TEST  := $(filter %/test_$(T).o,$(TEST_OBJ))
t: $(BUILD)/test_$(T)
	$<
$(BUILD)/test_$(T): $(ONE_TEST) $(BUILD)/libtokenyard.a
	$(LINK) -lcriterion

bench: $(BUILD)/tokenyard $(BENCHES)  ## measure simulated requests per second, instructions and memory
	@tests/bench/run.sh $(BUILD)/tokenyard
	@for bench in $(BENCHES); do $$bench || exit 1; done

# Measurements that the catalogue's curves and constants are fitted to; not part of the project.
DATA      ?= ../shared/data
calibrate: $(BUILD)/tokenyard  ## fit models/catalog to the measurements in DATA again (20 minutes)
	@tests/bench/calibrate.sh $(BUILD)/tokenyard $(DATA)
accuracy: $(BUILD)/tokenyard  ## compare simulations with all measurements in DATA
	@TOKENYARD_DATA=$(DATA) tests/bench/accuracy.sh $(BUILD)/tokenyard

lint:  ## check floors, format and common mistakes
	@tests/lint/run.sh

fuzz:  ## run every fuzz target for FUZZ_SECONDS (20) each, under the sanitizers
	@$(MAKE) --no-print-directory CC=clang SANITIZE=fuzz fuzz-run
fuzz-run: $(FUZZERS)
	@tests/fuzz/run.sh $(BUILD) $(FUZZ_SECONDS)

# --- Installing -----------------------------------------------------------------------------------

ROOT      := $(DESTDIR)$(PREFIX)
SHARE     := $(ROOT)/share/tokenyard
INSTALLED := $(ROOT)/bin/tokenyard $(ROOT)/share/man/man1/tokenyard.1 \
             $(ROOT)/share/bash-completion/completions/tokenyard \
             $(ROOT)/share/zsh/site-functions/_tokenyard

install: $(BUILD)/tokenyard  ## install under DESTDIR and PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/tokenyard $(ROOT)/bin/tokenyard
	install -D -m 644 analysis/share/tokenyard.1 $(ROOT)/share/man/man1/tokenyard.1
	install -D -m 644 analysis/share/tokenyard.bash $(ROOT)/share/bash-completion/completions/tokenyard
	install -D -m 644 analysis/share/_tokenyard $(ROOT)/share/zsh/site-functions/_tokenyard
	mkdir -p $(SHARE)/catalog
	cp -R models/catalog/. $(SHARE)/catalog
	find scenarios -type f ! -name '*.[ch]' -exec install -D -m 644 {} $(SHARE)/{} \;

uninstall:  ## remove what install installed
	rm -f $(INSTALLED)
	rm -rf $(SHARE)

clean:  ## remove everything that was built
	rm -rf build

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: all deps deps-dev demo test check t bench calibrate accuracy lint fuzz fuzz-run install uninstall clean help FORCE
