package api

import (
	"encoding/base64"
	"fmt"
)

// A cursor is the id after which a listing goes on. It is no secret: whoever may
// list may start anywhere.

func cursorToWire(after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(after))
}

func cursorFromWire(token string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", invalid(violation{"page_token", fmt.Sprintf("%.40q is malformed: give next_page_token of the last reply as it came", token)})
	}
	return string(raw), nil
}
