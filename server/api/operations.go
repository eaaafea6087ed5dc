package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

// Keeper is what the operations act on: the store as a whole.
type Keeper interface {
	Compact() error
	Storage() store.Storage
	SchemaOf() (now, made uint32, err error)
}

// Operations holds what the handlers of OperationsService need. All fields are required.
type Operations struct {
	*Server
	Backups backup.Source
	Keeper  Keeper
	// Verifier reads all that is kept, so many bytes a second (0: DefaultVerifyRate), and
	// tells progress of what it has read. record.ErrOverloaded: one is under way.
	Verifier func(ctx context.Context, bytesPerSecond int64, progress func(rows, bytes int64)) (*store.Verification, error)
}

type operationsService struct {
	kindredv1.UnimplementedOperationsServiceServer
	*Operations
}

// RegisterOperations adds OperationsService to a gRPC server.
func RegisterOperations(r grpc.ServiceRegistrar, o *Operations) {
	kindredv1.RegisterOperationsServiceServer(r, &operationsService{Operations: o})
}

// allowed refuses whoever is no admin of the default tenant: the store is of all tenants.
func (s *operationsService) allowed(ctx context.Context) error {
	p, err := caller(ctx)
	if err != nil {
		return err
	}
	return operator(p)
}

// Bounds of a BackupRequest.
const (
	maxFloors  = 10_000
	maxBundles = 100_000
)

// Backup implements OperationsService.
func (s *operationsService) Backup(req *kindredv1.BackupRequest, stream grpc.ServerStreamingServer[kindredv1.BackupResponse]) error {
	ctx := stream.Context()
	if err := s.allowed(ctx); err != nil {
		return err
	}
	if len(req.Floors) > maxFloors || len(req.Bundles) > maxBundles {
		return invalid(violation{"floors", "at most 10,000 floors and 100,000 bundles are taken: begin a new backup"})
	}
	ask := backup.Ask{Bundles: req.Bundles, Audit: req.Audit}
	if b := req.Base; b != nil {
		ask.Since = store.Point{Epoch: b.Epoch, Version: b.Version, Time: timeOf(b.Time)}
	}
	for _, f := range req.Floors {
		ask.Floors = append(ask.Floors, store.Floor{Until: f.GetUntilKey(), Version: f.GetVersion()})
	}
	err := s.Backups.Give(ctx, ask, backupStream{stream})
	if errors.Is(err, record.ErrConflict) || errors.Is(err, record.ErrExpired) {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return s.statusOf(ctx, err)
}

// backupStream sends a backup.
type backupStream struct {
	grpc.ServerStreamingServer[kindredv1.BackupResponse]
}

// Snapshot implements backup.Sink.
func (s backupStream) Snapshot(at store.Snapshot) error {
	m := &kindredv1.BackupSnapshot{Epoch: at.Epoch, Version: at.Version, Time: stampOf(at.Time), Schema: at.Schema}
	for _, t := range at.Tenants {
		m.Tenants = append(m.Tenants, &kindredv1.BackupTenant{Name: t.Name, Number: t.Number, Head: t.Head, Items: t.Items, Persons: t.Persons})
	}
	return s.Send(&kindredv1.BackupResponse{Part: &kindredv1.BackupResponse_Snapshot{Snapshot: m}})
}

// Rows implements backup.Sink.
func (s backupStream) Rows(f store.Frame) error {
	m := &kindredv1.BackupRows{Frame: f.Bytes, NextKey: f.Next, Rows: int64(f.Rows)}
	return s.Send(&kindredv1.BackupResponse{Part: &kindredv1.BackupResponse_Rows{Rows: m}})
}

// Bundle implements backup.Sink.
func (s backupStream) Bundle(name string, part []byte) error {
	m := &kindredv1.BackupBundle{Name: name, Chunk: part}
	return s.Send(&kindredv1.BackupResponse{Part: &kindredv1.BackupResponse_Bundle{Bundle: m}})
}

// Audit implements backup.Sink.
func (s backupStream) Audit(name string, part []byte) error {
	m := &kindredv1.BackupAudit{Name: name, Chunk: part}
	return s.Send(&kindredv1.BackupResponse{Part: &kindredv1.BackupResponse_Audit{Audit: m}})
}

// End implements backup.Sink.
func (s backupStream) End(rows, bundles int64) error {
	m := &kindredv1.BackupEnd{Rows: rows, Bundles: bundles}
	return s.Send(&kindredv1.BackupResponse{Part: &kindredv1.BackupResponse_End{End: m}})
}

// RemoteBackup asks a running service for backups.
type RemoteBackup struct {
	Client kindredv1.OperationsServiceClient
}

// Give implements backup.Source.
func (r RemoteBackup) Give(ctx context.Context, ask backup.Ask, to backup.Sink) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream where the sink refuses
	req := &kindredv1.BackupRequest{Bundles: ask.Bundles, Audit: ask.Audit}
	if p := ask.Since; p != (store.Point{}) {
		req.Base = &kindredv1.BackupBase{Epoch: p.Epoch, Version: p.Version, Time: stampOf(p.Time)}
	}
	for _, f := range ask.Floors {
		req.Floors = append(req.Floors, &kindredv1.BackupFloor{UntilKey: f.Until, Version: f.Version})
	}
	stream, err := r.Client.Backup(ctx, req)
	if err != nil {
		return err
	}
	for ended := false; !ended; {
		m, err := stream.Recv()
		if status.Code(err) == codes.FailedPrecondition {
			return errors.Join(backup.ErrFull, err)
		}
		if err != nil {
			return err
		}
		if ended, err = receive(m, to); err != nil {
			return err
		}
	}
	return nil
}

