package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Schema is the form of the rows that this release writes, and the newest it reads. An
// older store is brought forward as it is opened; a newer one is refused, for this
// release would take what it does not know for nothing.
//
//	1  no note of the form; removals are forgotten as Badger merges tables
//	2  the form is noted, removals are kept in a journal (journal.go)
//	3  decisions may repeat others (decision_again.go)
//
// To change the form: raise Schema, add the step to migrations, and freeze a writer of
// the form before in schema_test.go.
const Schema = 3

// migrations holds at i the step from form i+1 to i+2. A step must come to the same end
// when it is repeated after a crash: the form is noted after it.
var migrations = [Schema - 1]func(*Store, *writer) error{
	// Form 1 to 2: nothing to convert. The journal begins here, and no dump of what has
	// changed reaches back before it, since none was made of form 1.
	func(*Store, *writer) error { return nil },
	// Form 2 to 3: nothing to convert. An older release would read empty lists.
	func(*Store, *writer) error { return nil },
}

// migrate brings the store to Schema. It comes before anything else is read.
func (s *Store) migrate() error {
	w := s.newWriter()
	defer w.discard()
	key := prefixKey(0, kindSchema)
	var m storepb.Schema
	noted, err := fetch(w, key, &m)
	if err != nil {
		return err
	}
	if !noted {
		if m.Version, err = unnotedSchema(w); err != nil {
			return err
		}
		m.Made = m.Version
	}
	if m.Version > Schema {
		return fmt.Errorf("store: %s has form %d, this release reads up to %d: use a release that wrote it or a later one: %w",
			s.dir, m.Version, Schema, record.ErrNewer)
	}
	for from := m.Version; from < Schema; from++ {
		s.options.Logger.Info("store: bringing the form forward", "dir", s.dir, "from", from, "to", from+1)
		if err := migrations[from-1](s, w); err != nil {
			return fmt.Errorf("store: from form %d to %d: %w", from, from+1, err)
		}
	}
	if noted && m.Version == Schema {
		return nil
	}
	m.Version = Schema
	if err := place(w, key, &m); err != nil {
		return err
	}
	w.durable = true
	if err := w.write(); err != nil {
		return err
	}
	return w.sync()
}

// unnotedSchema tells a store of form 1, which has an identity, from a new one.
func unnotedSchema(w *writer) (uint32, error) {
	identity, err := w.get(prefixKey(0, kindIdentity))
	if err != nil {
		return 0, err
	}
	if identity == nil {
		return Schema, nil
	}
	return 1, nil
}

// SchemaOf returns the form of the store and the one it was made in.
func (s *Store) SchemaOf() (now, made uint32, err error) {
	var m storepb.Schema
	err = s.view(func(txn *badger.Txn) error {
		_, err := fetch(reader{txn}, prefixKey(0, kindSchema), &m)
		return err
	})
	return m.Version, m.Made, err
}
