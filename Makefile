# berth: the entry points for people and CI. Each target is a call into tools/; `make help` lists them.
.PHONY: all demo down test bench check fmt lint docs asan tsan coverage fuzz clean help
.DEFAULT_GOAL := all
MAKEFLAGS += --no-print-directory

all:       ## build everything into build/
	@tools/setup.sh build
	@tools/build.sh release

demo:      ## install, build, start berth here, train a model and open a notebook
	@tools/setup.sh build run
	@tools/build.sh release
	@tools/demo.sh

down:      ## stop what `make demo` started and remove what it left
	@tools/down.sh

test:      ## all tests; LEVEL="unit asan …" for some of them
	@tools/setup.sh build run test
	@tools/build.sh release
	@tools/test.sh $(LEVEL)

bench:     ## benchmarks against real peers; BENCH=name for one of them
	@tools/setup.sh build run bench
	@tools/build.sh release
	@/usr/bin/python3 test/bench/run.py $(BENCH)

check:     ## static checks: layout, layers, sizes, banned calls, warnings as errors
	@tools/setup.sh build check
	@tools/check.sh

fmt:       ## clang-format in place
	@tools/setup.sh check
	@tools/fmt.sh

lint:      ## search for bugs with cppcheck and clang-tidy; minutes
	@tools/setup.sh build lint
	@tools/lint.sh

docs:      ## reference pages that follow from tables in the source, into docs/reference/
	@/usr/bin/python3 tools/docs/generate.py

asan:      ## unit and conformance tests under AddressSanitizer and UBSan
	@tools/setup.sh build test
	@tools/test.sh asan

tsan:      ## the same under ThreadSanitizer
	@tools/setup.sh build test
	@tools/test.sh tsan

coverage:  ## line coverage of the meson tests, in build-coverage/coverage
	@tools/setup.sh build test
	@tools/coverage.sh

fuzz:      ## libFuzzer; FUZZ=name for one target, FUZZ_SECONDS=60 each
	@tools/setup.sh build test
	@FUZZ='$(FUZZ)' tools/fuzz.sh

clean:     ## remove build folders (not the cache in BERTH_CACHE)
	@rm -rf build build-asan build-tsan build-clang build-strict build-coverage build-fuzz

help:      ## this list
	@sed -n 's/^\([a-z]*\): *## /\1	/p' Makefile | expand -t 12
