package tenants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// join makes a tenant with a catalog and returns a key of its frontend. The server must let callers without a key in, as one on
// loopback does.
func join(ctx context.Context, addr, tenant string, items int) (key string, err error) {
	open, err := dial(ctx, addr, "")
	if err != nil {
		return "", err
	}
	defer open.Close() // nothing is written through it any more
	admin := kindredv1.NewAdminServiceClient(open.Conn())
	if _, err := admin.CreateTenant(ctx, &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: tenant}}); err != nil {
		return "", err
	}
	if err := fill(ctx, admin, addr, tenant, items); err != nil {
		return "", err
	}
	made, err := admin.CreateKey(ctx, &kindredv1.CreateKeyRequest{Tenant: tenant, Role: kindredv1.Role_ROLE_FRONTEND})
	if err != nil {
		return "", err
	}
	return made.Secret, nil
}

func dial(ctx context.Context, addr, key string) (*load.Client, error) {
	return load.Dial(ctx, load.Target{Addr: addr, Key: key, Connections: connections, Timeout: 5 * time.Second})
}

// fill writes the catalog.
func fill(ctx context.Context, admin kindredv1.AdminServiceClient, addr, tenant string, items int) (err error) {
	key, err := admin.CreateKey(ctx, &kindredv1.CreateKeyRequest{Tenant: tenant, Role: kindredv1.Role_ROLE_MERCHANT})
	if err != nil {
		return err
	}
	merchant, err := dial(ctx, addr, key.Secret)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, merchant.Close()) }()
	catalog := kindredv1.NewCatalogServiceClient(merchant.Conn())
	stream, err := catalog.ImportItems(ctx) // a stream waits where it is past the quota
	if err != nil {
		return err
	}
	err = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{Mode: kindredv1.ImportMode_IMPORT_MODE_MERGE}}})
	for at := 0; at < items && err == nil; at += 500 { // the reason of an error comes with the reply
		batch := &kindredv1.ItemBatch{}
		for i := at; i < min(at+500, items); i++ {
			batch.Items = append(batch.Items, &kindredv1.Item{Id: fmt.Sprintf("item-%d", i), Title: fmt.Sprintf("%s %d", things[i%len(things)], i), Categories: []string{things[i%len(things)]}})
		}
		err = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: batch}})
	}
	reply, err := stream.CloseAndRecv()
	if err == nil && len(reply.Errors) > 0 {
		err = fmt.Errorf("tenants: the catalog of %s is not taken: %v", tenant, reply.Errors[0])
	}
	return err
}

var things = []string{"gel pen", "garden hose", "folding chair", "desk lamp", "tea kettle", "wool blanket", "running shoe", "rain coat"}
