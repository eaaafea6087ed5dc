package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kindred-rec/kindred/embed/bundle/registry"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
)

// storedModels reads what a store that no service has open keeps.
func storedModels(_ context.Context, data, tenant string) (_ *kindredv1.ListModelsResponse, err error) {
	s, err := store.Open(data, store.DefaultOptions())
	if errors.Is(err, record.ErrHeld) {
		return nil, fmt.Errorf("models: %w; use --addr for a running service", err)
	}
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	t, err := s.Tenant(tenant)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	promotions, err := t.Promotions(10)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	r, err := registry.Open(shop.ModelsFolder(service.ModelsDir(data), t.Settings().Number), registry.Options{})
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	entries, err := r.List()
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return api.StoredModels(entries, promotions), nil
}

// oneModel finds the model whose hash begins with some digits.
func oneModel(list *kindredv1.ListModelsResponse, digits string) (*kindredv1.Model, error) {
	var found *kindredv1.Model
	for _, m := range list.Models {
		if !strings.HasPrefix(m.Hash, digits) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("models: several begin with %s: give more digits", digits)
		}
		found = m
	}
	if found == nil {
		return nil, fmt.Errorf("models: there is none that begins with %.70q: see models list", digits)
	}
	return found, nil
}
