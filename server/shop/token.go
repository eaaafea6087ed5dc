package shop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/kindred-rec/kindred/server/record"
)

// Tokens are opaque to callers: base64url of fixed-width big-endian numbers, read
// strictly, so that each has one spelling.
// A write token carries the tenant's number so that a token of another tenant is
// noticed. It needs no signature: a forged one only makes its owner wait.
// A page token is signed, since it leads to a list that belongs to a person.

var encoding = base64.RawURLEncoding.Strict()

const writeTokenBytes = 4 + 8 + 8

// FormatToken returns the text of a write token of this tenant; "" for the
// zero token.
func (s *Shop) FormatToken(t record.Token) string {
	if t == (record.Token{}) {
		return ""
	}
	raw := make([]byte, 0, writeTokenBytes)
	raw = binary.BigEndian.AppendUint32(raw, s.settings().Number)
	raw = binary.BigEndian.AppendUint64(raw, t.Epoch)
	raw = binary.BigEndian.AppendUint64(raw, t.Seq)
	return encoding.EncodeToString(raw)
}

// ParseToken reads a write token. "" is the zero token. A malformed one, or one
// of another tenant, is an *InputError without a field name.
func (s *Shop) ParseToken(text string) (record.Token, error) {
	if text == "" {
		return record.Token{}, nil
	}
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) != writeTokenBytes {
		return record.Token{}, &InputError{Description: fmt.Sprintf("%.40q is no write token: give one from a write's reply as it came", text)}
	}
	if got := binary.BigEndian.Uint32(raw); got != s.settings().Number {
		return record.Token{}, &InputError{Description: "the write token is of another tenant: give one from a write with the same key"}
	}
	return record.Token{Epoch: binary.BigEndian.Uint64(raw[4:]), Seq: binary.BigEndian.Uint64(raw[12:])}, nil
}

// page is where a page token stands in a kept list.
type page struct {
	list   string // recommendation id of the first page
	offset int
	filter string // that the list was made with; rows change
}

const macBytes = 16

// formatPage signs p for a subject of this tenant.
func (s *Shop) formatPage(p page, subject Subject) string {
	raw := binary.BigEndian.AppendUint32(nil, uint32(p.offset))
	raw = append(raw, byte(len(p.list)))
	raw = append(append(raw, p.list...), p.filter...)
	return encoding.EncodeToString(append(raw, s.pageMAC(raw, subject)...))
}

// parsePage reads a page token and checks that it was given to this subject of
// this tenant. Every fault is ErrPageToken with the same words, so that nothing
// is learned of other people's lists.
func (s *Shop) parsePage(text string, subject Subject) (page, error) {
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) < 5+macBytes {
		return page{}, fmt.Errorf("%w %.40q is malformed: give next_page_token of the last reply as it came", ErrPageToken, text)
	}
	body, mac := raw[:len(raw)-macBytes], raw[len(raw)-macBytes:]
	if !hmac.Equal(mac, s.pageMAC(body, subject)) {
		return page{}, fmt.Errorf("%w was not given to this subject: ask the first page again", ErrPageToken)
	}
	list := body[5:]
	n := int(body[4]) // what is signed here is well formed
	return page{offset: int(binary.BigEndian.Uint32(body)), list: string(list[:n]), filter: string(list[n:])}, nil
}

func (s *Shop) pageMAC(body []byte, subject Subject) []byte {
	mac := hmac.New(sha256.New, s.secret[:])
	var head [12]byte
	binary.BigEndian.PutUint32(head[:], s.settings().Number)
	binary.BigEndian.PutUint64(head[4:], uint64(len(subject.User)))
	mac.Write(head[:])
	mac.Write([]byte(subject.User))
	mac.Write([]byte{0})
	mac.Write([]byte(subject.Session))
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:macBytes]
}
