package service_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// TestAKilledServiceServesTheOldOrTheNewModel kills the service at random moments around
// promotions. At each restart the last promotion that was answered serves, or one that
// was asked for after it; never none.
func TestAKilledServiceServesTheOldOrTheNewModel(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(11, 11))
	may := map[string]bool{"": true} // hashes that may be promoted after a restart
	var hashes []string
	promotions := 0
	for round := range rounds {
		cmd, addr := spawn(t, dir)
		c := dial(t, addr, "")
		st := c.status()
		if st.ServingModel != st.PromotedModel || !may[st.ServingModel] || st.ModelFault != "" {
			t.Fatalf("round %d: %.12s serves, %.12s is promoted, fault %q; may be %v", round, st.ServingModel, st.PromotedModel, st.ModelFault, may)
		}
		if round == 0 {
			c.put(things(0, 200))
			c.applied(c.write(view("e1", "user-1", "thing-1"), view("e2", "user-1", "thing-2")).WriteToken)
			for i := range 3 {
				hashes = append(hashes, c.uploaded(testModel{Size: 8 + i, Likeness: 0.5}))
			}
			c.promoted(hashes[0])
			may = map[string]bool{hashes[0]: true}
		}
		reply := c.recommend(&kindredv1.RecommendRequest{Subject: user("user-1"), Limit: 3})
		if now := c.status(); !strings.HasPrefix(now.ServingModel, modelOf(reply.Info.Generation)) || (now.ServingModel == "") != (modelOf(reply.Info.Generation) == "") || len(reply.Items) != 3 {
			t.Errorf("round %d: a reply of %s while %s serves", round, reply.Info.Generation, now.ServingModel)
		}
		timer := time.AfterFunc(time.Duration(random.IntN(120))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for { // promote and roll back until it is killed
			before := maps.Clone(may)
			got, err := promoteOrRollBack(c, random, hashes, may)
			if status.Code(err) == codes.FailedPrecondition {
				may = before // there was nothing to go back to
				continue
			}
			if err != nil {
				break
			}
			promotions++
			may = map[string]bool{got.ModelHash: true}
		}
		timer.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Logf("%d rounds, %d promotions and rollbacks answered", rounds, promotions)
	if promotions == 0 {
		t.Error("no promotion was answered")
	}
}

// promoteOrRollBack asks for one of the two, and notes in may what may be promoted should
// no answer come.
func promoteOrRollBack(c *client, random *rand.Rand, hashes []string, may map[string]bool) (*kindredv1.ModelPromotion, error) {
	call, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	wait := durationpb.New(time.Duration(random.IntN(2)) * time.Second)
	if random.IntN(4) == 0 {
		for _, h := range hashes { // what it goes back to is the service's to say
			may[h] = true
		}
		may[""] = true
		reply, err := c.models.RollbackModel(call, &kindredv1.RollbackModelRequest{MaxWait: wait})
		return reply.GetPromotion(), err
	}
	next := hashes[random.IntN(len(hashes))]
	may[next] = true
	reply, err := c.models.PromoteModel(call, &kindredv1.PromoteModelRequest{Hash: next, Force: true, MaxWait: wait})
	return reply.GetPromotion(), err
}
