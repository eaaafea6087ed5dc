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
// On two cores of an AMD EPYC (Zen 5), one thread, quiet, beside hnswlib 0.8.0 in the
// same minutes: clustered vectors, M 16, EfConstruction 200. Microseconds a query at
// recall@10 of .95, .98 and .99, interpolated between efs from 10 to 480, and vectors
// built a second; the best of three passes, and of two rounds for the first three rows.
//
//	                    hnswlib               Float32               Int8
//	 50,000 x 128     24   31   35   5,682    13   17   19  10,062   10   12   13  11,843
//	   more noise     87  252  391   5,347    45  127  220   9,106   28   81  148  10,824
//	200,000 x 128     50   62   75   4,330    29   36   42   7,534   22   27   32  10,697
//	   more noise     97  398    -   3,560    55  241    -   6,184   41  174    -   8,568
//	 50,000 x 64      54  100  150   7,852    31   64   98  12,517   29   56   86  12,198
//	 50,000 x 384     52   67   74   2,436    30   37   42   4,245   18   21   23   8,217
//	  2,768 x 256     10   17   26  15,248     6    9   15  23,259    6    9   13  22,310
//	 29,518 x 256     42   66   90   6,564    25   40   58   9,658   14   19   26  12,554
//
// The last two are the embedded encoder's vectors of a shop's titles, and the rows of
// its table. Bytes a vector at 128 dimensions: hnswlib 661; Float32 661; Int8 289, and
// 512 in a mapped file. 200,000 vectors are opened in .22 s (Float32) and .30 s (Int8),
// most of it for the short codes of filtered search. While half of 50,000 are deleted
// and added again and two goroutines search, recall stays that of a fresh build, and
// the 99th percentile of a search is 1.2 and 3.0 times its quiet value.
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
//	all           1.12x  .999     1.17x 1.000   1.24x  .997      1.19x  .998
//	1/2 random    1.42x  .994     1.48x  .995   1.61x  .997      1.47x  .997
//	    near      1.17x  .999     1.22x 1.000   1.37x  .997      1.27x  .996
//	    elsewhere 3.00x  .970     2.66x  .963   6.25x  .976      3.60x  .967
//	    far       3.42x  .965     2.58x  .972   7.69x  .966      3.85x  .966
//	1/10 random   1.23x  .974     1.55x  .989   2.24x  .984      2.52x  .997
//	    near      1.20x  .997     1.33x  .999   1.57x  .998      1.44x  .995
//	    elsewhere 1.73x  .970     1.83x  .968   3.50x  .970      2.94x  .965
//	    far       1.86x  .966     2.00x  .965   3.77x  .959      2.93x  .967
//	1/100 any     .65x  1.000     .87x  1.000   1.64x 1.000      1.53x 1.000
//	1/1000 any    .25x  1.000     .35x  1.000   .66x  1.000      .63x  1.000
//
// Search by search in turn with the unfiltered one, the best of 15 each; the last cells
// (200,000 Int8 far at 1/10, and 200,000 from 1/100 on) on a busier machine than the
// others. All of elsewhere and far from 1/10 up, and 1/10 random, were sifted.
// BenchmarkFilter prints them again, at efforts 40 and 64.
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
