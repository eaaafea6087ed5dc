package trees

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// Read reads a model of LightGBM or of XGBoost. Errors wrap [ErrModel] or are the reader's.
func Read(from io.Reader) (*Model, error) {
	text, err := io.ReadAll(io.LimitReader(from, MaxFile+1))
	if err != nil {
		return nil, err
	}
	switch {
	case len(text) > MaxFile:
		return nil, fmt.Errorf("%w: the file has more than %d bytes", ErrModel, MaxFile)
	case bytes.HasPrefix(text, []byte("tree\n")), bytes.HasPrefix(text, []byte("tree\r\n")):
		return readLightGBM(bufio.NewScanner(bytes.NewReader(text)))
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")):
		return readXGBoost(text)
	}
	return nil, fmt.Errorf("%w: it is neither LightGBM's text, which begins with a line \"tree\", nor XGBoost's JSON: "+
		`save it with model.save_model("model.txt") or model.save_model("model.json")`, ErrModel)
}
