// Package bundle keeps a trained model on disk: a directory that never changes, that
// says what it holds and where it comes from, and that is named by its content.
//
// # The problem
//
// A model is several files that fit each other alone: weights, the items that the rows
// of a table are of, the text encoder whose vectors it was trained over. A service that
// mixes two versions, or that loads half a copy, ranks badly without a sign of it. And
// who looks at a model a year later wants to know what it was trained on, by which
// program, with which settings, and how good it was.
//
// # The form
//
//	HASH/manifest.json           see [Manifest]
//	HASH/behaviour.safetensors   payloads: any bytes, by name
//	HASH/items.txt
//	HASH/text/model.safetensors  names may have folders
//
// The manifest lists each payload with its size and SHA-256, and carries the SHA-256 of
// itself without that line. The hash therefore names all that is in the bundle, and is
// the name of its directory. The parent's hash in the manifest makes a chain.
//
// To this package payloads are bytes. What the names mean is for their readers to say;
// the constants in names.go are those that Kindred's own parts use.
//
// # How to use it
//
//	b, err := bundle.Write(dir, bundle.Manifest{
//		Created: now, TextEncoder: bundle.Space{Name: info.Model, Dim: info.Dim}, BehaviourDim: 64,
//		Metrics: metrics, Code: bundle.ThisBuild(),
//	}, map[string]bundle.Payload{
//		bundle.BehaviourFile: weights.Write,
//		bundle.ItemsFile:     func(w io.Writer) error { return bundle.WriteItems(w, ids) },
//	}, bundle.Limits{})
//	...
//	b, err = bundle.Open(path, bundle.Limits{})
//	raw, err := b.ReadFile(bundle.BehaviourFile)
//
// [Bundle.Stream] and [Receive] carry a bundle from one machine to another.
//
// # The contract
//
// [Write] and [Receive] put a bundle in its place whole, by a rename after everything is
// on disk, or leave nothing and say why. [Open] reads every byte and refuses what is not
// exactly what was written, and names the damage: see the errors. Sizes are bounded
// before anything is read or written by them. [Bundle.ReadFile] checks again what it
// returns, so that what is used is what was checked.
//
// A [Bundle] is immutable and safe for concurrent use. Two processes may write the same
// bundle at once; one of the two stays, and they are equal.
package bundle
