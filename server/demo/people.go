package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// User is one shopper with a taste.
type User struct {
	ID   string // such as "mara-017"
	Name string
	// Interests are the departments that the user likes, the largest share first. The shares add up to 1.
	Interests []Interest
	// Thrift says how much prices matter: 0 not at all, 1 very much.
	Thrift float64
}

// Interest is one department that a user likes.
type Interest struct {
	Department string
	Shelves    []string // the favourites there, at least one
	Share      float64  // of the user's visits, above 0 to 1
}

var firstNames = []string{
	"Mara", "Jonas", "Aylin", "Tom", "Ines", "Karl", "Noor", "Emil", "Greta", "Luca", "Hanna", "Oskar", "Lena", "Samir", "Ida",
	"Felix", "Marta", "Anton", "Yara", "Paul", "Selma", "Hugo", "Clara", "Milan", "Edda", "Rafi", "Nina", "Theo", "Lotte", "Amir",
	"Vera", "Finn", "Rosa", "David", "Alma", "Jakob", "Zoe", "Moritz", "Elif", "Bruno",
}

// populate makes n users.
func populate(rng *rand.Rand, n int) []User {
	users := make([]User, n)
	for i := range users {
		name := firstNames[rng.IntN(len(firstNames))]
		users[i] = User{
			ID: fmt.Sprintf("%s-%03d", strings.ToLower(name), i+1), Name: name,
			Interests: interests(rng), Thrift: rng.Float64(),
		}
	}
	return users
}

// interests draws one to three departments and the favourite shelves in each.
func interests(rng *rand.Rand) []Interest {
	list := make([]Interest, 1+rng.IntN(3))
	order := rng.Perm(len(departments))
	left := 1.0
	for i := range list {
		d := &departments[order[i]]
		share := left
		if i < len(list)-1 {
			share = left * (0.55 + 0.25*rng.Float64())
		}
		left -= share
		list[i] = Interest{Department: d.name, Share: share, Shelves: favourites(rng, d)}
	}
	return list
}

func favourites(rng *rand.Rand, d *department) []string {
	shelves := make([]string, 2+rng.IntN(2))
	order := rng.Perm(len(d.shelves))
	for i := range shelves {
		shelves[i] = d.shelves[order[i]].name
	}
	return shelves
}

// Taste says in words what the user likes.
func (u User) Taste() string {
	var parts []string
	for i, in := range u.Interests {
		shelves := make([]string, len(in.Shelves))
		for k, s := range in.Shelves {
			shelves[k] = strings.ToLower(s)
		}
		how := "mostly "
		switch {
		case len(u.Interests) == 1:
			how = "only "
		case i > 0:
			how = "some "
		}
		parts = append(parts, fmt.Sprintf("%s%s (%s)", how, in.Department, strings.Join(shelves, ", ")))
	}
	return enumerate(parts) + "; " + u.thrift()
}

func (u User) thrift() string {
	switch {
	case u.Thrift < 0.33:
		return "does not mind the price"
	case u.Thrift < 0.67:
		return "looks at the price"
	}
	return "buys what is cheap"
}

// likes reports whether a department is among the user's interests.
func (u User) likes(department string) bool {
	return slices.ContainsFunc(u.Interests, func(in Interest) bool { return in.Department == department })
}

// enumerate joins words as a sentence does: "a, b and c".
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
