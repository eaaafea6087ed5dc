package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// storeTarget is a running service, or a store that is not served.
type storeTarget struct {
	Addr    string `placeholder:"HOST:PORT" xor:"target" help:"Address of a running service."`
	KeyFile string `type:"existingfile" placeholder:"FILE" help:"With --addr: API key of an admin of the tenant default, in a file."`
	Key     string `env:"KINDRED_KEY" help:"The key itself, where there is no file."`
	Data    string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of a store that no service has open."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// with calls remote for a running service, local for a store.
func (t *storeTarget) with(ctx context.Context, command string, remote func(context.Context, kindredv1.OperationsServiceClient) error, local func(*store.Store) error) error {
	switch {
	case t.Addr != "":
		f := clientFlags{Addr: t.Addr, KeyFile: t.KeyFile, Key: t.Key}
		return f.with(ctx, command, func(ctx context.Context, conn *grpc.ClientConn) error {
			return remote(ctx, kindredv1.NewOperationsServiceClient(conn))
		})
	case t.Data != "":
		s, err := openStored(command, t.Data)
		if err != nil {
			return err
		}
		if err := local(s); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", command, err), s.Close())
		}
		return s.Close()
	}
	return fmt.Errorf("%s: give --addr of a running service, or --data of a store that no service has open", command)
}

// openStored opens a store that is there.
func openStored(command, data string) (*store.Store, error) {
	return openStoredWith(command, data, store.DefaultOptions())
}

