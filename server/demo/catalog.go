package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// good is one item with what the simulation knows of it.
type good struct {
	item  *kindredv1.Item
	shelf *shelf
	// pull is how often it is looked at against others of its shelf, above 0.
	pull  float64
	price float64 // euros
}

// assortment is the catalog by shelf.
type assortment struct {
	goods   []*good
	byShelf map[string][]*good // by the shelf's name, which no two departments share
	shelves map[string]*shelf
	usual   map[string]float64 // geometric mean of the prices of a shelf
}

// stockUp makes the catalog. now is the end of the simulated weeks: most items are older, a few came in the last days.
func stockUp(rng *rand.Rand, now time.Time) *assortment {
	a := &assortment{byShelf: map[string][]*good{}, shelves: map[string]*shelf{}, usual: map[string]float64{}}
	for d := range departments {
		for s := range departments[d].shelves {
			a.fill(rng, now, departments[d].name, &departments[d].shelves[s])
		}
	}
	return a
}

func (a *assortment) fill(rng *rand.Rand, now time.Time, department string, s *shelf) {
	a.shelves[s.name] = s
	ranks := rng.Perm(len(s.products))
	for i, p := range s.products {
		brands := s.brands
		if !s.allMake {
			brands = []string{s.brands[rng.IntN(len(s.brands))]}
		}
		pull := math.Pow(float64(ranks[i]+1), -1.3) // a few products make most of the sales, as in any shop
		for _, brand := range brands {
			a.add(rng, now, department, s, p, brand, pull)
		}
	}
	logs := 0.0
	for _, g := range a.byShelf[s.name] {
		logs += math.Log(g.price)
	}
	a.usual[s.name] = math.Exp(logs / float64(len(a.byShelf[s.name])))
}

// add puts one product on its shelf, an item for each variant.
func (a *assortment) add(rng *rand.Rand, now time.Time, department string, s *shelf, p product, brand string, pull float64) {
	variants := p.variants
	if len(variants) == 0 {
		variants = []string{""}
	}
	created := createTime(rng, now)
	rating := 3.6 + 0.1*float64(rng.IntN(14))
	euros := float64(p.cents) / 100 * (0.92 + 0.16*rng.Float64())
	for i, variant := range variants {
		title := brand + " " + p.title
		group := ""
		if variant != "" {
			group = slug(title)
			title += ", " + variant
		}
		price := retail(euros * (1 + sizeStep(variant, p.cents)*float64(i)))
		item := &kindredv1.Item{
			Id: slug(title), Title: title, Description: strings.ReplaceAll(p.text, "{brand}", brand),
			Categories: []string{department + " > " + s.name}, Tags: p.tags, Brand: brand, Language: "en",
			Price: price, Stock: stock(rng), CreateTime: timestamppb.New(created), VariantGroup: group,
			Url: "https://shop.example/" + slug(title),
			Attributes: map[string]*kindredv1.Value{
				"rating": {Kind: &kindredv1.Value_NumberValue{NumberValue: float64(int(rating*10+0.5)) / 10}},
			},
		}
		g := &good{item: item, shelf: s, pull: pull * (0.8 + 0.2*rng.Float64()) / float64(i+1), price: float64(price.Units) + float64(price.Nanos)/1e9}
		a.goods = append(a.goods, g)
		a.byShelf[s.name] = append(a.byShelf[s.name], g)
	}
}

// createTime lies up to two years back; one product of fifteen is from the last ten days.
func createTime(rng *rand.Rand, now time.Time) time.Time {
	days := 10 + rng.IntN(720)
	if rng.IntN(15) == 0 {
		days = rng.IntN(10)
	}
	return now.AddDate(0, 0, -days).Truncate(time.Hour)
}

// stock is a few to a hundred pieces; one item of forty is sold out, and one of twelve is made to order, without a limit.
func stock(rng *rand.Rand) *int64 {
	switch rng.IntN(120) {
	case 0, 1, 2:
		return proto.Int64(0)
	case 3, 4, 5, 6, 7, 8, 9, 10, 11, 12:
		return nil
	}
	return proto.Int64(3 + rng.Int64N(100))
}

// sizeStep is what the next larger variant costs more, as a share. Colours and flavours cost the same.
func sizeStep(variant string, cents int) float64 {
	if !strings.ContainsFunc(variant, unicode.IsDigit) && variant != "large" && variant != "double capacity" {
		return 0
	}
	if cents < 1000 {
		return 0.1
	}
	return 0.3
}

// retail rounds to a price that a shop would write: 7.49 or 129.90.
func retail(euros float64) *kindredv1.Money {
	cents := int64(euros*10+0.5)*10 - 1
	if euros >= 20 {
		cents = int64(euros+0.5)*100 - 10
	}
	return &kindredv1.Money{CurrencyCode: "EUR", Units: cents / 100, Nanos: int32(cents%100) * 10_000_000}
}

// slug is a readable id: lower case, with a dash between words.
func slug(title string) string {
	var b strings.Builder
	gap := false
	for _, r := range plain.Replace(strings.ToLower(title)) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			gap = false
		} else {
			gap = true
		}
	}
	return b.String()
}

// plain keeps ids easy to type.
var plain = strings.NewReplacer("²", "2", "é", "e")

// euros writes a price.
func euros(m *kindredv1.Money) string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf("€%d.%02d", m.GetUnits(), m.GetNanos()/10_000_000)
}
