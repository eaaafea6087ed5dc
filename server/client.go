package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// clientFlags say which running service a command asks, and how it prints.
type clientFlags struct {
	Addr    string `required:"" placeholder:"HOST:PORT" help:"Address of a running service."`
	KeyFile string `type:"existingfile" placeholder:"FILE" help:"API key, in a file."`
	Key     string `env:"KINDRED_KEY" help:"The key itself, where there is no file."`
	clientTLS
	JSON bool `name:"json" help:"Print JSON."`
}

// with connects to the service for fn. Errors begin with the command's name and list the
// faults that the service found.
func (f *clientFlags) with(ctx context.Context, command string, fn func(context.Context, *grpc.ClientConn) error) error {
	key := f.Key
	if f.KeyFile != "" {
		raw, err := os.ReadFile(f.KeyFile)
		if err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		key = strings.TrimSpace(string(raw))
	}
	if key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	conn, err := f.dial(f.Addr)
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if err := fn(ctx, conn); err != nil {
		return errors.Join(fmt.Errorf("%s: %s", command, faultsOf(err)), conn.Close())
	}
	return conn.Close()
}

// faultsOf is what an error says, with all fields that the service refused.
func faultsOf(err error) string {
	st, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	var lines []string
	for _, d := range st.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok && len(bad.FieldViolations) > 1 {
			for _, v := range bad.FieldViolations {
				lines = append(lines, v.Field+": "+v.Description)
			}
		}
		if bad, ok := d.(*errdetails.PreconditionFailure); ok && len(bad.Violations) > 1 {
			for _, v := range bad.Violations {
				lines = append(lines, v.Description)
			}
		}
	}
	if len(lines) == 0 {
		return st.Message()
	}
	return strings.Join(lines, "\n  ")
}

// print writes a reply as a line of JSON, or as text does.
func (f *clientFlags) print(reply proto.Message, text func() error) error {
	if !f.JSON {
		return text()
	}
	return printLine(os.Stdout, reply)
}

// printLine writes a message as a line of JSON.
func printLine(w io.Writer, m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(json.RawMessage(raw)) // one form of spaces
}

// printFile writes a message as a file that people edit.
func printFile(w io.Writer, m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(json.RawMessage(raw))
}

// readMessage reads a message from a file of JSON, or from standard input for "-".
func readMessage(path string, m proto.Message) error {
	var raw []byte
	var err error
	if path == "-" {
		raw, err = io.ReadAll(os.Stdin)
	} else {
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("%s is not what is wanted: %w", path, err)
	}
	return nil
}
