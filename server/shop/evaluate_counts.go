package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/ranker/covisit"
)

// sidesWithout makes the sides of a comparison over counts in which no case's answer, nor
// what followed it, has been counted. What serves counts all; ranked by that, the side
// that leans on counts most would be told the answers.
func (s *Shop) sidesWithout(ctx context.Context, cases []testCase, candidate *model, now *generation) (sides []*side, err error) {
	held, err := s.countsWithout(ctx, cases)
	if err != nil {
		return sides, fmt.Errorf("counting without the cases: %w", err)
	}
	models := []*model{candidate, now.model}
	if now.model != nil {
		models = append(models, nil) // what the defaults do
	}
	for _, m := range models {
		apart, err := s.newGeneration(now.encoder, now.bridge, now.space)
		if err != nil {
			return sides, err
		}
		if err := s.assembleOver(apart, m, held); err != nil {
			return sides, err
		}
		sides = append(sides, newSide(apart))
	}
	return sides, nil
}

// countsWithout counts the histories of those who acted in the window that cases are drawn
// from. A case's history ends before its answer.
func (s *Shop) countsWithout(ctx context.Context, cases []testCase) (counters, error) {
	c, err := newCounters(s.config)
	if err != nil {
		return c, err
	}
	head := s.log.Head().Seq
	persons, err := s.lateActors(ctx, head-min(head, evaluationWindow), head)
	if err != nil {
		return c, err
	}
	cut := make(map[uint64][]touch, len(cases))
	for _, k := range cases {
		cut[k.number] = k.before
	}
	for _, number := range persons {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		touches, asked := cut[number]
		if !asked {
			if touches, _, err = s.readProfile(number, 0, time.Time{}); err != nil {
				return c, err
			}
		}
		if err := c.addHistory(touches, s.strength.of); err != nil {
			return c, err
		}
	}
	c.popular.Publish()
	c.trending.Publish()
	return c, nil
}

// addHistory counts what a person did, as [Shop.count] does event by event.
func (c *counters) addHistory(touches []touch, strengthOf func(weight float32) float32) error {
	var trail []covisit.Step
	for _, t := range touches {
		if t.weight <= 0 {
			continue
		}
		step := covisit.Step{Item: t.item, Weight: strengthOf(t.weight), Time: t.at}
		if err := c.popular.Add(t.item, float64(step.Weight), t.at); err != nil {
			return err
		}
		if err := c.trending.Add(t.item, float64(step.Weight), t.at); err != nil {
			return err
		}
		if visitGoesOn(trail, step, t.kind) {
			continue
		}
		if err := c.covisit.Add(trail[max(0, len(trail)-trailWindow):], step); err != nil {
			return err
		}
		trail = append(trail, step)
	}
	return nil
}
