package api

import (
	"errors"
	"fmt"
	"unicode/utf8"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// checkID checks one id of a request; an empty one is a fault if it is required.
func checkID(field, id string, required bool) *violation {
	switch {
	case id == "" && required:
		return &violation{field, fmt.Sprintf("is missing: give 1 to %d bytes", record.MaxID)}
	case len(id) > record.MaxID:
		return &violation{field, fmt.Sprintf("is %d bytes, at most %d are taken", len(id), record.MaxID)}
	case !utf8.ValidString(id):
		return &violation{field, "is not valid UTF-8"}
	}
	return nil
}

// idFaults checks the id of a row that has nothing else.
func idFaults(id string) []record.Violation {
	if f := checkID("", id, true); f != nil {
		return []record.Violation{{Description: f.description}}
	}
	return nil
}

// subject converts a subject; both ids may be empty.
func subject(w *kindredv1.Subject) (shop.Subject, error) {
	if f := checkID("subject.user_id", w.GetUserId(), false); f != nil {
		return shop.Subject{}, invalid(*f)
	}
	if f := checkID("subject.session_id", w.GetSessionId(), false); f != nil {
		return shop.Subject{}, invalid(*f)
	}
	return shop.Subject{User: w.GetUserId(), Session: w.GetSessionId()}, nil
}

// named gives an InputError that has no field the name of one.
func named(err error, field string) error {
	var input *shop.InputError
	if errors.As(err, &input) && input.Field == "" {
		return &shop.InputError{Field: field, Description: input.Description}
	}
	return err
}
