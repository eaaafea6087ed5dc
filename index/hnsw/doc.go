// Package hnsw finds nearest vectors by walking a navigable small-world graph.
//
// Comparing a query with every vector costs time in proportion to the catalog.
// Here each vector is a node with a few dozen links to nodes near it, chosen to
// point in different directions, and a search walks from node to nearer node:
// some hundred comparisons for a catalog of a million. Upper levels, each with
// one in M of the nodes below, bring the walk near its goal in a few steps. The
// answer is nearly exact; Effort (efSearch) trades time for recall.
//
// Use:
//
//	idx, err := hnsw.New(hnsw.Config{Dim: 256, MaxItems: 1 << 20, Seed: 1})
//	err = idx.Build(ctx, len(vectors), 0, func(id uint32) []float32 { return vectors[id] })
//	hits, err := idx.Search(index.Query{Vector: user, K: 200}, hits[:0])
//	check, err := idx.SelfCheck(ctx, hnsw.CheckOptions{Queries: 200, K: 10, Seed: 1})
//	err = idx.WriteFile("items.hnsw")  // and Open, or Load, the next time
//
// Where a scan takes no longer than a walk, up to 32 items for each unit of
// effort, a search here scans, as index/flat does.
//
// # Measured
//
// On two cores of an AMD EPYC (Zen 5), one thread, beside hnswlib 0.8.0 in the
// same minute: 50,000 clustered vectors of 128 dimensions, M 16,
// EfConstruction 200, at efSearch 15 / 20 / 40 / 80. Processor time, best of 25
// passes.
//
//	                recall@10 at ef 15, 20, 40, 80   microseconds a query        vectors/s  bytes/vector
//	hnswlib         .947 .975 .996 .998              19.5  26.9  42.7  66.8        6,274        661
//	Float32         .944 .975 .997 .998              11.0  13.3  19.2  34.2       10,394        649
//	Int8            .941 .971 .996 .998               6.7   8.4  13.2  21.3       13,584        269 (and 512 in a file)
//
// A filter that keeps one item in two costs 1.6 times the unfiltered search;
// one in ten, which is scanned, about 3.5 times (2.7 for Int8); one in a hundred
// less than the unfiltered. The worst is a filter that keeps half of all and
// nothing near the query: it ends in a scan, exact but 15 times as long.
//
// # Storage
//
// Float32 walks over the vectors as they are. Int8 walks over codes of one byte
// an element with a scale for each vector, a quarter of the memory and of the
// memory traffic, and scores the nodes of its final beam by the float vectors,
// which lie in a mapped file. The scores returned are exact in both.
//
// Vectors are expected to be of unit length. Others are searched by inner
// product all the same, but the graph, whose links are chosen by it, then
// serves worse: very long vectors draw links from everywhere.
//
// # What makes it fast
//
// Memory traffic is the limit. Vectors and links lie in flat chunks outside
// the heap, with huge pages where the system has them; the links of a node are
// one block; all unseen neighbours of a node are found by one branch-free loop
// that asks for their rows, and are scored by one call, four at a time. The
// beam is one sorted list. A search allocates nothing once warm.
//
// # Concurrency
//
// Everything may be called at once. Searches take no lock but a brief one to
// borrow working memory. Links are read and written one by one, atomically;
// writers lock single nodes. An item moves from its old node to its new one by
// one store, so a search sees one or the other. Deleted nodes are swept in small
// steps by later writes (see [Index.Reclaim]), and their memory is used again
// once no walk can hold them, by epochs; nothing stops the world.
//
// Config.Walks bounds how many calls run at once, and with it their memory.
//
// # Sources
//
// Malkov and Yashunin, "Efficient and robust approximate nearest neighbor
// search using Hierarchical Navigable Small World graphs", 2018 (algorithms 1
// to 5). Singh and others, "FreshDiskANN", 2021, for deletes. Fraser,
// "Practical lock-freedom", 2004, for epochs.
package hnsw
