package api

import (
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// outcomes holds the wire's outcome of each of the schedule's.
var outcomes = map[schedule.Outcome]kindredv1.TrainingOutcome{
	schedule.None:      kindredv1.TrainingOutcome_TRAINING_OUTCOME_UNSPECIFIED,
	schedule.Promoted:  kindredv1.TrainingOutcome_TRAINING_OUTCOME_PROMOTED,
	schedule.Kept:      kindredv1.TrainingOutcome_TRAINING_OUTCOME_KEPT,
	schedule.TooLittle: kindredv1.TrainingOutcome_TRAINING_OUTCOME_TOO_LITTLE,
	schedule.Failed:    kindredv1.TrainingOutcome_TRAINING_OUTCOME_FAILED,
}

// trainingToWire is how training of a tenant goes; nil: nothing is trained.
func (s *Server) trainingToWire(tenant string) *kindredv1.TrainingStatus {
	if s.Training == nil {
		return nil
	}
	st, ok := s.Training(tenant)
	if !ok {
		return nil
	}
	return &kindredv1.TrainingStatus{
		Running: st.Running, StartTime: stampOf(st.Start), EndTime: stampOf(st.End), Outcome: outcomes[st.Outcome], Reason: printable(st.Reason),
		ModelHash: st.Model, NextTime: stampOf(st.Next), Failures: int32(st.Failures),
	}
}
