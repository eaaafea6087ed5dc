package api

import (
	"fmt"

	"github.com/kindred-rec/kindred/server/record"
)

// Limit is a bound of the wire contract: clients and stored rows rely on it, so that no
// setting changes it. Those that a service may lower are Bounds.
type Limit struct {
	What  string // as documents name it
	Bound string
}

// FixedLimits lists the bounds of the wire contract that no setting lowers. What is past one is
// refused with INVALID_ARGUMENT and the name of its field.
func FixedLimits() []Limit {
	count := func(what string, n int) Limit { return Limit{what, fmt.Sprint(n)} }
	bytes := func(what string, n int) Limit { return Limit{what, fmt.Sprintf("%d bytes", n)} }
	return []Limit{
		count("rows of a page", maxPageRows), count("explained items", maxExplain), {"max_wait", maxWait.String()},
		count("users of one bulk call", maxBulk), count("items that make a segment", maxSegmentItems),
		bytes("an id", record.MaxID), bytes("a title", record.MaxTitle),
		count("categories of an item", record.MaxCategories), bytes("a category", record.MaxCategory),
		count("tags of an item", record.MaxTags), bytes("a tag", record.MaxTag), bytes("a brand or seller", record.MaxName),
		bytes("a URL", record.MaxURL), count("context pairs of an event", record.MaxPairs),
		count("event types, surfaces, attributes that a tenant declares, each", record.MaxDeclared),
		bytes("the filter of a surface", record.MaxFilter), count("policies of a tenant", record.MaxPolicies),
		count("rules of a policy", record.MaxRules), count("caps of a policy", record.MaxCaps),
		count("experiments of a tenant", record.MaxExperiments), count("variants of an experiment", record.MaxVariants),
	}
}
