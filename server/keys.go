package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make a key. Its secret is printed once."`
	List   keysList   `cmd:"" help:"List keys, without secrets."`
	Revoke keysRevoke `cmd:"" help:"End a key at once."`
}

// keysTarget says where the keys are: a running service, or a store that is not served.
type keysTarget struct {
	Data string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of a store that no service has open."`
	Addr string `placeholder:"HOST:PORT" xor:"target" help:"Address of a running service."`
	Key  string `env:"KINDRED_KEY" help:"With --addr: an admin's API key."`
	JSON bool   `name:"json" help:"Print a line of JSON for each key."`
}

// keyAdmin is what the commands do to keys, wherever they are.
type keyAdmin interface {
	create(ctx context.Context, tenant string, role record.Role, name string) (record.Key, string, error)
	list(ctx context.Context, tenant string) ([]record.Key, error)
	revoke(ctx context.Context, id string) (record.Key, error)
	io.Closer
}

func (t *keysTarget) open(ctx context.Context) (keyAdmin, error) {
	switch {
	case t.Addr != "":
		conn, err := grpc.NewClient(t.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", t.Addr, err)
		}
		return &remoteKeys{conn: conn, client: kindredv1.NewAdminServiceClient(conn), key: t.Key}, nil
	case t.Data != "":
		s, err := store.Open(t.Data, store.DefaultOptions())
		if errors.Is(err, record.ErrHeld) {
			return nil, fmt.Errorf("%w; use --addr for a running service", err)
		}
		if err != nil {
			return nil, err
		}
		ring, err := auth.Load(ctx, s)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return &localKeys{store: s, ring: ring}, nil
	}
	return nil, errors.New("give --addr of a running service, or --data of a store that no service has open")
}

type keysCreate struct {
	keysTarget
	Role   string `required:"" enum:"frontend,merchant,scientist,admin" help:"What the key may do: ${enum}."`
	Tenant string `default:"default" help:"Tenant of the key."`
	Name   string `help:"What the key is for."`
}

// Help is what `keys create --help` says beyond its flags.
func (keysCreate) Help() string {
	return `Example:
  kindred keys create --data data --role frontend --name web`
}

// Run makes a key and prints its secret.
func (c *keysCreate) Run(ctx context.Context) error {
	return c.with(ctx, func(admin keyAdmin) error {
		key, secret, err := admin.create(ctx, c.Tenant, record.Role(c.Role), c.Name)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(os.Stdout).Encode(map[string]string{
				"id": key.ID, "tenant": key.Tenant, "role": string(key.Role), "name": key.Name, "secret": secret,
			})
		}
		fmt.Printf("%s\n\nThis is the only time the key %s is shown. Send it with each call as metadata:\n  authorization: Bearer %s...\n",
			secret, key.ID, secret[:7])
		return nil
	})
}

type keysList struct {
	keysTarget
	Tenant string `help:"Tenant whose keys to list. Not set: all with --data, the caller's with --addr."`
}

// Run lists keys.
func (c *keysList) Run(ctx context.Context) error {
	return c.with(ctx, func(admin keyAdmin) error {
		keys, err := admin.list(ctx, c.Tenant)
		if err != nil {
			return err
		}
		if c.JSON {
			return printKeysJSON(keys)
		}
		if len(keys) == 0 {
			fmt.Println("no keys yet; make one with: kindred keys create --role frontend")
			return nil
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tTENANT\tROLE\tNAME\tCREATED\tSTATE")
		for _, k := range keys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Tenant, k.Role, k.Name, day(k.Created), keyState(k))
		}
		return w.Flush()
	})
}

