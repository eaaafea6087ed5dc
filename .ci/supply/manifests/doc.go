// Package manifests checks the files of deploy/ without a cluster: that each object decodes
// strictly as the type that Kubernetes' own API module has for it, that they fit each other,
// and that the settings they give are settings of the service. The guides of docs/ are held
// against the service too: their commands and flags, and the codes that need a remedy.
package manifests
