// Package store keeps the data of all tenants on disk, in one Badger database.
package store
