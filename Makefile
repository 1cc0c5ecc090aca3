# SPDX-License-Identifier: GPL-2.0-or-later
# The front door. Meson does the work; this file only names what people want done.
BUILD ?= build
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 10

.PHONY: all deps demo check run bench fuzz install clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) --prefix=$(PREFIX)

deps:
	@scripts/install-dependencies build

demo:
	@scripts/install-dependencies build test
	@$(MAKE) --no-print-directory all
	@/usr/bin/python3 tests/site/demo.py $(if $(ONCE),--once)

check:
	@scripts/install-dependencies build test
	@scripts/check

run: all
	@$(BUILD)/portwrightd

bench:
	@scripts/install-dependencies build test bench
	@$(MAKE) --no-print-directory all
	@/usr/bin/python3 tests/bench/bench.py

fuzz:
	@scripts/install-dependencies build test
	@scripts/fuzz $(FUZZ_SECONDS)

# Whoever names PREFIX here means it, even where the build folder was made with another one.
install: all
ifneq ($(origin PREFIX),file)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
endif
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	@rm -rf $(BUILD) $(BUILD)-*
