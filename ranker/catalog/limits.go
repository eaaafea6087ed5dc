package catalog

import "fmt"

// Limits bound the memory of a [Table]. A zero field takes its default.
type Limits struct {
	// MaxItems bounds item numbers: each is below it. Default 1,048,576. The
	// directory costs 8 bytes per 4,096 of them from the start.
	MaxItems uint32
	// MaxItemBytes bounds one item: the sum of its strings' lengths in bytes
	// and of 8 bytes for each number, bool or time in its attributes.
	// Default 16 KiB.
	MaxItemBytes int
	// MaxListLength bounds the categories (every prefix and leaf counts), the
	// tags and each list attribute of one item. Default 256.
	MaxListLength int
	// MaxTexts bounds the distinct strings of each dictionary. Default 1,048,576.
	MaxTexts int
	// MaxTextBytes bounds the bytes of all strings of one dictionary.
	// Default 64 MiB.
	MaxTextBytes int
	// MaxAttributes bounds the attributes declared. Default 256.
	MaxAttributes int
	// JournalLength is how many past changes can be asked for; 4 bytes each.
	// Default 65,536.
	JournalLength int
}

// Largest settings that the representation allows.
const (
	mostTexts      = 1 << 31
	mostAttributes = 1 << 16
	mostJournal    = 1 << 30
)

func (l Limits) withDefaults() (Limits, error) {
	if l.MaxItems == 0 {
		l.MaxItems = 1 << 20
	}
	for _, field := range []struct {
		name               string
		value              *int
		otherwise, largest int
	}{
		{"MaxItemBytes", &l.MaxItemBytes, 16 << 10, 1 << 30},
		{"MaxListLength", &l.MaxListLength, 256, 1 << 20},
		{"MaxTexts", &l.MaxTexts, 1 << 20, mostTexts},
		{"MaxTextBytes", &l.MaxTextBytes, 64 << 20, 1 << 40},
		{"MaxAttributes", &l.MaxAttributes, 256, mostAttributes},
		{"JournalLength", &l.JournalLength, 1 << 16, mostJournal},
	} {
		if *field.value == 0 {
			*field.value = field.otherwise
		}
		if *field.value < 1 || *field.value > field.largest {
			return l, fmt.Errorf("%w: catalog.Limits.%s is %d; give 1 to %d, or 0 for %d",
				ErrInvalid, field.name, *field.value, field.largest, field.otherwise)
		}
	}
	return l, nil
}
