package api

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

type profileService struct {
	kindredv1.UnimplementedProfileServiceServer
	*Server
}

// writeOne writes one mutation and returns its outcome's error, if it was refused.
func (s *Server) writeOne(ctx context.Context, sh *shop.Shop, m record.Mutation) (string, error) {
	outcomes, token, err := sh.Write(ctx, []record.Mutation{m})
	if err == nil {
		err = outcomes[0].Err
	}
	if err != nil {
		return "", s.statusOf(ctx, err)
	}
	return sh.FormatToken(token), nil
}

// one returns a subject of which exactly one id is set.
func one(w *kindredv1.Subject) (shop.Subject, error) {
	sub, err := subject(w)
	if err != nil {
		return sub, err
	}
	if (sub.User == "") == (sub.Session == "") {
		return sub, invalid(violation{"subject", "give exactly one of user_id and session_id"})
	}
	return sub, nil
}

func (s *profileService) UpsertProfile(ctx context.Context, req *kindredv1.UpsertProfileRequest) (*kindredv1.UpsertProfileResponse, error) {
	w := req.GetProfile()
	p := &record.Profile{User: w.GetUserId(), Attributes: valuesFromWire(w.GetAttributes()), OptOut: w.GetPersonalizationOptOut()}
	if err := faulty("profile", append(badAttributeTimes(w.GetAttributes()), p.Validate()...)); err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	token, err := s.writeOne(ctx, sh, record.Mutation{Profile: p})
	if err != nil {
		return nil, err
	}
	state, err := sh.Profile(shop.Subject{User: p.User})
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.UpsertProfileResponse{Profile: profileToWire(&state.Profile), WriteToken: token}, nil
}

// faulty is INVALID_ARGUMENT for the faults of one message at a path, nil for none.
func faulty(path string, faults []record.Violation) error {
	if len(faults) == 0 {
		return nil
	}
	list := make([]violation, len(faults))
	for i, f := range faults {
		list[i] = violation{path + "." + f.Field, f.Description}
	}
	return invalid(list...)
}

func profileToWire(p *record.Profile) *kindredv1.Profile {
	return &kindredv1.Profile{
		UserId: p.User, Attributes: valuesToWire(p.Attributes), PersonalizationOptOut: p.OptOut,
		SessionIds: p.Sessions, UpdateTime: stampOf(p.Updated),
	}
}

func (s *profileService) GetProfile(ctx context.Context, req *kindredv1.GetProfileRequest) (*kindredv1.GetProfileResponse, error) {
	sub, err := one(req.Subject)
	if err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	state, err := sh.Profile(sub)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.GetProfileResponse{
		Profile: profileToWire(&state.Profile), RecentEvents: int32(state.Events), HasVector: state.HasVector,
	}, nil
}

func (s *profileService) ListEvents(ctx context.Context, req *kindredv1.ListEventsRequest) (*kindredv1.ListEventsResponse, error) {
	sub, err := one(req.Subject)
	if err != nil {
		return nil, err
	}
	size, err := s.Bounds.pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	before, err := sh.ParseToken(req.PageToken)
	if err != nil {
		return nil, s.statusOf(ctx, named(err, "page_token"))
	}
	events, next, err := sh.Events(sub, before, size)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.ListEventsResponse{NextPageToken: sh.FormatToken(next)}
	for i := range events {
		resp.Events = append(resp.Events, eventToWire(&events[i].Event))
	}
	return resp, nil
}

func (s *profileService) MergeProfiles(ctx context.Context, req *kindredv1.MergeProfilesRequest) (*kindredv1.MergeProfilesResponse, error) {
	var faults []violation
	for _, f := range []struct{ name, id string }{{"session_id", req.SessionId}, {"user_id", req.UserId}} {
		if err := checkID(f.name, f.id, true); err != nil {
			faults = append(faults, *err)
		}
	}
	if len(faults) > 0 {
		return nil, invalid(faults...)
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	token, err := s.writeOne(ctx, sh, record.Mutation{Merge: &record.Merge{Session: req.SessionId, User: req.UserId}})
	if err != nil {
		return nil, err
	}
	return &kindredv1.MergeProfilesResponse{WriteToken: token}, nil
}

func (s *profileService) EraseProfile(ctx context.Context, req *kindredv1.EraseProfileRequest) (*kindredv1.EraseProfileResponse, error) {
	sub, err := one(req.Subject)
	if err != nil {
		return nil, err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	receipt, token, err := sh.Erase(ctx, sub)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	learned, err := sh.LearnedFrom(receipt)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.EraseProfileResponse{
		Events: receipt.Events, Decisions: receipt.Decisions, Profile: receipt.Profile, WriteToken: sh.FormatToken(token),
		Lists: receipt.Lists, Sessions: receipt.Sessions, ModelHashes: learned, DiskWithin: durationpb.New(s.EraseWithin),
	}, nil
}

func (s *profileService) ExportProfile(req *kindredv1.ExportProfileRequest, stream kindredv1.ProfileService_ExportProfileServer) error {
	ctx := stream.Context()
	sub, err := one(req.Subject)
	if err != nil {
		return err
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	state, err := sh.Profile(sub)
	if err != nil {
		return s.statusOf(ctx, err)
	}
	first := &kindredv1.ExportProfileResponse{Part: &kindredv1.ExportProfileResponse_Profile{Profile: profileToWire(&state.Profile)}}
	if err := stream.Send(first); err != nil {
		return err
	}
	return s.statusOf(ctx, sh.EachEvent(sub, func(e *record.Event) error {
		return stream.Send(&kindredv1.ExportProfileResponse{Part: &kindredv1.ExportProfileResponse_Event{Event: eventToWire(e)}})
	}))
}
