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
// For catalogs that index/flat scans in less time than a walk takes (a few
// thousand items), a search here scans, too.
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
