package ranker

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestAUserSpaceThatIsTheSameChangesNothing holds the path with two spaces to the one
// with one.
func TestAUserSpaceThatIsTheSameChangesNothing(t *testing.T) {
	world, _ := board(t, boardItems)
	plain := must(New(world))
	world.UserSpace = world.Vectors
	twofold := must(New(world))
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t, world.Vectors.(vectorTable))
		var want, got Response
		if err := plain.Recommend(&req, &want); err != nil {
			t.Fatal(err)
		}
		if err := twofold.Recommend(&req, &got); err != nil {
			t.Fatal(err)
		}
		got.Retrieve, got.Rank = want.Retrieve, want.Rank
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("one space:  %+v\ntwo spaces: %+v", want, got)
		}
	})
}

// TestTheUserVectorIsReadInItsOwnSpace lets the user's space be of another dimension and
// say the opposite of the texts.
func TestTheUserVectorIsReadInItsOwnSpace(t *testing.T) {
	world, _ := board(t, boardItems)
	space := make(vectorTable, boardItems)
	for i := range space {
		space[i] = []float32{0, 1, 0}
		if i%7 == 3 {
			space[i] = []float32{1, 0, 0}
		}
	}
	world.UserSpace, world.Nearest = space, exact{space}
	p := must(New(world))
	res := recommend(t, p, Request{UserVector: []float32{1, 0, 0}, Limit: 2})
	for _, it := range res.Items {
		if it.Item%7 != 3 || it.Features[UserSimilarity] != 1 || !it.Sources.Has(FromUserVector) {
			t.Errorf("item %d with similarity %v from %v", it.Item, it.Features[UserSimilarity], it.Sources)
		}
	}
	if len(res.Items) != 2 || res.Tier != Personalized {
		t.Errorf("%d items of tier %v", len(res.Items), res.Tier)
	}
	res = recommend(t, p, Request{UserVector: world.Vectors.Vector(0), Limit: 2, Candidates: []uint32{3, 4}})
	for _, it := range res.Items {
		if len(world.Vectors.Vector(0)) != 3 && it.Features[UserSimilarity] != 0 {
			t.Errorf("a vector of another length has similarity %v", it.Features[UserSimilarity])
		}
	}
}
