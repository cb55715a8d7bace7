# Tokenyard. `make help` lists the targets; CONTRIBUTING.md explains the house.
#
# Sources are found by folder: a new .c file under sim/, workloads/, models/, scenarios/ or analysis/ is
# built without editing this file, and so is a new tests/**/test_*.c.

VERSION   := 0.1.0
PREFIX    ?= /usr/local
DESTDIR   ?=
SANITIZE  ?=
WERROR    ?=

BUILD     := build$(if $(SANITIZE),/$(SANITIZE))
CC        ?= cc
PACKAGES  := hdf5-serial libcjson gsl zlib
CPPFLAGS  += -I. -D_GNU_SOURCE -DTOKENYARD_VERSION='"$(VERSION)"' \
             $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES) 2>/dev/null))
WARNINGS  := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wno-sign-conversion
OPTIMISE  := $(if $(SANITIZE),-O1 -fno-omit-frame-pointer,-O2)
CFLAGS    += -std=c17 -g $(OPTIMISE) -ffp-contract=off $(WARNINGS) $(if $(WERROR),-Werror)
LDLIBS    += $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lglpk -lm -lpthread
ifneq ($(SANITIZE),)
CFLAGS    += -fsanitize=$(SANITIZE) $(if $(filter undefined,$(SANITIZE)),-fno-sanitize-recover=all)
LDFLAGS   += -fsanitize=$(SANITIZE)
endif

FLOORS    := sim workloads models scenarios analysis
LIB_SRC   := $(sort $(shell find $(FLOORS) -name '*.c'))
TEST_SRC  := $(sort $(shell find tests -name 'test_*.c'))
LIB_OBJ   := $(LIB_SRC:%.c=$(BUILD)/%.o)
TEST_OBJ  := $(TEST_SRC:%.c=$(BUILD)/%.o)

all: $(BUILD)/tokenyard  ## build the program: build/tokenyard

$(BUILD)/libtokenyard.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/tokenyard: $(BUILD)/tokenyard.o $(BUILD)/libtokenyard.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/tests/unit: $(TEST_OBJ) $(BUILD)/libtokenyard.a
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lcriterion -o $@

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

-include $(LIB_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(BUILD)/tokenyard.d

# One module's tests: make t T=histogram builds and runs tests/**/test_histogram.c alone.
t: $(BUILD)/libtokenyard.a
	$(MAKE) $(patsubst %.c,$(BUILD)/%.o,$(shell find tests -name 'test_$(T).c'))
	$(CC) $(CFLAGS) $(LDFLAGS) $(patsubst %.c,$(BUILD)/%.o,$(shell find tests -name 'test_$(T).c')) \
	  $(BUILD)/libtokenyard.a $(LDLIBS) -lcriterion -o $(BUILD)/test_$(T)
	$(BUILD)/test_$(T)

clean:  ## remove everything that was built
	rm -rf build

.PHONY: all clean t