// receive hands one message on.
func receive(m *kindredv1.BackupResponse, to backup.Sink) (ended bool, err error) {
	switch p := m.GetPart().(type) {
	case *kindredv1.BackupResponse_Snapshot:
		at := store.Snapshot{
			Point:  store.Point{Epoch: p.Snapshot.GetEpoch(), Version: p.Snapshot.GetVersion(), Time: timeOf(p.Snapshot.GetTime())},
			Schema: p.Snapshot.GetSchema(),
		}
		for _, t := range p.Snapshot.GetTenants() {
			at.Tenants = append(at.Tenants, store.TenantHead{
				Name: t.GetName(), Number: t.GetNumber(), Head: t.GetHead(), Items: t.GetItems(), Persons: t.GetPersons(),
			})
		}
		return false, to.Snapshot(at)
	case *kindredv1.BackupResponse_Rows:
		return false, to.Rows(store.Frame{Bytes: p.Rows.GetFrame(), Next: p.Rows.GetNextKey(), Rows: int(p.Rows.GetRows())})
	case *kindredv1.BackupResponse_Bundle:
		return false, to.Bundle(p.Bundle.GetName(), p.Bundle.GetChunk())
	case *kindredv1.BackupResponse_Audit:
		return false, to.Audit(p.Audit.GetName(), p.Audit.GetChunk())
	case *kindredv1.BackupResponse_End:
		return true, to.End(p.End.GetRows(), p.End.GetBundles())
	}
	return false, errors.New("the service sent a part that this version does not know")
}

// Compact implements OperationsService.
func (s *operationsService) Compact(ctx context.Context, _ *kindredv1.CompactRequest) (*kindredv1.CompactResponse, error) {
	if err := s.allowed(ctx); err != nil {
		return nil, err
	}
	begin, before := time.Now(), s.Keeper.Storage()
	if err := s.Keeper.Compact(); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	after := s.Keeper.Storage()
	return &kindredv1.CompactResponse{
		BytesBefore: before.TableBytes + before.ValueLogBytes, BytesAfter: after.TableBytes + after.ValueLogBytes,
		Duration: durationpb.New(time.Since(begin)),
	}, nil
}

// GetStorage implements OperationsService.
func (s *operationsService) GetStorage(ctx context.Context, _ *kindredv1.GetStorageRequest) (*kindredv1.GetStorageResponse, error) {
	if err := s.allowed(ctx); err != nil {
		return nil, err
	}
	st := s.Keeper.Storage()
	schema, _, err := s.Keeper.SchemaOf()
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.GetStorageResponse{
		TableBytes: st.TableBytes, ValueLogBytes: st.ValueLogBytes, EraseWaitTime: stampOf(st.EraseWaits),
		EraseWithin: durationpb.New(s.EraseWithin), CompactTime: stampOf(st.Compacted), Schema: schema,
	}, nil
}
