package experiment

// Share is how many buckets a variant should have.
type Share struct {
	Variant string
	Buckets int
}

// Span gives the buckets from From until Until, exclusive, to a variant.
type Span struct {
	From, Until int
	Variant     string
}

// Allocation says which buckets are whose, in ascending spans that do not overlap. What
// lies in none is in no variant. nil: nobody is in any.
type Allocation []Span

// Variant returns the variant of a bucket; "" for none.
func (a Allocation) Variant(bucket int) string {
	for i := range a {
		if bucket < a[i].Until {
			if bucket < a[i].From {
				return ""
			}
			return a[i].Variant
		}
	}
	return ""
}

// Allocate gives each variant its share, which add up to Buckets at most, changing as
// little of before as can be: a bucket changes hands only if its variant must give some,
// or had none. Variants of before that no share names give all they have.
func Allocate(before Allocation, shares []Share) Allocation {
	var owner [Buckets]int // place in shares plus one; 0: none
	missing := make([]int, len(shares)+1)
	place := map[string]int{}
	for i, s := range shares {
		place[s.Variant], missing[i+1] = i+1, s.Buckets
	}
	for _, span := range before {
		p := place[span.Variant] // 0 for one that is gone
		for b := max(0, span.From); b < min(span.Until, Buckets); b++ {
			// The first buckets stay, so that what was given last goes first.
			if p != 0 && missing[p] > 0 {
				owner[b] = p
				missing[p]--
			}
		}
	}
	next := 1
	for b := range owner {
		for next < len(missing) && missing[next] == 0 {
			next++
		}
		if next == len(missing) {
			break
		}
		if owner[b] == 0 {
			owner[b] = next
			missing[next]--
		}
	}
	return spans(&owner, shares)
}

// spans joins neighbours of one variant.
func spans(owner *[Buckets]int, shares []Share) Allocation {
	var a Allocation
	for b := 0; b < Buckets; {
		end := b + 1
		for end < Buckets && owner[end] == owner[b] {
			end++
		}
		if owner[b] != 0 {
			a = append(a, Span{From: b, Until: end, Variant: shares[owner[b]-1].Variant})
		}
		b = end
	}
	return a
}
