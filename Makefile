# A thin front: the work is in meson, ./check, ./demo and tools/.
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS_EACH ?= 60

.PHONY: build demo check check-arm64 bench churn lint format coverage fuzz install clean help

build:
	@tools/setup build
	@[ -f build/build.ninja ] || meson setup build
	@ninja -C build

demo:
	@./demo

check:
	@./check

check-arm64:
	@tools/check-arm64

# What takes too long for ./check: routing daemons killed a hundred times, a million routes
# through them, an hour's worth of changes.
soak:
	@tools/setup build demo test
	@[ -f build/build.ninja ] || meson setup build
	@ninja -C build
	@MR_SOAK=1 MILLRACE='$(CURDIR)/build/millrace' /usr/bin/python3 -m pytest -q -s \
		-p no:cacheprovider tests/e2e/test_daemons.py
	@bench/churn

# Reconfigured, because peers that were just installed are looked for anew.
bench:
	@tools/setup build bench
	@if [ -f build/build.ninja ]; then meson setup --reconfigure build; else meson setup build; fi
	@ninja -C build
	@bench/run
	@bench/churn

# Whether a change of routes costs a packet.
churn: build
	@bench/churn

lint:
	@tools/setup build test
	@tools/lint

format:
	@tools/setup build test
	@find kit model nf control cmd bench examples tests -name '*.[ch]' 2>/dev/null | xargs clang-format -i
	@tools/yang_doc.py
	@tools/python_client.py

coverage:
	@./check --stage coverage
	@echo "lines: build-check/coverage-report/index.html"

fuzz:
	@tools/setup build test
	@tools/fuzz build-check/fuzz $(SECONDS_EACH)

install: build
	@meson configure build --prefix '$(abspath $(PREFIX))'
	@DESTDIR='$(DESTDIR)' meson install -C build

clean:
	@rm -rf build build-*

help:
	@echo "make build        build/millrace"
	@echo "make demo         ./demo: a switch between three namespaces, real traffic"
	@echo "make check        ./check: every test"
	@echo "make check-arm64  the kit's tests, cross-built, under qemu"
	@echo "make soak         the long form of tests with routing daemons; route churn"
	@echo "make bench        side by side with the peers; writes docs/performance.md"
	@echo "make churn        packets lost while routes change, and while they do not"
	@echo "make lint         style, floors, licences"
	@echo "make format       apply the style"
	@echo "make coverage     what the tests reach"
	@echo "make fuzz         every fuzz target for SECONDS_EACH=60 seconds"
	@echo "make install      to DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)"
	@echo "make clean        remove every build folder"
