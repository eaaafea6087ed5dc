// Package config gives a command its settings from four places, and says of each where
// it came from.
//
// A setting has one name everywhere. The flag --ranking-age is the environment's
// KINDRED_RANKING_AGE and the file's ranking-age:
//
//	# kindred.yaml
//	ranking-age: 2s
//	embed-addr: [gpu-1:50061, gpu-2:50061]
//
// What is nearer to the one who starts the service counts: a flag before the environment,
// the environment before the file, the file before the default. A list is replaced, not
// added to. The file is YAML: one mapping, no nesting, no key twice. Its settings are the
// flags of the command, so that a flag that is added to a command is in the file, in the
// environment and in `config example` at once.
//
// # Mistakes
//
// [Load] reads everything before anything is opened, and reports all mistakes at once,
// each with its place: a key that is not known (with the nearest that is), a value that
// cannot be read, one that is out of its range. A range stands in the tags of the flag,
// min:"1" max:"64", in the flag's own unit: a number, a duration, a [Size]. A variable of
// the environment that begins with KINDRED_ and is no setting may belong to another
// command or to the platform: it is a warning, and only where it is nearly a setting.
//
// # Secrets
//
// Keys and certificates are given as files, whose names are no secret. A flag with the
// tag secret:"" is printed as stars.
//
// # Changes while the service runs
//
// A flag with the tag reload:"" can change while the service runs. [Diff] compares two
// sets of settings and says of each change whether it does. Who loaded the settings
// applies them.
//
// Settings are read-only once loaded, and then safe for concurrent use.
package config
