//go:build unix

package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// BenchmarkExportDecisions reads the log of 2,000 lists of ten over gRPC, as each training does beside the load. An operation
// is an export; cpu-us/decision is the processor time of service and reader.
func BenchmarkExportDecisions(b *testing.B) {
	const items, lists = 2_000, 2_000
	conn := serveBench(b, false)
	var rows []*kindredv1.Item
	for i := range items {
		rows = append(rows, item(fmt.Sprint("item-", i), fmt.Sprintf("Garden hose %d", i), "A"))
	}
	for at := 0; at < items; at += 500 {
		if _, err := kindredv1.NewCatalogServiceClient(conn).UpsertItems(context.Background(), &kindredv1.UpsertItemsRequest{Items: rows[at : at+500]}); err != nil {
			b.Fatal(err)
		}
	}
	shows := kindredv1.NewRecommendationServiceClient(conn)
	for i := range lists {
		request := &kindredv1.RecommendRequest{ContextItemIds: []string{fmt.Sprint("item-", i)}, Subject: &kindredv1.Subject{UserId: fmt.Sprint("u", i)}, Limit: 10}
		if _, err := shows.Recommend(context.Background(), request); err != nil {
			b.Fatal(err)
		}
	}
	read := 0
	begin := processorTime(b)
	for b.Loop() {
		stream, err := kindredv1.NewAdminServiceClient(conn).ExportDecisions(context.Background(), &kindredv1.ExportDecisionsRequest{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			page, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			read += len(page.Decisions)
		}
	}
	if read != lists*b.N {
		b.Fatalf("%d decisions in %d exports of %d", read, b.N, lists)
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "decisions/s")
	b.ReportMetric(float64((processorTime(b)-begin).Microseconds())/float64(read), "cpu-us/decision")
}
