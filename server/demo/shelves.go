package demo

// department is the first level of the catalog.
type department struct {
	name    string
	shelves []shelf
}

// shelf is the second level: things that stand side by side and that a shopper compares.
type shelf struct {
	name   string
	query  string   // what a shopper types to get here
	brands []string // each product gets one of them
	// then names shelves, of any department, that are visited after a purchase here, the likeliest first: printer, ink, paper.
	then []string
	// fits says which items of the first of these fit; the first rule that matches a title holds. nil: all fit alike.
	fits     []fit
	usedUp   bool // bought again and again
	allMake  bool // every brand makes every product: what fits the one does not fit the other
	products []product
}

// fit is a rule: what has `title` in its title goes with what has `next` in its title. Empty: anything.
type fit struct{ title, next string }

// product is one line of the catalog, in one or several variants.
type product struct {
	title    string   // without its brand; the variant is put behind it
	cents    int      // usual price
	tags     []string // free words
	variants []string // nil: there is one kind only
	text     string   // {brand} stands for the brand
}

// departments is the whole assortment. All brands are invented.
var departments = []department{office, kitchen, garden, outdoors, electronics, home, pets, craft}
