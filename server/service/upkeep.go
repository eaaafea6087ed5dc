package service

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/store"
)

// defaultEraseWithin is within which time of an erase its bytes leave the disk.
const defaultEraseWithin = time.Hour

// upkeep looks after the files of the store: it compacts after erases, and has the value
// log collected. One goroutine, ended by stop.
type upkeep struct {
	store  *store.Store
	config Config
	quit   chan struct{}
	// verifying is held by the verification that is under way.
	verifying sync.Mutex
	ended     chan struct{}
	retainer  *retainer
}

// beginUpkeep starts the upkeep of the open store and of its tenants.
func (s *Service) beginUpkeep() {
	s.upkeep = &upkeep{store: s.store, config: s.config, quit: make(chan struct{}), ended: make(chan struct{}), retainer: s.beginRetainer()}
	s.metrics.Registry.MustRegister(&storeMetrics{s.store})
	go s.upkeep.run()
}

// upkeepTick is how often the upkeep looks: often enough for the time that is promised.
func upkeepTick(within time.Duration) time.Duration { return min(10*time.Minute, within/8) }

func (u *upkeep) run() {
	defer close(u.ended)
	tick := time.NewTicker(upkeepTick(u.config.EraseWithin))
	defer tick.Stop()
	for {
		select {
		case <-u.quit:
			return
		case <-tick.C:
			u.look()
		}
	}
}

// look compacts once half of the promised time has passed, so that erases share a
// compaction and it has the other half for itself.
func (u *upkeep) look() {
	if at := u.store.Storage().EraseWaits; !at.IsZero() && time.Since(at) >= u.config.EraseWithin/2 {
		begin := time.Now()
		if err := u.store.Compact(); err != nil {
			u.config.Log.Error("erased rows are still on the disk; tried again soon", "since", at, "within", u.config.EraseWithin, "error", err)
			return
		}
		u.config.Log.Info("erased rows have left the disk", "erased", at, "seconds", time.Since(begin).Seconds())
		return // it collected the value log
	}
	if err := u.store.CollectValueLog(); err != nil {
		u.config.Log.Error("value log not collected", "error", err)
	}
}

// stop ends the upkeep and waits for it. On nil it does nothing.
func (u *upkeep) stop() {
	if u == nil {
		return
	}
	u.retainer.stop()
	close(u.quit)
	<-u.ended
}

// addOperations registers OperationsService.
func (s *Service) addOperations(server *api.Server) {
	server.EraseWithin = s.config.EraseWithin
	api.RegisterOperations(s.grpc, &api.Operations{
		Server: server, Keeper: s.store, Verifier: s.verify,
		Backups: backup.Local{Store: s.store, Models: s.config.Shop.Models.Dir, Audit: s.audit},
	})
}

// storeMetrics reads the store's figures when they are scraped.
type storeMetrics struct{ store *store.Store }

var (
	storeBytesDesc = prometheus.NewDesc("kindred_store_bytes", "Disk that the store takes, by part: tables or value_log. Counted once a minute.", []string{"part"}, nil)
	eraseWaitDesc  = prometheus.NewDesc("kindred_store_erase_wait_seconds", "How long the oldest erase has waited for its bytes to leave the disk; 0: none waits.", nil, nil)
	compactedDesc  = prometheus.NewDesc("kindred_store_compact_timestamp_seconds", "End of the last compaction of the whole store. Absent if there was none since the start.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m *storeMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- storeBytesDesc
	ch <- eraseWaitDesc
	ch <- compactedDesc
}

// Collect implements prometheus.Collector.
func (m *storeMetrics) Collect(ch chan<- prometheus.Metric) {
	st, wait := m.store.Storage(), 0.0
	if !st.EraseWaits.IsZero() {
		wait = time.Since(st.EraseWaits).Seconds()
	}
	ch <- prometheus.MustNewConstMetric(storeBytesDesc, prometheus.GaugeValue, float64(st.TableBytes), "tables")
	ch <- prometheus.MustNewConstMetric(storeBytesDesc, prometheus.GaugeValue, float64(st.ValueLogBytes), "value_log")
	ch <- prometheus.MustNewConstMetric(eraseWaitDesc, prometheus.GaugeValue, wait)
	if !st.Compacted.IsZero() {
		ch <- prometheus.MustNewConstMetric(compactedDesc, prometheus.GaugeValue, float64(st.Compacted.UnixMilli())/1e3)
	}
}

// IndexDir is where index snapshots are kept, beside the files of the store.
func IndexDir(data string) string { return indexDir(data) }
