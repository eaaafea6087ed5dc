package soak

import (
	"context"
	"fmt"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// follow counts trainings that have ended and models that have come to serve. A training that failed is an error.
func (c *churn) follow(ctx context.Context) error {
	list, err := c.models.ListModels(ctx, &kindredv1.ListModelsRequest{})
	if err != nil {
		return err
	}
	if now := list.ServingHash; now != c.serving {
		c.serving = now
		c.count.Promotions++
	}
	return c.countTraining(list.Training)
}

func (c *churn) countTraining(t *kindredv1.TrainingStatus) error {
	if t == nil || t.EndTime == nil || !t.EndTime.AsTime().After(c.ended) {
		return nil
	}
	c.ended = t.EndTime.AsTime()
	c.count.LastTraining = t.Outcome.String()
	if t.Reason != "" {
		c.count.LastTraining += ": " + t.Reason
	}
	switch t.Outcome {
	case kindredv1.TrainingOutcome_TRAINING_OUTCOME_PROMOTED, kindredv1.TrainingOutcome_TRAINING_OUTCOME_KEPT:
		c.count.Trainings++
		if !t.Running { // else the start is that of the next
			c.count.TrainingS = t.EndTime.AsTime().Sub(t.StartTime.AsTime()).Seconds()
		}
		return nil
	}
	return fmt.Errorf("soak: a training came to nothing: %s", c.count.LastTraining)
}

// promote has the newest model serve that does not, whatever the thresholds say. Without one there is nothing to do.
func (c *churn) promote(ctx context.Context) error {
	list, err := c.models.ListModels(ctx, &kindredv1.ListModelsRequest{})
	if err != nil || len(list.Models) == 0 || list.Models[0].Hash == list.PromotedHash { // the newest is the first
		return err
	}
	if _, err := c.models.PromoteModel(ctx, &kindredv1.PromoteModelRequest{Hash: list.Models[0].Hash, Force: true, Note: "by hand, in a soak"}); err != nil {
		return err
	}
	c.count.ByHand++
	return nil
}
