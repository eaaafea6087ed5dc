// Package supply holds what checks the parts that Kindred is made of: known vulnerabilities,
// licences, bills of material, equal builds, and the files of deploy/. It is a module of its
// own, so that what the checks need is not what the service needs.
package supply
