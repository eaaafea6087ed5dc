package soak

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

const (
	pastEvents = 20_000 // of all users together, about: what a training has to learn from
	guests     = 20     // people who come with each edition, and are erased with the next but one
	eventsSent = 1000   // in one call, at most
)

// past is what a user did before the test: 2 to 12 items of one kind in order, so that there is something to learn. Everybody
// has one: a profile grows when it comes to be known.
func (c *churn) past(u int) (list []*kindredv1.Event) {
	for k := range min(max(pastEvents/c.options.Users, 2), 12) {
		list = append(list, &kindredv1.Event{UserId: userID(u), Type: kindredv1.EventType_EVENT_TYPE_CLICK,
			ItemId: fmt.Sprintf("item-%d", (u%len(things)+(u/8+k)*len(things))%c.options.Items)})
	}
	return list
}

func userID(u int) string { return fmt.Sprintf("u%d", u) }

// fill makes the catalog and the past, and asks once for each user, so that what is kept of people has the size that it
// will have.
func (c *churn) fill(ctx context.Context) error {
	if err := c.importAll(ctx); err != nil {
		return fmt.Errorf("soak: fill the catalog: %w", err)
	}
	var batch []*kindredv1.Event
	for u := range c.options.Users {
		batch = append(batch, c.past(u)...)
	}
	for part := range slices.Chunk(batch, eventsSent) {
		if err := c.write(ctx, part); err != nil {
			return fmt.Errorf("soak: fill the log: %w", err)
		}
	}
	for u := range c.options.Users {
		if _, err := c.shows.Recommend(ctx, &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{UserId: userID(u)}, Limit: 10}); err != nil {
			return fmt.Errorf("soak: ask for each user: %w", err)
		}
	}
	return nil
}

func (c *churn) write(ctx context.Context, batch []*kindredv1.Event) error {
	reply, err := c.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: batch})
	if err == nil && len(reply.Errors) > 0 {
		err = fmt.Errorf("soak: a good event is refused: %v", reply.Errors[0])
	}
	return err
}

func (c *churn) guest(edition, k int) string { return fmt.Sprintf("guest-%d-%d", edition, k) }

// welcome has new people look around as sessions, and then sign in.
func (c *churn) welcome(ctx context.Context) error {
	for k := range guests {
		id := c.guest(c.edition, k)
		session := "session-" + id
		var seen []*kindredv1.Event
		for i := range 3 {
			seen = append(seen, &kindredv1.Event{SessionId: session, Type: kindredv1.EventType_EVENT_TYPE_VIEW,
				ItemId: fmt.Sprintf("item-%d", (c.edition*guests+k+i*len(things))%c.options.Items)})
		}
		if err := c.write(ctx, seen); err != nil {
			return err
		}
		if _, err := c.shows.Recommend(ctx, &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{SessionId: session}, Limit: 10}); err != nil {
			return err
		}
		if _, err := c.people.MergeProfiles(ctx, &kindredv1.MergeProfilesRequest{SessionId: session, UserId: id}); err != nil {
			return err
		}
		c.arrived[c.edition]++
		c.count.NewUsers++
	}
	return nil
}

// erase removes those who came with the last edition but one, and before.
func (c *churn) erase(ctx context.Context) error {
	for edition := range c.arrived {
		for edition <= c.edition-2 && c.arrived[edition] > 0 {
			who := &kindredv1.Subject{UserId: c.guest(edition, c.arrived[edition]-1)}
			_, err := c.people.EraseProfile(ctx, &kindredv1.EraseProfileRequest{Subject: who})
			if err != nil && status.Code(err) != codes.NotFound { // one that was cut off may have been done
				return err
			}
			c.arrived[edition]--
			c.count.ErasedUsers++
		}
		if c.arrived[edition] == 0 {
			delete(c.arrived, edition)
		}
	}
	return nil
}
