package soak

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Churn is what changed beside the offered load.
type Churn struct {
	Imports      int `json:"imports"`       // of the whole catalog
	ChangedItems int `json:"changed_items"` // rows with another text and price
	NewItems     int `json:"new_items"`
	DeletedItems int `json:"deleted_items"`
	NewUsers     int `json:"new_users"` // each by a session that was merged into the user
	ErasedUsers  int `json:"erased_users"`

	Trainings    int     `json:"trainings"` // that ended with a model
	TrainingS    float64 `json:"training_s,omitempty"`
	Promotions   int     `json:"promotions"` // models that came to serve
	ByHand       int     `json:"promoted_by_hand,omitempty"`
	LastTraining string  `json:"last_training,omitempty"` // how it went, in the service's words
}

// churn changes catalog and people again and again, and sees to a promotion. It belongs to one goroutine at a time.
type churn struct {
	options Options
	catalog kindredv1.CatalogServiceClient
	events  kindredv1.EventServiceClient
	people  kindredv1.ProfileServiceClient
	shows   kindredv1.RecommendationServiceClient
	models  kindredv1.ModelServiceClient

	edition int           // of the catalog; 0 is what it is filled with
	every   time.Duration // between editions; 0: nobody waits between them
	arrived map[int]int   // guests of an edition who are not erased
	listed  map[int]bool  // editions whose novelties are not deleted

	count   Churn
	errors  map[string]int64
	serving string    // model that served when it was last looked
	ended   time.Time // of the last training that is counted
}

func newChurn(conn grpc.ClientConnInterface, o Options) *churn {
	return &churn{
		options: o, catalog: kindredv1.NewCatalogServiceClient(conn), events: kindredv1.NewEventServiceClient(conn),
		people: kindredv1.NewProfileServiceClient(conn), shows: kindredv1.NewRecommendationServiceClient(conn),
		models: kindredv1.NewModelServiceClient(conn), errors: map[string]int64{}, arrived: map[int]int{}, listed: map[int]bool{},
	}
}

// begin counts from here on.
func (c *churn) begin(ctx context.Context) {
	c.note(ctx, "models", c.follow(ctx))
	c.count, c.errors = Churn{}, map[string]int64{}
}

// run changes things every so often, until the context ends. After the time that is late a model is promoted by hand, if
// none was.
func (c *churn) run(ctx context.Context, every, late time.Duration) {
	c.every = every
	start := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.change(ctx)
		c.note(ctx, "models", c.follow(ctx))
		if time.Since(start) > late && c.count.Promotions == 0 {
			c.note(ctx, "promotion", c.promote(ctx))
		}
	}
}

// change makes the next edition of the catalog, and people come and go.
func (c *churn) change(ctx context.Context) {
	c.edition++
	c.note(ctx, "catalog", c.importAll(ctx))
	c.note(ctx, "catalog", c.deleteOld(ctx))
	c.note(ctx, "people", c.welcome(ctx))
	c.note(ctx, "people", c.erase(ctx))
}

// note counts an error that is not the end of the test.
func (c *churn) note(ctx context.Context, of string, err error) {
	if err != nil && ctx.Err() == nil {
		c.errors[fmt.Sprintf("%s: %v: %s", of, status.Code(err), status.Convert(err).Message())]++
	}
}
