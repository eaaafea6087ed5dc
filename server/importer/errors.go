package importer

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrUnreachable: nothing answers at the address. Nothing was sent.
	ErrUnreachable = errors.New("no service answers")
	// ErrRefused: the service will not take the import as it is: a bad key, a missing role, too large a drop.
	ErrRefused = errors.New("the service refuses")
	// ErrGaveUp: the service went away or stayed overloaded for longer than Options.RetryFor. What it had acknowledged is
	// on its disk; running again continues.
	ErrGaveUp = errors.New("gave up")
	// ErrTooManyErrors: Options.MaxErrors rows were rejected. The good rows that were sent before have landed.
	ErrTooManyErrors = errors.New("too many rejected rows")
	// ErrInterrupted: the context ended. What was acknowledged has landed; running again continues.
	ErrInterrupted = errors.New("interrupted")
)

// RejectedError says that an import ended well but for some rows. It is what Command returns then, and makes the
// process end with ExitRejected.
type RejectedError struct {
	Items, Events int64
	DryRun        bool // nothing was meant to land
}

// ExitRejected is the exit code where some rows were rejected and all others landed; other failures exit with 1.
const ExitRejected = 3

func (e *RejectedError) Error() string {
	others := "the others landed"
	if e.DryRun {
		others = "the others are good"
	}
	return fmt.Sprintf("%s rejected, %s", strings.Join(e.parts(), " and "), others)
}

func (e *RejectedError) parts() []string {
	var parts []string
	if e.Items > 0 {
		parts = append(parts, count(e.Items, "item row"))
	}
	if e.Events > 0 {
		parts = append(parts, count(e.Events, "event row"))
	}
	return parts
}

// ExitCode is ExitRejected.
func (e *RejectedError) ExitCode() int { return ExitRejected }

// retryable reports whether the same request may be answered differently a little later. Every request of this package
// may be sent twice, so that a broken connection is no reason to stop.
func retryable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted:
		return true
	case codes.ResourceExhausted:
		// Without a time to come back it is a bound that waiting does not lift, such as the tenant's number of items.
		return retryHint(err) > 0
	}
	return false
}

// refusal turns a final answer of the service into one line, with the way out where there is one.
func refusal(what string, err error) error {
	s := status.Convert(err)
	hint := ""
	switch s.Code() {
	case codes.Unauthenticated:
		hint = "; give a key with --key or in KINDRED_KEY"
	case codes.PermissionDenied:
		hint = "; items need a key of role merchant or admin, events one of role frontend or admin"
	case codes.FailedPrecondition:
		if largeDrop(err) {
			hint = "; if it is meant, --confirm-drop allows a larger share, --confirm-removal takes the number"
		}
	case codes.Unimplemented:
		hint = "; is it a Kindred service of this version?"
	}
	return fmt.Errorf("importer: %w %s: %s: %s%s", ErrRefused, what, s.Code(), oneLine(s.Message()), hint)
}

// largeDrop reports whether a replacement was refused since it would remove too much; the service then names the option
// that allows more.
func largeDrop(err error) bool {
	text := status.Convert(err).Message()
	return strings.Contains(text, "confirm_drop_share") || strings.Contains(text, "confirm_removal")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
