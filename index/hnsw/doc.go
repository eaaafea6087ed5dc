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
//	Float32         .944 .975 .997 .998              11.0  13.3  19.2  34.2       10,394        661
//	Int8            .941 .971 .996 .998               6.7   8.4  13.2  21.3       13,584        289 (and 512 in a file)
//
// The times, the rates and hnswlib were measured before items had short codes,
// which take 12 and 20 of the bytes, some percent of the build, and for 50,000
// items a tenth of a second of Open and Load.
//
// # Filters
//
// A filter that keeps few items is answered by a scan of them, one that keeps
// enough of what is near the query by a walk that goes on until it has met
// enough, and any other by sifting short codes of all items: see filter.go. Time
// as a multiple of the unfiltered search, and recall@10, at the default effort
// of 64 (unfiltered .997 or better), over 500 clusters. "Elsewhere" keeps whole
// clusters but never the query's own, "far" the clusters farthest from it.
//
//	              50,000 Float32  50,000 Int8   200,000 Float32  200,000 Int8
//	all           1.11x  .999     1.11x 1.000   1.23x  .997      1.21x  .998
//	1/2 random    1.38x  .994     1.50x  .995   1.60x  .997      1.56x  .997
//	    near      1.17x  .999     1.24x 1.000   1.42x  .997      1.31x  .997
//	    elsewhere 3.05x  .974     2.70x  .965   5.91x  .963      3.57x  .974
//	    far       3.43x  .966     2.71x  .969   7.46x  .955      3.85x  .965
//	1/10 random   1.27x  .975     1.60x  .992   2.35x  .978      2.62x  .997
//	    near      1.21x  .996     1.34x  .998   1.64x  .997      1.54x  .997
//	    elsewhere 1.83x  .973     1.87x  .964   3.56x  .972      2.87x  .969
//	    far       1.92x  .972     2.05x  .973   3.84x  .961      2.93x  .967
//	1/100 any     .67x  1.000     .91x  1.000   1.64x 1.000      1.53x 1.000
//	1/1000 any    .26x  1.000     .37x  1.000   .66x  1.000      .63x  1.000
//
// These were taken beside other work on two cores, search by search in turn with
// the unfiltered one, the best of 15 each. That work takes memory bandwidth, which
// sifting needs most: all of elsewhere and far from 1/10 up, and 1/10 random, were
// sifted and are likely faster alone. BenchmarkFilter prints them again, at
// efforts 40 and 64.
//
// Three times the unfiltered search is not reached where half of 200,000 items
// are allowed and none of them is near the query, nor, for Float32, at a tenth.
// The ten best are then scattered among many whose scores hardly differ: of
// 100,000, codes of 12 bytes leave 6,000 to 10,000 to be scored. Codes of 20
// bytes leave a quarter of that and halve the time, at 669 bytes a vector.
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
// "Practical lock-freedom", 2004, for epochs. Jégou, Douze and Schmid, "Product
// quantization for nearest neighbor search", 2011, and André, Kermarrec and Le
// Scouarnec, "Cache locality is not enough: high-performance nearest neighbor
// search with product quantization fast scan", 2015, for the short codes.
package hnsw
