package shop

import (
	"errors"
	"fmt"
)

var (
	// ErrOverloaded: too many requests are under way even for the lowest tier.
	ErrOverloaded = errors.New("too many requests under way")
	// ErrPageToken: the page token is not one of this subject and tenant, or the
	// list behind it is gone.
	ErrPageToken = errors.New("page token")
	// ErrUnfit: a trained model is not one for the tenant's text encoder.
	ErrUnfit = errors.New("not a model for this tenant")
	// ErrPrecondition: it cannot be done as things stand; the text says what to change.
	ErrPrecondition = errors.New("not now")
	// ErrNotReady: the tenant is still reading its log.
	ErrNotReady = errors.New("the tenant is still loading")
)

// InputError is a fault of the caller's: Field is the path of the field in the
// request, Description says what is wrong and the way out.
type InputError struct {
	Field       string
	Description string
}

// Error joins the field and its description.
func (e *InputError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Description) }
