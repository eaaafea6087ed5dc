// Package histories makes the vectors of many users from what they did, on another
// machine: a part of a worker, and its client.
//
// # The problem
//
// A new bundle makes the vectors of all users old at once. One is made anew in a fraction
// of a millisecond, when its user comes, but millions are minutes of all processors, which
// serve at the same time. A worker has processors, or a GPU, of its own.
//
// # The worker
//
//	part, err := histories.NewServer(histories.Config{Dir: "bundles"})
//	server, err := remote.NewServer(batcher, remote.ServerConfig{Histories: part})
//
// [Server] has bundles in a folder, keeps the encoders of the last few in memory, and takes
// others by upload. Each stream is of one bundle and has a table of items: their ids and
// the vectors of their texts cross the network once, with the first history that has them,
// and histories name rows. Of 1,000 users with 50 events each over texts of 256 components
// the table is 1 kB an item and histories 0.8 kB a user, where texts in the events would
// be 50 kB a user. The client has the table, and not the worker, since texts change with
// the catalog, which the worker does not know. All is bounded by [Config] and told in Info.
//
// What computes is an [Encoder]. [InGo] is the one that there is: learned.Encoder on all
// processors. One that batches on a GPU goes in by Config.Load.
//
// # The client
//
//	c, err := histories.Dial(remote.Config{Addrs: []string{"gpu-1:50061"}})
//	s, err := c.Open(ctx, b) // uploads the bundle if need be
//	defer s.Close()
//	err = s.Encode(users, vectors) // again and again: the table stays
//
// A [Session] that fails stays failed: who made it makes vectors in process, and opens
// another one later. Vectors are those that learned.Encoder.User makes.
//
// # Speed
//
// BenchmarkUsers makes vectors of users with 50 events each, by two layers of 128
// components over texts of 256. On two cores of an EPYC server, which others were using
// too: 5,400 users a second in process on one core, 11,500 on both, and 10,100 by a worker
// on loopback that shares them with its client: a million users in 100 s.
package histories
