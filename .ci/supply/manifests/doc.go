// Package manifests checks the files of deploy/ without a cluster: that each object decodes
// strictly as the type that Kubernetes' own API module has for it, that they fit each other,
// and that the flags they give are flags of the service.
package manifests
