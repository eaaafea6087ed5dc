# Targets for people who work on Kindred. Users need only Go: see README.md.
TOOLS := .ci/tools/go.mod
BIN   := $(CURDIR)/.bin

.PHONY: test lint generate verify tools

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
