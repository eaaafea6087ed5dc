package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/record"
)

type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make a key. Its secret is printed once."`
	List   keysList   `cmd:"" help:"List keys, without secrets."`
	Rotate keysRotate `cmd:"" help:"Give a key a new secret. It is printed once."`
	Revoke keysRevoke `cmd:"" help:"End a key at once."`
}

// keysTarget says where the keys are: a running service, or a store that is not served.
type keysTarget struct {
	Data string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of a store that no service has open."`
	Addr string `placeholder:"HOST:PORT" xor:"target" help:"Address of a running service."`
	Key  string `env:"KINDRED_KEY" help:"With --addr: an admin's API key."`
	clientTLS
	JSON bool `name:"json" help:"Print a line of JSON for each key."`
}

// keyAdmin is what the commands do to keys, wherever they are.
type keyAdmin interface {
	create(ctx context.Context, draft record.Key) (record.Key, string, error)
	list(ctx context.Context, tenant string) ([]record.Key, error)
	rotate(ctx context.Context, id string, overlap time.Duration) (record.Key, string, error)
	revoke(ctx context.Context, id string) (record.Key, error)
	audit(ctx context.Context, tenant string, before int64, limit int) ([]audit.Entry, int64, error)
	io.Closer
}

func (t *keysTarget) open(ctx context.Context) (keyAdmin, error) {
	switch {
	case t.Addr != "":
		conn, err := t.dial(t.Addr)
		if err != nil {
			return nil, err
		}
		return &remoteKeys{conn: conn, client: kindredv1.NewAdminServiceClient(conn), key: t.Key}, nil
	case t.Data != "":
		return openLocalKeys(ctx, t.Data)
	}
	return nil, errors.New("give --addr of a running service, or --data of a store that no service has open")
}

type keysCreate struct {
	keysTarget
	Role   string   `required:"" enum:"frontend,merchant,scientist,admin,browser" help:"What the key may do: ${enum}."`
	Tenant string   `default:"default" help:"Tenant of the key."`
	Name   string   `help:"What the key is for."`
	Origin []string `placeholder:"URL,..." help:"Where a browser's key may be used from, such as https://shop.example."`

	Requests float64 `placeholder:"N" help:"Calls a second, at most (what the service has for all keys of the role)."`
	Events   float64 `placeholder:"N" help:"Events and catalog rows a second, at most."`
	Bytes    float64 `placeholder:"N" help:"Bytes a second that are sent to the service, at most."`
}

// Help is what `keys create --help` says beyond its flags.
func (keysCreate) Help() string {
	return `frontend: recommend, write events.  merchant: catalog, policies.  scientist: export, evaluate, models.
admin: all of the tenant.  browser: one session's events and recommendations; the key may stand in a page.

Examples:
  kindred keys create --data data --role frontend --name web
  kindred keys create --addr 127.0.0.1:50051 --role browser --origin https://shop.example --requests 50`
}

// Run makes a key and prints its secret.
func (c *keysCreate) Run(ctx context.Context) error {
	return c.with(ctx, func(admin keyAdmin) error {
		key, secret, err := admin.create(ctx, record.Key{
			Tenant: c.Tenant, Role: record.Role(c.Role), Name: c.Name, Origins: c.Origin,
			Quota: record.Quota{Requests: c.Requests, Events: c.Events, Bytes: c.Bytes},
		})
		if err != nil {
			return err
		}
		return c.show(key, secret)
	})
}

// show prints a secret, which is kept nowhere.
func (t *keysTarget) show(key record.Key, secret string) error {
	if t.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{
			"id": key.ID, "tenant": key.Tenant, "role": string(key.Role), "name": key.Name, "secret": secret,
		})
	}
	fmt.Printf("%s\n\nThis is the only time the key %s is shown. Send it with each call as metadata:\n  authorization: Bearer %s...\n",
		secret, key.ID, secret[:7])
	return nil
}

type keysRotate struct {
	keysTarget
	ID      string        `arg:"" help:"Id of the key, from keys list."`
	Overlap time.Duration `placeholder:"DURATION" help:"How long the present secret stays valid, such as 24h; at most 90 days. Not set: it ends at once."`
}

// Run gives a key a new secret.
func (c *keysRotate) Run(ctx context.Context) error {
	return c.with(ctx, func(admin keyAdmin) error {
		key, secret, err := admin.rotate(ctx, c.ID, c.Overlap)
		if err != nil {
			return err
		}
		return c.show(key, secret)
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
	if !k.Revoked.IsZero() {
		return "revoked " + day(k.Revoked)
	}
	if k.PriorUntil.After(time.Now()) {
		return "in force, the secret before until " + k.PriorUntil.UTC().Format(time.RFC3339)
	}
	return "in force"
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