func printKeysJSON(keys []record.Key) error {
	out := json.NewEncoder(os.Stdout)
	for _, k := range keys {
		err := out.Encode(map[string]string{
			"id": k.ID, "tenant": k.Tenant, "role": string(k.Role), "name": k.Name, "created": day(k.Created), "state": keyState(k),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func keyState(k record.Key) string {
	if k.Revoked.IsZero() {
		return "in force"
	}
	return "revoked " + day(k.Revoked)
}

type keysRevoke struct {
	keysTarget
	ID string `arg:"" help:"Id of the key, from keys list."`
}

// Run ends a key.
func (c *keysRevoke) Run(ctx context.Context) error {
	return c.with(ctx, func(admin keyAdmin) error {
		key, err := admin.revoke(ctx, c.ID)
		if err != nil {
			return err
		}
		fmt.Printf("key %s of tenant %s (%s) is %s\n", key.ID, key.Tenant, key.Role, keyState(key))
		return nil
	})
}

// with opens the target for fn.
func (t *keysTarget) with(ctx context.Context, fn func(keyAdmin) error) error {
	admin, err := t.open(ctx)
	if err != nil {
		return err
	}
	if err := fn(admin); err != nil {
		return errors.Join(fmt.Errorf("keys: %s", plain(err)), admin.Close())
	}
	return admin.Close()
}

// plain is an error's own words, without the frame that gRPC puts around them.
func plain(err error) string {
	if st, ok := status.FromError(err); ok {
		return st.Message()
	}
	return err.Error()
}

// localKeys works on a store that no service has open.
type localKeys struct {
	store *store.Store
	ring  *auth.Keyring
}

func (l *localKeys) create(ctx context.Context, tenant string, role record.Role, name string) (record.Key, string, error) {
	if tenant == auth.DefaultTenant { // a new store has no tenant yet
		_, err := l.store.CreateTenant(ctx, record.Tenant{Name: tenant, Created: time.Now()})
		if err != nil && !errors.Is(err, record.ErrExists) {
			return record.Key{}, "", err
		}
	}
	if _, err := l.store.Tenant(tenant); err != nil {
		return record.Key{}, "", err
	}
	return l.ring.Create(ctx, tenant, role, name, time.Now())
}

func (l *localKeys) list(_ context.Context, tenant string) ([]record.Key, error) {
	return l.ring.List(tenant), nil
}

func (l *localKeys) revoke(ctx context.Context, id string) (record.Key, error) {
	return l.ring.Revoke(ctx, id, time.Now())
}

func (l *localKeys) Close() error { return l.store.Close() }

// remoteKeys asks a running service.
type remoteKeys struct {
	conn   *grpc.ClientConn
	client kindredv1.AdminServiceClient
	key    string
}

func (r *remoteKeys) authorized(ctx context.Context) context.Context {
	if r.key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.key)
}

func (r *remoteKeys) create(ctx context.Context, tenant string, role record.Role, name string) (record.Key, string, error) {
	wire := kindredv1.Role(kindredv1.Role_value["ROLE_"+strings.ToUpper(string(role))])
	resp, err := r.client.CreateKey(r.authorized(ctx), &kindredv1.CreateKeyRequest{Tenant: tenant, Role: wire, Name: name})
	if err != nil {
		return record.Key{}, "", err
	}
	return keyFromWire(resp.Key), resp.Secret, nil
}

func (r *remoteKeys) list(ctx context.Context, tenant string) ([]record.Key, error) {
	resp, err := r.client.ListKeys(r.authorized(ctx), &kindredv1.ListKeysRequest{Tenant: tenant})
	if err != nil {
		return nil, err
	}
	var keys []record.Key
	for _, k := range resp.Keys {
		keys = append(keys, keyFromWire(k))
	}
	return keys, nil
}

func (r *remoteKeys) revoke(ctx context.Context, id string) (record.Key, error) {
	resp, err := r.client.RevokeKey(r.authorized(ctx), &kindredv1.RevokeKeyRequest{Id: id})
	if err != nil {
		return record.Key{}, err
	}
	return keyFromWire(resp.Key), nil
}

func (r *remoteKeys) Close() error { return r.conn.Close() }

func keyFromWire(w *kindredv1.Key) record.Key {
	k := record.Key{
		ID: w.GetId(), Tenant: w.GetTenant(), Name: w.GetName(), Created: w.GetCreateTime().AsTime(),
		Role: record.Role(strings.ToLower(strings.TrimPrefix(w.GetRole().String(), "ROLE_"))),
	}
	if w.GetRevokeTime() != nil {
		k.Revoked = w.GetRevokeTime().AsTime()
	}
	return k
}
