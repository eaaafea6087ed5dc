package export

import (
	"context"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

var decisionFields = (&kindredv1.Decision{}).ProtoReflect().Descriptor()

// writeDecisions writes a row for each decision.
func writeDecisions(ctx context.Context, conn grpc.ClientConnInterface, o Options, r *Result) error {
	shreds, err := shredFields(decisionFields, nil, 0, all)
	if err != nil {
		return err
	}
	root := parquet.Group{}
	for _, s := range shreds {
		root[string(s.field.Name())] = s.node()
	}
	f, schema, err := createParquet(o, root)
	if err != nil {
		return err
	}
	for _, s := range shreds {
		if err := s.place(schema); err != nil {
			return f.finish(err)
		}
	}
	err = eachDecision(ctx, conn, o, func(d *kindredv1.Decision) error {
		for _, s := range shreds {
			s.add(d.ProtoReflect(), f.values, 0, 0)
		}
		return f.write()
	})
	r.Rows, r.File = f.rows, f.path
	return f.finish(err)
}
