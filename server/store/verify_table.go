package store

import (
	"fmt"
	"os"

	"github.com/dgraph-io/badger/v4/table"
)

// verifyTables compares the checksum of every block of every table, and returns how many there are. Files that are no table of
// Badger's are left out: they are being written, or about to go. Badger's own check (DB.VerifyChecksum) dereferences nil at the
// first block that is wrong, and stops there.
func (c *checker) verifyTables() (files int, err error) {
	for _, info := range c.store.db.Tables() {
		if err := c.ctx.Err(); err != nil {
			return files, err
		}
		err := c.store.soundTable(info.ID)
		n := c.count("table")
		n.Rows++
		if file, err := os.Stat(table.NewFilename(info.ID, c.store.dir)); err == nil { // else it is merged away
			n.Bytes += file.Size()
			if err := c.served.read(c.ctx, int(file.Size())); err != nil {
				return files, err
			}
		}
		if err != nil {
			c.fault("table", fmt.Sprintf("%06d.sst", info.ID), "%v", err)
		}
		files++
	}
	return files, nil
}