func openStoredWith(command, data string, o store.Options) (*store.Store, error) {
	if !store.Exists(data) {
		return nil, fmt.Errorf("%s: there is no store in %s", command, data)
	}
	s, err := store.Open(data, o)
	if errors.Is(err, record.ErrHeld) {
		return nil, fmt.Errorf("%s: %w; use --addr for a running service", command, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	return s, nil
}

type backupCommand struct {
	storeTarget
	Out  string `required:"" type:"path" placeholder:"DIR" help:"Directory of backups; it is made if it does not exist."`
	Full bool   `help:"Copy everything, and begin a new chain. Default: what has changed since the last backup in DIR."`
}

// Help is what `backup --help` says beyond its flags.
func (backupCommand) Help() string {
	return `The service goes on meanwhile; the backup is of one moment. One that broke off goes on with the next call.

Example:
  kindred backup --addr 127.0.0.1:50051 --key-file admin.key --out /backups/kindred`
}

// Run takes a backup.
func (c *backupCommand) Run(ctx context.Context) error {
	bar := newMeter(os.Stderr, "backup")
	o := backup.TakeOptions{Full: c.Full, Progress: func(_, bytes int64) { bar.add(bytes) }}
	var m *backup.Manifest
	err := c.with(ctx, "backup", func(ctx context.Context, client kindredv1.OperationsServiceClient) (err error) {
		m, err = backup.Take(ctx, c.Out, api.RemoteBackup{Client: client}, o)
		return fullHint(err)
	}, func(s *store.Store) (err error) {
		acts, err := audit.Open(service.AuditDir(c.Data), audit.Options{})
		if err != nil {
			return err
		}
		m, err = backup.Take(ctx, c.Out, backup.Local{Store: s, Models: service.ModelsDir(c.Data), Audit: acts}, o)
		return fullHint(err)
	})
	bar.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(m)
	}
	kind := "adds to the one before"
	if m.Full {
		kind = "full"
	}
	fmt.Printf("backup %d in %s (%s): %d rows, %s, %d models, as of %s\n",
		m.Number, c.Out, kind, m.Rows, size(m.Bytes()), len(m.Bundles), m.Time.Format(time.RFC3339Nano))
	return nil
}

// fullHint says what to do about a backup that cannot add to the one before.
func fullHint(err error) error {
	if errors.Is(err, backup.ErrFull) {
		return fmt.Errorf("%s: give --full", plain(err))
	}
	return err
}

type restoreCommand struct {
	From       string    `required:"" type:"existingdir" placeholder:"DIR" help:"Directory of backups."`
	Data       string    `required:"" type:"path" placeholder:"NEWDIR" help:"Directory of the new store; must be empty or not exist."`
	Until      time.Time `placeholder:"TIME" help:"Restore to a moment, such as 2026-05-01T12:00:00Z. Default: that of the last backup."`
	UntilToken string    `placeholder:"TOKEN" help:"Restore up to the write that a write token is of."`
	Erased     string    `type:"existingfile" placeholder:"FILE" help:"Further erases to apply, as the command erased writes them."`
	JSON       bool      `name:"json" help:"Print JSON."`
}

// Help is what `restore --help` says beyond its flags.
func (restoreCommand) Help() string {
	return `All checksums are compared before anything is written. Whom any backup in DIR knows to be erased
is erased in the new store, too. Write tokens of before are void.

Example:
  kindred restore --from /backups/kindred --data /var/lib/kindred-new --until 2026-05-01T12:00:00Z`
}

// Run makes a store of backups.
func (c *restoreCommand) Run(ctx context.Context) error {
	bar := newMeter(os.Stderr, "restore")
	o := backup.RestoreOptions{
		From: c.From, Data: c.Data, Models: filepath.Base(service.ModelsDir(c.Data)), Audit: filepath.Base(service.AuditDir(c.Data)),
		Until: c.Until, Store: store.DefaultOptions(), Progress: bar.add,
	}
	var err error
	if o.Token, o.Tenant, err = tokenOf(c.UntilToken); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if !c.Until.IsZero() && c.UntilToken != "" {
		return errors.New("restore: give --until or --until-token, not both")
	}
	if o.Erased, err = readErased(c.Erased); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	report, err := backup.Restore(ctx, o)
	bar.finish()
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	fmt.Printf("restored backup %d of %s to %s, as of %s: %d models, %d persons erased again\n",
		report.Backup, c.From, c.Data, report.Moment.UTC().Format(time.RFC3339Nano), report.Bundles, report.Erased)
	if n := report.Replayed; n != (store.Replayed{}) {
		fmt.Printf("from the log after it: %d entries and %d decisions; %d were refused, %d are of later\n", n.Entries, n.Decisions, n.Refused, n.Later)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TENANT\tLOG HEAD\tITEMS\tPERSONS")
	for _, t := range report.Tenants {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", t.Name, t.Head, t.Items, t.Persons)
	}
	return w.Flush()
}

// tokenOf reads a write token: numbers of tenant, epoch and place.
func tokenOf(text string) (record.Token, uint32, error) {
	if text == "" {
		return record.Token{}, 0, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 20 {
		return record.Token{}, 0, fmt.Errorf("%.40q is no write token: give one from a write's reply as it came", text)
	}
	return record.Token{Epoch: binary.BigEndian.Uint64(raw[4:]), Seq: binary.BigEndian.Uint64(raw[12:])}, binary.BigEndian.Uint32(raw), nil
}

// readErased reads a list of erases, a line of JSON each.
func readErased(path string) (list []store.Erased, err error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := json.NewDecoder(bufio.NewReader(f))
	in.DisallowUnknownFields()
	for {
		var e store.Erased
		if err := in.Decode(&e); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s is no list of erases: line %d: %w", path, len(list)+1, err)
		}
		list = append(list, e)
	}
}

type erasedCommand struct {
	Data string `required:"" type:"path" placeholder:"DIR" help:"Directory of a store that no service has open."`
}

// Help is what `erased --help` says beyond its flags.
func (erasedCommand) Help() string {
	return `One line of JSON for each erase, by random numbers that name nobody. Keep it beside the backups, for restore --erased.

Example:
  kindred erased --data /var/lib/kindred > erased.jsonl`
}

// Run prints the erases that the logs hold.
func (c *erasedCommand) Run(context.Context) error {
	s, err := openStored("erased", c.Data)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(os.Stdout)
	out := json.NewEncoder(w)
	var bad error
	err = s.EachErased(func(e store.Erased) { bad = errors.Join(bad, out.Encode(e)) })
	return errors.Join(err, bad, w.Flush(), s.Close())
}

type compactCommand struct{ storeTarget }

// Help is what `compact --help` says beyond its flags.
func (compactCommand) Help() string {
	return `A service does so by itself within an hour of an erase; this does it now.

Example:
  kindred compact --addr 127.0.0.1:50051 --key-file admin.key`
}

// Run has what was erased leave the disk.
func (c *compactCommand) Run(ctx context.Context) error {
	begin := time.Now()
	return c.with(ctx, "compact", func(ctx context.Context, client kindredv1.OperationsServiceClient) error {
		reply, err := client.Compact(ctx, &kindredv1.CompactRequest{})
		if err != nil {
			return err
		}
		return c.say(reply.Duration.AsDuration())
	}, func(s *store.Store) error {
		if err := s.Compact(); err != nil {
			return err
		}
		return c.say(time.Since(begin))
	})
}

func (c *compactCommand) say(d time.Duration) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]float64{"seconds": d.Seconds()})
	}
	fmt.Printf("what was erased, replaced or has expired has left the disk, in %s\n", d.Round(time.Millisecond))
	return nil
}
