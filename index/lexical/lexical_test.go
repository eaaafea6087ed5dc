package lexical

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

// titles is an index of items with titles alone, numbered from 0.
func titles(t testing.TB, of ...string) *Index {
	t.Helper()
	docs := make([]Document, len(of))
	for i, title := range of {
		docs[i].Title = title
	}
	return filled(t, docs)
}

// find returns the numbers that a query finds, best first.
func find(t testing.TB, x *Index, query string) []uint32 {
	t.Helper()
	hits, _, err := x.Search(Query{Text: query, K: 100}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint32
	for _, h := range hits {
		ids = append(ids, h.ID)
	}
	return ids
}

func TestWhatFindsWhat(t *testing.T) {
	for _, c := range []struct {
		why, title, query string
		found             bool
	}{
		{"case does not matter", "Gel PEN", "gEl pen", true},
		{"accents do not matter", "Café Crème", "cafe creme", true},
		{"in either text", "cafe", "CAFÉ", true},
		{"nor whether they are letters of their own", "Cafe\u0301", "café", true},
		{"sharp s is two", "Straße", "strasse", true},
		{"final sigma is a sigma", "ΛΌΓΟΣ", "λογος", true},
		{"a Turkish i is an i", "İstanbul ışık", "istanbul isik ", true},
		{"full width is width", "ＡＢＣ１２", "abc12", true},
		{"apostrophes are left out", "Men’s shoes", "mens", true},
		{"in either text", "mens", "men's", true},
		{"a hyphen parts words", "Tri-Color ink", "color", true},
		{"a decimal stays whole", "Hose 2.5 m", "2.5 ", true},
		{"Arabic points do not matter", "قَلَم", "قلم", true},
		{"Hebrew points do not matter", "עִפָּרוֹן", "עפרון", true},
		{"Russian", "Шариковая Ручка", "ручка", true},
		{"й is и where people type so", "Зелёный чай", "зеленый чаи", true},
		{"Hindi vowels tell words apart", "का", "की ", false},
		{"Chinese by pairs", "中国钢笔墨水", "钢笔", true},
		{"not by pairs that are not there", "中国钢笔墨水", "国墨", false},
		{"one character at the start of a run", "書籍", "書", true},
		{"and at its end", "図書", "書", true},
		{"Japanese in mixed scripts", "iPhone15ケース", "ケース", true},
		{"and the Latin part", "iPhone15ケース", "iphone15", true},
		{"voiced kana are not unvoiced ones", "がき", "かき", false},
		{"nor in half width", "ｶﾍﾞ", "カヘ", false},
		{"half-width kana", "ｹｰｽ", "ケース", true},
		{"Korean before an ending", "가죽가방을 판매", "가방", true},
		{"Korean after Latin letters", "LG전자", "전자", true},
		{"Thai", "ปากกาลูกลื่น", "ลูกลื่น", true},
		{"emoji", "Party hat 🎉", "🎉", true},
		{"with a variation selector or without", "Love ❤️", "❤", true},
		{"signs are no words", "Post-it®", "®", false},
		{"punctuation finds nothing", "Gel pen", "!? ,", false},
		{"the last word goes on", "Fountain pen", "foun", true},
		{"unless something follows", "Fountain pen", "foun ", false},
		{"a first word does not", "Fountain pen", "foun xyz", false},
		{"one letter does not", "Fountain pen", "f", false},
		{"a letter wrong", "Marker", "narker ", true},
		{"missing", "Marker", "markr ", true},
		{"too many", "Marker", "markker ", true},
		{"swapped", "Marker", "makrer ", true},
		{"two mistakes in a short word", "Marker", "nakrer ", false},
		{"two in a long one", "Stationery", "statoinary ", true},
		{"three letters are too few", "Pen", "pan ", false},
		{"model numbers are not bent", "CB335WN", "CB336WN ", false},
		{"a word with a digit is no correction", "abcd5", "abcd ", false},
		{"long words by their start", strings.Repeat("x", 100), strings.Repeat("x", 80) + " ", true},
	} {
		if got := len(find(t, titles(t, c.title), c.query)) > 0; got != c.found {
			t.Errorf("%s: %q finds %q: %v", c.why, c.query, c.title, got)
		}
	}
}

func TestBestComesFirst(t *testing.T) {
	for _, c := range []struct {
		why, query string
		titles     []string
		want       []uint32
	}{
		{"all words before some, the rarer before the common", "blue gel pen ",
			[]string{"Pen", "Gel pen", "Blue gel pen", "Blue pen", "Gel lamp"}, []uint32{2, 3, 1, 4, 0}},
		{"the shorter title of equal words", "gel pen ", []string{"Gel pen with a case and twelve refills in a box", "Gel pen"}, []uint32{1, 0}},
		{"the word before what goes on with it", "pen", []string{"Pencil", "Pens", "Pen"}, []uint32{2, 0, 1}},
		{"equals by number", "pen ", []string{"Pen", "Pen", "Pen"}, []uint32{0, 1, 2}},
		{"a word that is there is not corrected", "maker ", []string{"Marker", "Maker"}, []uint32{1}},
		{"one mistake before two", "statoinery ", []string{"Stationary", "Stationery"}, []uint32{1}},
		{"a repeated word counts once", "pen pen pen gel ", []string{"Pen", "Gel", "Pen"}, []uint32{1, 0, 2}},
	} {
		if got := find(t, titles(t, c.titles...), c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q finds %v, want %v", c.why, c.query, got, c.want)
		}
	}
	x := filled(t, []Document{{Description: "acme"}, {Tags: []string{"acme"}}, {Brand: "Acme"}, {Title: "Acme"}, {Categories: []string{"Acme > Pens"}}})
	if got := find(t, x, "acme"); got[0] != 3 || len(got) != 5 || slices.Index(got, 0) < slices.Index(got, 1) {
		t.Errorf("by field: %v, want the title first, and tags before descriptions", got)
	}
}

func TestAFilterNeverStarves(t *testing.T) {
	of := make([]string, 20_000)
	for i := range of {
		of[i] = "Pen"
	}
	of[19_990], of[19_999] = "Pen of another kind", "Pen of another kind"
	x := titles(t, of...)
	allow := make([]uint64, len(of)/64+1)
	for _, id := range []uint32{19_990, 19_999} {
		allow[id/64] |= 1 << (id % 64)
	}
	for _, q := range []Query{
		{Text: "pen", K: 1, Allow: allow, Keep: func(id uint32) bool { return id != 19_990 }},
		{Text: "pen", K: 10, Keep: func(id uint32) bool { return id == 19_999 }},
	} {
		if hits, _, err := x.Search(q, nil); err != nil || len(hits) != 1 || hits[0].ID != 19_999 {
			t.Errorf("%v %v", hits, err)
		}
	}
	if hits, _, _ := x.Search(Query{Text: "pen", K: 5, Allow: allow[:1]}, nil); len(hits) != 0 {
		t.Errorf("items past the end of the filter: %v", hits)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []Config{{}, {MaxItems: -1}, {MaxItems: 1, MaxBytes: 1}, {MaxItems: 1, MaxBytes: 5 << 30}, {MaxItems: 1, DescriptionBytes: -1}} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	x := titles(t, "Pen")
	if err := x.Put(1<<20, &Document{}); !errors.Is(err, index.ErrID) {
		t.Error(err)
	}
	if _, _, err := x.Search(Query{Text: "pen"}, nil); !errors.Is(err, index.ErrQuery) {
		t.Error(err)
	}
	x.Delete(1 << 30)
	if got := find(t, x, ""); got != nil {
		t.Errorf("the empty text finds %v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	x, err := New(Config{MaxItems: 1 << 20, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	full := uint32(0)
	for ; err == nil && full < 1<<20; full++ {
		err = x.Put(full, &Document{Title: fmt.Sprint("item", full)})
	}
	full--
	if !errors.Is(err, ErrFull) || x.Stats().Bytes > 3<<19 {
		t.Fatalf("at item %d: %v, %+v", full, err, x.Stats())
	}
	if err := x.Put(0, &Document{Title: "renamed"}); !errors.Is(err, ErrFull) || find(t, x, "item0 ") != nil {
		t.Errorf("%v; a name that no longer holds must not be found", err)
	}
	for id := range full {
		x.Delete(id)
	}
	if err := x.Put(full, &Document{Title: "fits"}); err != nil || len(find(t, x, "fits")) != 1 {
		t.Error("after deletions: ", err)
	}
}

func TestSearchWhileWritingSeesWholeItems(t *testing.T) {
	const items = 64
	x := titles(t)
	name := func(id, version int) *Document {
		return &Document{Title: fmt.Sprintf("always thing%d version%d", id, version)}
	}
	for id := range items {
		if err := x.Put(uint32(id), name(id, 0)); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := 1; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := 2*(i%(items/2)) + w
				if err := x.Put(uint32(id), name(id, i)); err != nil {
					t.Error(err)
				}
				if got := find(t, x, fmt.Sprint("version", i, " thing", id, " ")); len(got) == 0 || got[0] != uint32(id) {
					t.Errorf("item %d is not found by its new name: %v", id, got)
				}
				x.Put(1000+uint32(w), name(1000+w, i))
				x.Delete(1000 + uint32(w))
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for range 1500 {
				hits, _, err := x.Search(Query{Text: "always", K: 1000, Keep: func(id uint32) bool { return id < items }}, nil)
				if err != nil || len(hits) != items {
					t.Errorf("%d of %d items, %v", len(hits), items, err)
					return
				}
				find(t, x, "alwys versoin12 thi")
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
	if got := find(t, x, "thing1000 "); got != nil {
		t.Errorf("a deleted item is found: %v", got)
	}
}

func TestTheSameTextAgainCostsNothing(t *testing.T) {
	x := titles(t, "Gel pen")
	before := x.Stats()
	if err := x.Put(0, &Document{Title: "Gel pen"}); err != nil || x.Stats() != before {
		t.Errorf("%v: %+v, was %+v", err, x.Stats(), before)
	}
	// Where a text stands is part of it.
	if err := x.Put(0, &Document{Brand: "Gel pen"}); err != nil || x.Stats() == before {
		t.Errorf("%v: a text in another field is another", err)
	}
	if err := x.Put(0, &Document{Title: "…"}); err != nil || x.Len() != 0 || find(t, x, "gel") != nil {
		t.Errorf("%v: a text without words is found by none", err)
	}
}

func TestCountedMemoryIsWhatIsHeld(t *testing.T) {
	docs := make([]Document, 20_000)
	for i := range docs {
		docs[i].Title = fmt.Sprint("model", i*7919%100_000, " series", i%500, " kind", i%20, " pen")
	}
	before := heapBytes()
	x := filled(t, docs)
	held := heapBytes() - before
	runtime.KeepAlive(docs)
	if counted := x.Stats().Bytes; counted < held*7/10 || counted > held*13/10 {
		t.Errorf("counted %d bytes, the heap grew by %d", counted, held)
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"Gel pen, 2.5 m", "İı ﬁ ㍿ e\u0301\u0301", "中a国\xffb", "ｶﾍﾞ", "ｶﾞ\u200dก้", "👩‍👩‍👧 '’", strings.Repeat("é", 90)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a analyzer
		all := a.document(&Document{Title: text}, 2000)
		has := make(map[string]bool)
		for _, w := range all {
			if len(w.text) == 0 || len(w.text) > maxWord || strings.ToValidUTF8(string(w.text), "") != string(w.text) || w.weight == 0 {
				t.Fatalf("%q has the word %q of weight %d", text, w.text, w.weight)
			}
			has[string(w.text)] = true
		}
		var s splitter
		s.split(text, false)
		for i := range s.spans {
			if !has[string(s.word(i))] {
				t.Fatalf("searching %q asks for %q, which the same text does not have", text, s.word(i))
			}
		}
		x := titles(t, text)
		if got := find(t, x, text); (len(got) == 1) != (len(all) > 0) {
			t.Fatalf("%q with %d words finds itself: %v", text, len(all), got)
		}
	})
}

func TestAWordNobodyHasAnyMoreIsCorrected(t *testing.T) {
	x, err := New(Config{MaxItems: 8})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"bleu", "blue"} { // the second takes the place of the first
		if err := x.Put(0, &Document{Description: text}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, err := x.Search(Query{Text: "bleu", K: 1}, nil); err != nil || len(got) != 1 {
		t.Errorf("found %v, %v", got, err)
	}
}
