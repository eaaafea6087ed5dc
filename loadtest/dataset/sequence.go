package dataset

import (
	"fmt"
	"time"
)

// checkSequence refuses a sequence that names no user, is empty, or has a hole.
func checkSequence(user, userColumn string, items []string, itemsColumn string) error {
	if user == "" {
		return bad(userColumn, "", "must not be empty")
	}
	if len(items) == 0 {
		return bad(itemsColumn, "", "must hold at least one item")
	}
	for i, item := range items {
		if item == "" {
			return bad(fmt.Sprintf("%s[%d]", itemsColumn, i), "", "must not be empty")
		}
	}
	return nil
}

// emitSequence turns a user's whole sequence into events. The k-th has the time Epoch + k seconds and the ordinal k, for
// every user alike: so neither a broken line elsewhere nor a longer sequence later moves the id of an event.
func emitSequence(user string, items []string, opts Options, emit func(Event) bool) {
	kind := opts.typeOr(TypePurchase)
	for k, item := range items {
		e := Event{User: user, Item: item, Type: kind, Synthetic: true, Time: opts.Epoch.Add(time.Duration(k) * time.Second)}
		e.ID = e.DeriveID(uint32(k))
		if !emit(e) {
			return
		}
	}
}
