package audit

import (
	"bytes"
	"encoding/json"
	"regexp"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// Entry is one act.
type Entry struct {
	// ID grows with time within a tenant, from 1.
	ID   int64
	Time time.Time
	// Tenant is the caller's.
	Tenant string
	// KeyID is the handle of the caller's key. "open": none was asked for. "local:NAME": a
	// user of this machine, with a command on the store itself.
	KeyID string
	// Role of the key; empty for acts on the store itself.
	Role record.Role
	// Method is the full name of the method.
	Method string
	// Target is what it was done to, such as "tenant alpha".
	Target string
	// Peer is where the call came from, HOST:PORT; empty for acts on the store itself.
	Peer string
	// Code of the outcome, such as "OK"; empty: the act has not ended, or the process ended
	// before it.
	Code string
	// Duration of the act.
	Duration time.Duration
}

// line is what a file holds of an act: its beginning, or with End its end.
type line struct {
	ID     int64       `json:"id,omitempty"`
	Time   time.Time   `json:"time,omitzero"`
	Key    string      `json:"key,omitempty"`
	Role   record.Role `json:"role,omitempty"`
	Method string      `json:"method,omitempty"`
	Target string      `json:"target,omitempty"`
	Peer   string      `json:"peer,omitempty"`

	End      int64         `json:"end,omitempty"`
	Code     string        `json:"code,omitempty"`
	Duration time.Duration `json:"ns,omitempty"`
}

// maxText bounds each text of an entry, in bytes.
const maxText = 512

func (e *Entry) line() line {
	return line{
		ID: e.ID, Time: e.Time.UTC(), Key: clean(e.KeyID), Role: e.Role, Method: clean(e.Method),
		Target: clean(e.Target), Peer: clean(e.Peer),
	}
}

func (l *line) entry(tenant string) Entry {
	return Entry{ID: l.ID, Time: l.Time, Tenant: tenant, KeyID: l.Key, Role: l.Role, Method: l.Method, Target: l.Target, Peer: l.Peer}
}

func (l line) encode() ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(l)
	return b.Bytes(), err
}

// secrets finds what looks like an API key: its handle may be told, the rest may not.
var secrets = regexp.MustCompile(`kd_([a-z2-7]{16})_[A-Za-z0-9]*`)

// clean cuts secrets out of a text and bounds it, with a mark where something was cut off.
func clean(text string) string {
	text = secrets.ReplaceAllString(text, "kd_${1}_(secret)")
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return text
}
