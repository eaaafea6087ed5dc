// Package dots compares one vector with a handful of others at once.
//
// Ranking compares every candidate's vector with the vectors of the user and of the
// last items, five or six in all. The candidate's vector comes from far memory, the
// others stay near: so that the candidate is read once, [Many] adds up all products
// in one pass over it, each in a register of its own, and meanwhile asks for the
// candidate that comes next.
//
// On amd64 with AVX2 or AVX-512 the kernels are assembly, written by the generator in
// internal/gen (go generate rewrites them, and a test there checks that nothing
// differs). Everywhere else, and for dimensions that are no multiple of 8, the Go twin
// runs. The two add up in different orders: results differ in the last bits.
package dots

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg dots

// Max is the largest number of queries of one call.
const Max = 8

// Many sets out[j] to the inner product of row, [dim] float32, with query j of
// queries, [k, dim] float32 one after the other, for all j below k = len(out), which
// is at most Max. ahead is the row of the next call, nil if there is none; it only
// saves time. Many allocates nothing and may run concurrently.
func Many(row, ahead, queries, out []float32) {
	if len(queries) != len(row)*len(out) || len(out) > Max {
		panic("dots: shapes do not agree")
	}
	if len(row) == 0 || len(out) == 0 {
		clear(out)
		return
	}
	if !many(row, ahead, queries, out) {
		plain(row, queries, out)
	}
}

// plain is the Go twin.
func plain(row, queries, out []float32) {
	for j := range out {
		q := queries[j*len(row):][:len(row)]
		var a, b, c, d float32
		i := 0
		for ; i+4 <= len(row); i += 4 {
			a += row[i] * q[i]
			b += row[i+1] * q[i+1]
			c += row[i+2] * q[i+2]
			d += row[i+3] * q[i+3]
		}
		for ; i < len(row); i++ {
			a += row[i] * q[i]
		}
		out[j] = (a + b) + (c + d)
	}
}
