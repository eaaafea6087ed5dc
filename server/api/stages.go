package api

import (
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/shop"
)

// StageTimes reads the times of the stages from a reply; false for replies that tell none.
func StageTimes(reply any) (shop.Times, bool) {
	r, ok := reply.(interface{ GetInfo() *kindredv1.ReplyInfo })
	if !ok {
		return shop.Times{}, false
	}
	t := r.GetInfo().GetStageTimes()
	if t == nil {
		return shop.Times{}, false
	}
	return shop.Times{
		Wait: t.WaitUs, Profile: t.ProfileUs, Retrieve: t.RetrieveUs, Rank: t.RankUs, Encode: t.EncodeUs, Log: t.LogUs, Total: t.TotalUs,
	}, true
}
