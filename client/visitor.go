package client

import (
	"context"

	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Visitor is one person at a shop, who sees the effect of what they did: replies reflect
// the visitor's last write, or say by how far they lag (info.lag). It belongs to one
// goroutine at a time. A web server makes one per request, and keeps Token between
// requests in the person's own session or cookie: then it works over many servers.
type Visitor struct {
	client  *Client
	subject *kindredv1.Subject
	token   string
}

// Visitor returns a visitor who has written as far as token; "" for nothing yet.
func (c *Client) Visitor(subject *kindredv1.Subject, token string) *Visitor {
	return &Visitor{client: c, subject: subject, token: token}
}

// Token is the visitor's last write, to go on from later. It is opaque and holds nothing
// secret.
func (v *Visitor) Token() string { return v.token }

// Write writes events of the visitor, as Client.WriteEvents does. Events without a user
// and a session get the visitor's.
func (v *Visitor) Write(ctx context.Context, events ...*kindredv1.Event) (*kindredv1.WriteEventsResponse, error) {
	for _, e := range events {
		if e.UserId == "" && e.SessionId == "" {
			e.UserId, e.SessionId = v.subject.GetUserId(), v.subject.GetSessionId()
		}
	}
	reply, err := v.client.WriteEvents(ctx, events...)
	if err == nil && reply.WriteToken != "" {
		v.token = reply.WriteToken
	}
	return reply, err
}

// Recommend asks for items for the visitor. Where the request has no subject it is about
// the visitor, and where it has no min_write_token it waits for the visitor's last write,
// at most its max_wait. The request is not changed.
func (v *Visitor) Recommend(ctx context.Context, req *kindredv1.RecommendRequest) (*kindredv1.RecommendResponse, error) {
	req = proto.CloneOf(req)
	if req.Subject == nil {
		req.Subject = v.subject
	}
	if req.MinWriteToken == "" && req.PageToken == "" {
		req.MinWriteToken = v.token
	}
	return v.client.Recommendations.Recommend(ctx, req)
}
