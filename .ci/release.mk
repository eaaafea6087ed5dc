# Binaries to hand out, and what is known of their parts. Included by the Makefile.
DIST ?= dist
# No path of this machine is in a binary, the commit is; without tables for debuggers.
RELEASE = go build -trimpath -buildvcs=true -ldflags='-s -w'

.PHONY: release release-xla reproducible licences sbom vulnerabilities manifests client-python client-typescript

release: ## dist/kindred: static, needs nothing beside it; for another machine: GOARCH=arm64 make release
	mkdir -p $(DIST)
	CGO_ENABLED=0 $(RELEASE) -o $(DIST)/kindred ./server

release-xla: ## dist/kindred-xla: with the XLA backend; needs a C compiler here and glibc there
	mkdir -p $(DIST)
	CGO_ENABLED=1 $(RELEASE) -o $(DIST)/kindred-xla ./server

reproducible: ## two builds in two folders are one binary; FRESH=1 compiles all again for the second
	.ci/supply/reproducible.sh

licences: ## the licences of all that is linked in are on the list, and their texts are gathered
	go run -C .ci/supply ./licences --root ../.. --allow licences.txt --out $(abspath $(DIST))/THIRD_PARTY ./server ./loadtest

sbom: ## dist/kindred.cdx.json: what is in dist/kindred, in CycloneDX
	.ci/supply/sbom.sh $(DIST)/kindred $(DIST)/kindred.cdx.json

vulnerabilities: ## known ones that our code reaches
	.ci/supply/vulnerabilities.sh ./...

manifests: ## deploy/ and docs/ fit Kubernetes, systemd, and the commands, flags and codes that there are
	go test -C .ci/supply/manifests ./...

client-python: ## stubs for Python, and the example against a real service
	clients/python/test.sh

client-typescript: ## stubs for TypeScript, and the example against a real service
	clients/typescript/test.sh
