# Targets for people who work on Kindred. Users need only Go: see README.md.
TOOLS := .ci/tools/go.mod
BIN   := $(CURDIR)/.bin

PPROF ?= 127.0.0.1:50053

.PHONY: test lint generate verify tools profile figures figures-page

test: ## the tests
	go test ./...

tools: $(BIN)/buf ## builds the pinned tools into .bin

$(BIN)/buf: $(TOOLS)
	mkdir -p $(BIN)
	go build -C .ci/tools -o $(BIN)/ tool

generate: tools ## Go code from proto, kernels from their generators
	PATH=$(BIN):$$PATH buf generate --template proto/buf.gen.yaml
	go generate ./...

verify: generate ## generated code is what is committed
	git diff --exit-code -- '*.pb.go' '*.s' '*_amd64.go'

lint: tools ## buf lint, gofmt, vet, staticcheck
	PATH=$(BIN):$$PATH buf lint
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	go vet ./...
	$(BIN)/staticcheck ./...

# What the compiler optimizes the service by (server/default.pgo, which `go build` finds by itself): the
# profile of a server started with --pprof $(PPROF), under `loadtest load` at some three quarters of saturation (that in
# the repository also has eight seconds of `--mode events`, merged by `go tool pprof -proto`).
# Build it with -trimpath, so that the profile names no folder of yours.
profile: ## the compiler's profile of the service, taken anew
	curl -sf 'http://$(PPROF)/debug/pprof/profile?seconds=30' -o server/default.pgo

include .ci/release.mk

# The figures of the README, each a target, so that one can be taken again. They need ../shared (or
# DATA and MODELS), an idle machine, and time. On two cores that others kept busy scan took 38 s, movies-counts 15 s,
# demo 32 s with its build, and training on movielens-small (movies, movies-compare) nine minutes; all of office, beauty and
# movies but -counts train, too, once for each seed. Each says how long it took. `make -k figures` goes on past one that fails.
DATA    ?= ../shared/data
MODELS  ?= ../shared/models
FIGURES ?= figures
SEEDS   ?= 1

FIGURE   = go run ./loadtest/figures run --dir $(FIGURES)
EVALUATE = go run ./loadtest evaluate
OFFICE   = --format amazon --data $(DATA)/amazon-office --json
MOVIES   = --format movielens --data $(DATA)/movielens-small --json
ALL      = office office-counts office-retrieval office-cold beauty movies movies-counts movies-time movies-compare \
           sentiment encode-static encode-minilm user-vector scan graph encoder demo load restart tenants faults soak

.PHONY: $(ALL:%=figure-%)

figures: $(ALL:%=figure-%) figures-page ## the README's figures into figures/, and a page of them

figures-page: ## the page, of what is there
	go run ./loadtest/figures page --dir $(FIGURES) --out $(FIGURES)/figures.html

figure-office:
	for seed in $(SEEDS); do $(FIGURE) --name office-$$seed --needs $(DATA)/amazon-office --goes "README, Measured: amazon-office" -- $(EVALUATE) $(OFFICE) --seed $$seed || exit 1; done

figure-office-counts:
	$(FIGURE) --name office-counts --needs $(DATA)/amazon-office --goes "README, Measured: amazon-office, nothing learned but counts" -- $(EVALUATE) $(OFFICE) --behaviour mean --no-fit

figure-office-retrieval:
	for seed in $(SEEDS); do $(FIGURE) --name office-retrieval-$$seed --needs $(DATA)/amazon-office --goes "README, Measured: amazon-office, retrieval alone" -- $(EVALUATE) $(OFFICE) --stage retrieval --seed $$seed || exit 1; done

figure-office-cold:
	for seed in $(SEEDS); do $(FIGURE) --name office-cold-$$seed --needs $(DATA)/amazon-office --goes "README, below Measured: a fifth of the items taken out of training" -- $(EVALUATE) $(OFFICE) --stage retrieval --cold 0.2 --seed $$seed || exit 1; done

figure-beauty:
	for seed in $(SEEDS); do $(FIGURE) --name beauty-$$seed --needs $(DATA)/s3rec-beauty --goes "README, Measured: s3rec-beauty, and its epoch" -- $(EVALUATE) --format s3rec --data $(DATA)/s3rec-beauty --stage retrieval --json --seed $$seed || exit 1; done

figure-movies:
	for seed in $(SEEDS); do $(FIGURE) --name movies-$$seed --needs $(DATA)/movielens-small --goes "README, Measured: movielens-small" -- $(EVALUATE) $(MOVIES) --seed $$seed || exit 1; done

figure-movies-counts:
	$(FIGURE) --name movies-counts --needs $(DATA)/movielens-small --goes "README, Measured: movielens-small, nothing learned" -- $(EVALUATE) $(MOVIES) --behaviour mean --no-fit

figure-movies-time:
	$(FIGURE) --name movies-time --needs $(DATA)/movielens-small --goes "README, Measured: movielens-small cut by time" -- $(EVALUATE) $(MOVIES) --protocol time

figure-movies-compare:
	$(FIGURE) --name movies-compare --needs $(DATA)/movielens-small --goes "README, Measured: movielens-small beside baselines" -- $(EVALUATE) $(MOVIES) --compare mean=mean --compare popular=popular --compare knn=itemknn

figure-sentiment:
	$(FIGURE) --name sentiment --needs $(DATA)/review-sentiment/amazon.tsv --goes "README, Measured: feelings of review sentences" -- go run ./loadtest sentiment --data $(DATA)/review-sentiment/amazon.tsv --json

figure-encode-static:
	$(FIGURE) --name encode-static --goes "README, Measured: embedded encoder" -- go run ./loadtest encode --model static --shapes 1x16,32x32 --json

figure-encode-minilm:
	$(FIGURE) --name encode-minilm --needs $(MODELS)/all-minilm-l6-v2 --goes "README, Measured: all-MiniLM-L6-v2, pure Go" -- go run ./loadtest encode --model $(MODELS)/all-minilm-l6-v2 --backend go --shapes 1x16,32x32,64x64 --json

figure-user-vector:
	$(FIGURE) --name user-vector --goes "README, Measured: a user's vector from 50 events" -- go test -run NONE -bench . ./embed/behaviour/causal

figure-scan:
	$(FIGURE) --name scan --goes "README, Measured: exact scan" -- go test -run NONE -bench Search ./index/flat

figure-graph:
	$(FIGURE) --name graph --goes "README, Measured: hnsw from a snapshot, and while a half is deleted" -- go test -run NONE -bench 'Open|Churn' -benchtime 1x ./index/hnsw

figure-encoder:
	$(FIGURE) --name encoder --goes "README, Measured: embedded encoder, one core" -- go test -run NONE -bench . ./embed/static

figure-demo:
	$(FIGURE) --name demo --goes "README, Measured: demo, after the build" -- ./.ci/figures/demo.sh

figure-load:
	$(FIGURE) --name load --needs $(DATA)/amazon-office --goes "README, Measured: calls held with p99 under 50 ms" -- ./.ci/figures/load.sh $(DATA)/amazon-office

figure-restart:
	$(FIGURE) --name restart --goes "README, Measured: ready after a restart" -- go run ./loadtest restart --json

figure-tenants:
	$(FIGURE) --name tenants --goes "README, Measured: a neighbour's p99" -- go run ./loadtest tenants --rate 400 --json

figure-faults:
	$(FIGURE) --name faults --goes "README, Measured: faults" -- go run ./loadtest faults --json

figure-soak:
	$(FIGURE) --name soak --goes "README, Measured: ten minutes at 70%" -- go run ./loadtest soak --json
