package importer

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// WriteText writes the summary for people, at most 100 columns wide but for file names and reasons.
func (s *Summary) WriteText(w io.Writer) error {
	var b strings.Builder
	s.writeCounts(&b)
	s.Items.writeReplacement(&b)
	s.writeBadRows(&b)
	for _, note := range s.Notes {
		writeNote(&b, note)
	}
	if s.NothingNew() {
		fmt.Fprintln(&b, s.nothingNew())
	}
	s.writeNext(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeNote breaks a note into lines of at most 98 columns.
func writeNote(b *strings.Builder, note string) {
	line := "note:"
	for _, word := range strings.Fields(note) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > 98 {
			fmt.Fprintln(b, line)
			line = "     "
		}
		line += " " + word
	}
	fmt.Fprintln(b, line)
}

// figure is one number of a row of counts.
type figure struct {
	value int64
	name  string
}

func (s *Summary) writeCounts(b *strings.Builder) {
	var table [][]figure
	if s.itemsRan {
		it := s.Items
		table = append(table, append([]figure{{0, "items"}, {it.Read, "read"}, {it.Added, "added"}, {it.Changed, "changed"}, {it.Unchanged, "unchanged"}, {it.Rejected, "rejected"}},
			someOf(figure{it.Stale, "stale"}, figure{it.Removed, "removed"}, figure{it.Unanswered, "unanswered"})...))
	}
	if ev := s.Events; s.eventsRan && s.DryRun {
		table = append(table, append([]figure{{0, "events"}, {ev.Read, "read"}, {ev.Valid, "valid"}, {ev.Rejected, "rejected"}}, someOf(figure{ev.Unanswered, "unanswered"})...))
	} else if s.eventsRan {
		table = append(table, append([]figure{{0, "events"}, {ev.Read, "read"}, {ev.Added, "added"}, {ev.Duplicates, "known"}, {ev.Unjoined, "unjoined"}, {ev.Rejected, "rejected"}},
			someOf(figure{ev.Unanswered, "unanswered"})...))
	}
	writeTable(b, table)
	s.writeCourse(b)
}

// writeCourse says how the import went.
func (s *Summary) writeCourse(b *strings.Builder) {
	if s.eventsRan && !s.DryRun {
		fmt.Fprintf(b, "%.1f s in all; %s events a second, in batches of %d, %d under way\n",
			s.Seconds, grouped(int64(s.EventsPerSecond)), s.Batch, s.InFlight)
	} else {
		fmt.Fprintf(b, "%.1f s in all\n", s.Seconds)
	}
	if s.Events.Resent > 0 {
		fmt.Fprintf(b, "%s sent again after a broken connection; those that had landed count as known\n", count(s.Events.Resent, "event was", "events were"))
	}
	if s.Items.Restarts > 0 {
		fmt.Fprintf(b, "the upload of the items was begun anew %s; rows that had landed count as unchanged\n", count(int64(s.Items.Restarts), "time"))
	}
	if s.DryRun {
		fmt.Fprintln(b, s.dryRun())
	}
}

func someOf(figures ...figure) []figure {
	return slices.DeleteFunc(figures, func(f figure) bool { return f.value == 0 })
}

// writeTable writes rows of figures below one another; the first of a row is its name.
func writeTable(b *strings.Builder, table [][]figure) {
	var digits, names []int
	for _, row := range table {
		for i, f := range row {
			if i == len(digits) {
				digits, names = append(digits, 0), append(names, 0)
			}
			digits[i], names[i] = max(digits[i], len(grouped(f.value))), max(names[i], len(f.name))
		}
	}
	for _, row := range table {
		line := fmt.Sprintf("%-*s", names[0], row[0].name)
		for i, f := range row[1:] {
			line += fmt.Sprintf("  %*s %-*s", digits[i+1], grouped(f.value), names[i+1], f.name)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func (s *Summary) dryRun() string {
	var parts []string
	if s.itemsRan {
		parts = append(parts, "the service judged the items and kept none")
	}
	if s.eventsRan {
		parts = append(parts, "the events were checked here and not sent")
	}
	return "dry run: " + strings.Join(parts, "; ")
}

func (s *Summary) nothingNew() string {
	var parts []string
	if s.Items.Read > 0 {
		parts = append(parts, fmt.Sprintf("all %s were unchanged", count(s.Items.Read, "item")))
	}
	if s.Events.Read > 0 {
		parts = append(parts, fmt.Sprintf("all %s were known already", count(s.Events.Read, "event")))
	}
	return "nothing new: " + strings.Join(parts, ", ")
}

func (s *Summary) writeBadRows(b *strings.Builder) {
	if len(s.BadRows) == 0 {
		return
	}
	total := int64(len(s.BadRows)) + s.BadRowsOmitted
	fmt.Fprintf(b, "%s rejected:\n", count(total, "row was", "rows were"))
	for _, row := range s.BadRows {
		fmt.Fprintf(b, "  %s", row.Place())
		if row.Column != "" {
			fmt.Fprintf(b, "  %s", row.Column)
		}
		fmt.Fprintf(b, ": %s", row.Reason)
		if row.Value != "" {
			fmt.Fprintf(b, ", got %q", row.Value)
		}
		b.WriteByte('\n')
	}
	if s.BadRowsOmitted > 0 {
		fmt.Fprintf(b, "  and %s more\n", grouped(s.BadRowsOmitted))
	}
	switch {
	case s.ErrorsFile != "":
		fmt.Fprintf(b, "  each with its reason in %s\n", s.ErrorsFile)
	case s.BadRowsOmitted > 0:
		fmt.Fprintf(b, "  --errors FILE.jsonl writes each with its reason\n")
	}
}

// writeNext says what to do next.
func (s *Summary) writeNext(b *strings.Builder) {
	if !s.Complete {
		return
	}
	if s.Rejected() > 0 {
		fmt.Fprintln(b, "next: mend the rejected rows and run the same command again; the rows that landed are not counted twice")
	}
	if s.expired > 0 {
		fmt.Fprintf(b, "next: %s older than the tenant keeps: raise its retention with AdminService.UpdateTenant\n", count(s.expired, "event is", "events are"))
	}
	if s.DryRun {
		fmt.Fprintln(b, "next: run it without --dry-run")
		return
	}
	if s.Events.Unjoined > 0 {
		fmt.Fprintf(b, "next: %s not in the catalog; they count as soon as it is imported\n", count(s.Events.Unjoined, "event names an item that is", "events name items that are"))
	}
	fmt.Fprintf(b, "next: see what is recommended\n  %s\n", s.tryLine())
}

// tryLine is a command that asks for recommendations.
func (s *Summary) tryLine() string {
	header := ""
	if s.key {
		header = ` -H "authorization: Bearer $KINDRED_KEY"`
	}
	subject := ""
	if s.User != "" {
		subject = fmt.Sprintf(`"subject":{"user_id":%s},`, shellSafe(strconv.Quote(s.User)))
	}
	transport := " -plaintext"
	if s.tls {
		transport = ""
	}
	return fmt.Sprintf("grpcurl%s%s -d '{%s\"limit\":5,\"include_items\":true}' \\\n    %s %s",
		transport, header, subject, s.Addr, strings.TrimPrefix(kindredv1.RecommendationService_Recommend_FullMethodName, "/"))
}

// shellSafe keeps a text inside single quotes.
func shellSafe(text string) string { return strings.ReplaceAll(text, "'", `'\''`) }

// count is a number with its noun: "1 row", "2,000 rows". plural is the noun with an s unless it is given.
func count(n int64, noun string, plural ...string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case len(plural) > 0:
		return grouped(n) + " " + plural[0]
	}
	return grouped(n) + " " + noun + "s"
}

// grouped is a number with its thousands set apart: 17,227.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}
