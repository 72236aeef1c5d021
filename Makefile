# Each target does all its own set-up, from a fresh clone on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Test processes at a time; many tests start a daemon of their own, which takes about 1 GB.
TESTS_AT_ONCE ?= 2

# Where `make install` puts files. Packagers set DESTDIR, which is put before each of these paths.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib/zssr-daemon
SHAREDIR = $(PREFIX)/share
# The interpreter of the service; it has all of requirements.txt. By default one is made in LIBDIR.
INTERPRETER ?= $(LIBDIR)/venv/bin/python

.PHONY: run web once install test lint types check bench starts clean

## run: start the daemon on the folders of settings.toml (inbox/, output/, ...)
run: $(VENV)/.run
	@exec $(BIN)/zssr-daemon run --settings settings.toml $(ARGS)

## web: start the daemon and its web page, and print the address to open; both end together
web: SHELL := bash
web: $(VENV)/.run
	@trap 'kill $$(jobs -p) 2>/dev/null; wait' EXIT; trap 'exit 130' INT TERM; \
	$(BIN)/zssr-daemon run --settings settings.toml & \
	$(BIN)/zssr-daemon web --settings settings.toml --show-link & \
	wait -n

## once: process what is in inbox/, then exit
once: $(VENV)/.run
	@exec $(BIN)/zssr-daemon run --once --settings settings.toml $(ARGS)

## install: program, units, users, folders, log rotation, monitoring, pages; see docs/service.md
install:
ifeq ($(INTERPRETER),$(LIBDIR)/venv/bin/python)
	$(PYTHON) -m venv $(DESTDIR)$(LIBDIR)/venv
	$(DESTDIR)$(INTERPRETER) -m pip install --disable-pip-version-check -r requirements.txt
endif
	rm -rf $(DESTDIR)$(LIBDIR)/python
	find zssr_daemon -type f -not -path '*/__pycache__/*' | while read -r file; do \
	  install -D -m 644 "$$file" "$(DESTDIR)$(LIBDIR)/python/$$file"; done
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SYSCONFDIR)/zssr-daemon $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@INTERPRETER@|$(INTERPRETER)|' systemd/zssr-daemon.launcher > $(DESTDIR)$(BINDIR)/zssr-daemon
	chmod 755 $(DESTDIR)$(BINDIR)/zssr-daemon
	for name in zssr-daemon zssr-web zssr-cluster zssr-ray-head zssr-ray-node; do \
	  sed -e 's|@PREFIX@|$(PREFIX)|; s|@BINDIR@|$(BINDIR)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
	    -e 's|@INTERPRETER@|$(INTERPRETER)|; s|@LIBDIR@|$(LIBDIR)|' \
	    systemd/$$name.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$name.service; done
	install -m 644 systemd/*.service systemd/*.socket $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -D -m 644 systemd/zssr-daemon.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/zssr-daemon.conf
	install -D -m 644 systemd/zssr-daemon.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/zssr-daemon.conf
	install -D -m 644 systemd/zssr-daemon.logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/zssr-daemon
	install -D -m 644 -t $(DESTDIR)$(SHAREDIR)/zssr-daemon/monitoring contrib/monitoring/*
	install -D -m 644 -t $(DESTDIR)$(SHAREDIR)/doc/zssr-daemon README.md CHANGELOG.md ARCHITECTURE.md CONTRIBUTING.md
	install -D -m 644 -t $(DESTDIR)$(SHAREDIR)/doc/zssr-daemon/docs docs/*
	test -e $(DESTDIR)$(SYSCONFDIR)/zssr-daemon/settings.toml || \
	  sed -e 's,^\(inbox\|output\|archive\|failed\) = ",&/srv/zssr/,' \
	    -e 's|^state = "state"|state = "/var/lib/zssr"|' \
	    -e 's|"state/daemon.jsonl"|"/var/log/zssr/daemon.jsonl"|' \
	    -e 's|"state/zssr.prom"|"/run/zssr/zssr.prom"|' \
	    settings.toml > $(DESTDIR)$(SYSCONFDIR)/zssr-daemon/settings.toml

## test: the whole test suite
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses $(TESTS_AT_ONCE) --dist worksteal $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

## bench: quality and speed in about two minutes, measured on the picture in tests/data
bench: $(VENV)/.dev
	$(BIN)/python -m bench.quality.run --preset fast --no-write --pair tests/data/butterfly_hr.png tests/data/butterfly_lr.png
	$(BIN)/python -m bench.speed.run --short --no-write

## starts: draw, train and write the starts of fits again; resumable, hours
starts: $(VENV)/.dev
	$(BIN)/python -m bench.starts.make --resume $(ARGS)

## check: lint + types + tests
check: lint types test

## clean: remove the virtual environment and caches (never your pictures)
clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)

# All cores compile, where pip would use one; as with pip, a file that does not compile stops nothing.
$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile -r requirements.txt
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
