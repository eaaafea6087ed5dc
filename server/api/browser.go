package api

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
)

// minSession is the length of session ids that keys of role browser may name: 128 random bits
// in base64 without padding. Whoever knows a session's id reads its recommendations, so that
// nobody may guess it.
const minSession = 22

// RestrictBrowser is the interceptor of unary calls by keys of role browser, which anybody
// who opens the page can read. They act for sessions alone: a user's id can be guessed.
func RestrictBrowser(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	p, _ := auth.From(ctx)
	if p.Role != record.RoleBrowser {
		return next(ctx, req)
	}
	var err error
	switch r := req.(type) {
	case *kindredv1.RecommendRequest:
		err = browserMay("subject", r.Subject.GetUserId(), r.Subject.GetSessionId())
	case *kindredv1.WriteEventsRequest:
		for i, e := range r.Events {
			if err = browserMay(fmt.Sprintf("events[%d]", i), e.GetUserId(), e.GetSessionId()); err != nil {
				break
			}
		}
	default:
		err = status.Errorf(codes.PermissionDenied, "a key of role %q may not call %s", p.Role, info.FullMethod)
	}
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// browserMay refuses a subject that a browser may not act for. Nothing of the request is
// taken: a page that names users is at fault as a whole.
func browserMay(field, user, session string) error {
	switch {
	case user != "":
		return invalid(violation{field + ".user_id", "may not be named by a key of role browser: name the session, and merge it with the user from a server"})
	case len(session) < minSession:
		return invalid(violation{field + ".session_id", fmt.Sprintf(
			"is %d bytes, a key of role browser needs %d or more: draw 128 random bits for each visitor, such as crypto.randomUUID()", len(session), minSession)})
	}
	return nil
}
