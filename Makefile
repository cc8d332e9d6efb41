# build   the programs, into bin/
# test    everything that needs no root and no network: vet, staticcheck, floor plan, generated code, go test -race
# e2e     the programs as an operator types them, on real processes; as root also on whole hosts with systemd
# chaos   a seeded loop of faults with an invariant checker (ROUNDS=200 SEED=1), and events
#         that rules act on once each, while masters die and are cut from each other (EVENTS=10000)
# fuzz    every fuzz target of the repository, one after the other, for FUZZTIME each (30s)
# bench   the figures of README.md, beside a floor measured in the same run
# man     man pages and completion of all programs, into bin/man and bin/completion
# demo    two minutes of the main job at a terminal: two masters, one killed
# trees   a table of real state trees (TREES=DIR of repositories): what compiles, and what Salt or Jinja2 make of it
# gen     the generated code

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
LDFLAGS   = -s -w -X brine/proto.Version=$(VERSION)
PROGRAMS  = ./master/cmd/brine ./master/cmd/brine-master ./scripts/lab/cmd/brine-lab
MINION    = ./minion/cmd/brine-minion
ROUNDS   ?= 200
EVENTS   ?= 500
SEED     ?= 1

FUZZTIME ?= 30s

.PHONY: build man test e2e chaos fuzz bench demo lint trees gen

# Files, hooks and webhooks go by HTTP/1.1 alone: what HTTP/2 adds nobody here uses, and it is 0.5 MB of each program.
HTTP1     = nethttpomithttp2

# What of the minion is called a few times a run is built without inlining; HTTP/2, and what only operators and masters say to
# each other (tag minion), of which it needs nothing, are left out: the program stays 2.4 MB smaller; functions that begin at
# every 16th byte instead of every 32nd save 0.2 MB more. What each state of a large run goes through is built as usual.
COLD      = brine/... github.com/spf13/... github.com/BurntSushi/... github.com/hashicorp/... github.com/klauspost/... \
            google.golang.org/... github.com/dlclark/regexp2/syntax crypto/tls/... crypto/x509/... net/http/... net/textproto mime/... \
            archive/... encoding/asn1 encoding/csv encoding/gob encoding/xml filippo.io/... github.com/netresearch/... math/big net/url text/template/...
HOT       = brine/states/jinja/... brine/states/yaml/... brine/states/value brine/states/plan brine/states/run brine/states/sls brine/states/module brine/states/render
SMALL     = -tags minion,noman,$(HTTP1) $(COLD:%=-gcflags='%=-l') $(HOT:%=-gcflags='%=')
build:
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(HTTP1) -ldflags '$(LDFLAGS)' -o bin/ $(PROGRAMS)
	CGO_ENABLED=0 $(GO) build -trimpath $(SMALL) -ldflags '$(LDFLAGS) -funcalign=16' -o bin/ $(MINION)

man: build
	@rm -rf bin/man bin/completion && mkdir -p bin/completion
	@for p in ./master/cmd/brine ./master/cmd/brine-master $(MINION); do \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || date +%s) \
			$(GO) run -trimpath -ldflags '$(LDFLAGS)' $$p man bin/man || exit 1; \
		b=$$(basename $$p); \
		for s in bash zsh fish; do bin/$$b completion $$s > bin/completion/$$b.$$s || exit 1; done; \
	done

lint:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt on these"; exit 1; }

gen:
	$(GO) run ./scripts/gen proto

# generated code that does not follow from its source fails the test
.PHONY: gen-check
gen-check:
	@tmp=$$(mktemp -d) && cp proto/*.proto $$tmp/ && $(GO) run ./scripts/gen $$tmp && \
	for f in $$tmp/*.pb.go; do cmp -s $$f proto/$$(basename $$f) || { echo "proto/$$(basename $$f) is not what make gen writes"; rm -rf $$tmp; exit 1; }; done; rm -rf $$tmp

test: lint gen-check
	$(GO) test -race -shuffle=on ./...

HOSTS = scripts/e2e/testdata/hosts
e2e: build
	@echo "$$([ $$(id -u) = 0 ] && echo 'on whole hosts:' || echo 'left out without root:')"
	@sed -s -n '1s/^# /  /p' $(HOSTS)/*.txtar
	$(GO) test -count=1 -tags e2e -timeout 20m ./scripts/e2e

chaos: build
	$(GO) run ./scripts/chaos -bin bin -rounds $(ROUNDS) -seed $(SEED)
	$(GO) run ./scripts/chaos -bin bin -events $(EVENTS) -masters 2 -seed $(SEED)

# what a target finds is kept in testdata/fuzz of its package, and every later test runs it again
fuzz:
	@failed=; for f in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(f \*testing\.F).*/\1/p' $$f); do \
			echo "== $$(dirname $$f) $$t"; \
			$(GO) test ./$$(dirname $$f) -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s || failed="$$failed $$(dirname $$f):$$t"; \
		done; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

bench: build
	$(GO) run ./scripts/bench -bin bin

# PYTHONPATH may name a Salt; what it answers is kept in TREES/.answers, where no tree is looked for
.PHONY: trees
trees:
	@mkdir -p $(TREES)/.answers
	$(GO) run ./scripts/trees -cache $(TREES)/.answers $(TREESFLAGS) $(TREES)

demo: build
	@./scripts/demo.sh
