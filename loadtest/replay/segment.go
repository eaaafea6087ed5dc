package replay

import (
	"cmp"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// newBelow is how many earlier events in the log a user or an item has at most, exclusive, to count as new.
const newBelow = 5

// The segments, in the order of Result.Segments. An ask may be in several of them.
const (
	newUsers = iota
	newItems
	lightUsers // + the tercile
	middleUsers
	heavyUsers
	segmentCount
)

var segmentNames = [segmentCount]string{"new users", "new items", "light users", "middle users", "heavy users"}

// past is what the log says about its people and items, and what of it is revealed so far. Not safe for concurrent use.
type past struct {
	who, what []int32 // by place in the log: the number of its person, and of its item, -1 for none
	numbers   map[string]int32
	tercile   []uint8 // of people by their events in the whole log: 0, 1 and 2
	catalog   int     // items that popularity is smoothed over
	revealed  int     // events
	ofPerson  []int32 // revealed events by person
	ofItem    []int32
	had       map[uint64]struct{} // person and item of the revealed events
}

func newPast(log []dataset.Event, catalog int64) *past {
	p := &past{who: make([]int32, len(log)), what: make([]int32, len(log)), numbers: map[string]int32{}, had: map[uint64]struct{}{}}
	people := map[person]int32{}
	for at, e := range log {
		p.who[at] = number(people, personOf(e))
		p.what[at] = -1
		if e.Item != "" {
			p.what[at] = number(p.numbers, e.Item)
		}
	}
	p.ofPerson, p.ofItem = make([]int32, len(people)), make([]int32, len(p.numbers))
	p.catalog = max(int(catalog), len(p.numbers), 1)
	p.tercile = terciles(p.who, len(people))
	return p
}

func number[K comparable](numbers map[K]int32, key K) int32 {
	n, known := numbers[key]
	if !known {
		n = int32(len(numbers))
		numbers[key] = n
	}
	return n
}

// terciles cuts the people into three groups of one size by their number of events; ties go by first appearance.
func terciles(who []int32, people int) []uint8 {
	events := make([]int32, people)
	for _, p := range who {
		events[p]++
	}
	order := make([]int32, people)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(events[a], events[b]), cmp.Compare(a, b)) })
	tercile := make([]uint8, people)
	for place, p := range order {
		tercile[p] = uint8(place * 3 / people)
	}
	return tercile
}

func pair(who, what int32) uint64 { return uint64(uint32(who))<<32 | uint64(uint32(what)) }

// reveal counts the event at a place of the log.
func (p *past) reveal(at int) {
	p.revealed++
	p.ofPerson[p.who[at]]++
	if item := p.what[at]; item >= 0 {
		p.ofItem[item]++
		p.had[pair(p.who[at], item)] = struct{}{}
	}
}

// judge adds to an answer what the revealed events say about it. at is the place of the event that was asked for.
func (p *past) judge(at int, a answer) judged {
	j := judged{answer: a}
	_, j.repeat = p.had[pair(p.who[at], p.what[at])]
	for _, id := range a.shown {
		j.novelty += p.surprise(id)
	}
	return j
}

// surprise is -log2 of the share of the revealed events that an item has, in bits; one event more for each item of the
// catalog keeps it finite.
func (p *past) surprise(item string) float64 {
	events := int32(0)
	if n, known := p.numbers[item]; known {
		events = p.ofItem[n]
	}
	return math.Log2(float64(p.revealed+p.catalog)) - math.Log2(float64(events)+1)
}

// segments are those of the event at a place.
func (p *past) segments(at int) (in [segmentCount]bool) {
	in[newUsers] = p.ofPerson[p.who[at]] < newBelow
	in[newItems] = p.what[at] >= 0 && p.ofItem[p.what[at]] < newBelow
	in[lightUsers+int(p.tercile[p.who[at]])] = true
	return in
}
